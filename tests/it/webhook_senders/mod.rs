//! Senders that sign their own way: each preset as its sender delivers and the SDKs (`presets`), how bodies are read and
//! what is read before a delivery is proven (`reading`), who may set a secret (`managing`). Signatures are made by OpenSSL.

mod managing;
mod presets;
mod reading;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use it::{Answer, Client, TestApp, Workspace, graph, hmac, lua};
use serde_json::{Value, json};

use crate::webhooks::app;

const LIST: &str = "/v1/inbound-webhooks";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A workflow whose result is its input, and somebody who makes subscriptions to it.
struct Scene {
    app: TestApp,
    acme: Workspace,
    workflow: String,
}

/// A subscription to which a sender delivers without any token.
struct Hook {
    path: String,
    secret: String,
    anyone: Client,
}

impl Scene {
    async fn new() -> Self {
        let (app, acme) = app().await;
        let workflow = acme.publish(&graph([lua("a", "return { input = input }")])).await;
        Self { app, acme, workflow }
    }

    async fn create(&self, more: Value) -> Answer {
        let mut new =
            json!({ "workflow_id": self.workflow, "name": "w", "automation_bearer": self.acme.token });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.acme.client.post(LIST, &new).await
    }

    async fn hook(&self, more: Value) -> Hook {
        let made = self.create(more.clone()).await.expect(201);
        let secret = made["signing_secret"].as_str().or(more["signing_secret"].as_str()).unwrap();
        Hook {
            path: made["ingress_path"].as_str().unwrap().to_owned(),
            secret: secret.to_owned(),
            anyone: self.app.anyone.clone(),
        }
    }

    fn now(&self) -> i64 {
        self.app.state.clock.now().as_seconds()
    }

    /// The input of the run that a delivery started.
    async fn input(&self, accepted: &Value) -> Value {
        self.app.work().await;
        let run = self.acme.known_run(&self.workflow, accepted["run_id"].as_str().unwrap());
        run.result("a").await["input"].clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A delivery: headers, and a body.
#[derive(Clone)]
struct Sent {
    headers: Vec<(String, String)>,
    query: String,
    body: Vec<u8>,
}

impl Sent {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Hook {
    async fn send(&self, sent: &Sent) -> Answer {
        self.send_as(&self.anyone, sent).await
    }

    async fn send_as(&self, client: &Client, sent: &Sent) -> Answer {
        let client =
            sent.headers.iter().fold(client.clone(), |client, (name, value)| client.with(name, value));
        client.send("POST", &format!("{}{}", self.path, sent.query), sent.body.clone()).await
    }

    fn sent(&self, signature: (&str, String), body: &[u8]) -> Sent {
        let headers = vec![(signature.0.to_owned(), signature.1)];
        Sent { headers, query: String::new(), body: body.to_vec() }
    }

    fn github(&self, id: &str, body: &[u8]) -> Sent {
        let signature = format!("sha256={}", hex(&hmac("sha256", &self.secret, body)));
        self.sent(("x-hub-signature-256", signature), body).with("x-github-delivery", id)
    }

    /// As Stripe and the SDKs do.
    fn stamped(&self, header: &str, at: i64, body: &[u8]) -> Sent {
        let text = [format!("{at}.").as_bytes(), body].concat();
        let signature = format!("t={at},v1={}", hex(&hmac("sha256", &self.secret, &text)));
        self.sent((header, signature), body)
    }

    fn slack(&self, at: i64, body: &[u8]) -> Sent {
        let text = [format!("v0:{at}:").as_bytes(), body].concat();
        let signature = format!("v0={}", hex(&hmac("sha256", &self.secret, &text)));
        self.sent(("x-slack-signature", signature), body).with("x-slack-request-timestamp", &at.to_string())
    }

    fn shopify(&self, id: &str, body: &[u8]) -> Sent {
        let signature = STANDARD.encode(hmac("sha256", &self.secret, body));
        self.sent(("x-shopify-hmac-sha256", signature), body).with("x-shopify-webhook-id", id)
    }

    /// `sorted` is what the fields of the body come to.
    fn twilio(&self, query: &str, sorted: &str, body: &[u8]) -> Sent {
        let text = format!("https://agents.example.com{}{query}{sorted}", self.path);
        let signature = STANDARD.encode(hmac("sha1", &self.secret, text.as_bytes()));
        let sent = self.sent(("x-twilio-signature", signature), body).with("host", "agents.example.com");
        Sent { query: query.to_owned(), ..sent }
    }

    fn own(&self, body: &[u8]) -> Sent {
        let signature = format!("sha256={}", hex(&hmac("sha256", &self.secret, body)));
        self.sent(("x-agentruntime-signature", signature), body)
    }
}

/// The same delivery with one byte of its signature changed.
fn forged(sent: &Sent) -> Sent {
    let mut forged = sent.clone();
    let (_, signature) = forged
        .headers
        .iter_mut()
        .find(|(name, _)| name.contains("signature") || name.contains("hmac"))
        .unwrap();
    let at = signature.len() - 5;
    let other = if signature.as_bytes()[at] == b'a' { "b" } else { "a" };
    signature.replace_range(at..=at, other);
    forged
}
