//! Somebody who delivers to an inbound webhook, as senders outside do.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::{Answer, Client, Workspace};

/// A subscription as its sender knows it.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Calls with the subscription's token.
    pub client: Client,
    /// Where to deliver.
    pub path: String,
    /// What to sign with.
    pub secret: String,
}

impl Workspace {
    /// Subscribes a sender, who carries this workspace's token, to a workflow.
    pub async fn subscribe(&self, workflow: &str, more: Value) -> Sender {
        let mut new = json!({ "workflow_id": workflow, "name": "orders", "automation_bearer": self.token });
        if let (Some(new), Value::Object(more)) = (new.as_object_mut(), more) {
            new.extend(more);
        }
        let made = self.client.post("/v1/inbound-webhooks", &new).await.expect(201);
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        Sender { client: self.client.clone(), path: text("ingress_path"), secret: text("signing_secret") }
    }
}

impl Sender {
    /// What the original product's own senders sign: the body's bytes under the whole secret, by OpenSSL.
    pub fn sign(&self, text: &[u8]) -> String {
        format!("sha256={}", openssl(&self.secret, text))
    }

    /// Delivers bytes with the signature of them.
    pub async fn deliver(&self, body: &[u8]) -> Answer {
        self.deliver_as(&self.client, body).await
    }

    /// The same with the headers of this client.
    pub async fn deliver_as(&self, client: &Client, body: &[u8]) -> Answer {
        let client = client.with("x-agentruntime-signature", &self.sign(body));
        client.send("POST", &self.path, body.to_vec()).await
    }
}

/// `openssl dgst -sha256 -hmac "$KEY"` of a text, in hexadecimal.
///
/// # Panics
/// When there is no OpenSSL.
fn openssl(key: &str, text: &[u8]) -> String {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-hmac", key]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().expect("openssl");
    running.stdin.take().expect("its input").write_all(text).expect("its input");
    let output = running.wait_with_output().expect("its output");
    let line = String::from_utf8(output.stdout).expect("text");
    line.trim().rsplit(' ').next().unwrap_or_default().to_owned()
}
