//! Somebody who delivers to an inbound webhook, as senders outside do.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shared::services::auth::PlainToken;

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
    /// What the original product's own senders sign: the body's bytes under the whole secret, by
    /// `openssl dgst -sha256 -hmac "$WHSEC"`.
    ///
    /// # Panics
    /// When there is no OpenSSL.
    pub fn sign(&self, text: &[u8]) -> String {
        let line = openssl(&["dgst", "-sha256", "-hmac", &self.secret], text);
        let line = String::from_utf8(line).expect("text");
        format!("sha256={}", line.trim().rsplit(' ').next().unwrap_or_default())
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

/// What libraries of Standard Webhooks sign: a text under the bytes that stand behind the secret's prefix.
///
/// # Panics
/// When the secret is none, or there is no OpenSSL.
pub fn standard_signature(secret: &str, text: &[u8]) -> String {
    let key = secret.strip_prefix("whsec_").map(|key| STANDARD.decode(key));
    let key: String =
        key.expect("a prefix").expect("base64").iter().map(|byte| format!("{byte:02x}")).collect();
    let option = format!("hexkey:{key}");
    let signature = openssl(&["dgst", "-sha256", "-mac", "HMAC", "-macopt", &option, "-binary"], text);
    format!("v1,{}", STANDARD.encode(signature))
}

/// The HMAC of a text under the bytes of a secret, by OpenSSL.
///
/// # Panics
/// When there is no OpenSSL.
pub fn hmac(hash: &str, secret: &str, text: &[u8]) -> Vec<u8> {
    let key: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let option = format!("hexkey:{key}");
    openssl(&["dgst", &format!("-{hash}"), "-mac", "HMAC", "-macopt", &option, "-binary"], text)
}

/// The id of a token, which is its public part.
///
/// # Panics
/// When it is no token.
pub fn pat_id(token: &str) -> String {
    PlainToken::parse(token).expect("a token").id().to_string()
}

/// Bytes as gzip compresses them.
///
/// # Panics
/// When there is no gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    run("gzip", &["-n", "-c"], bytes)
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    run("openssl", arguments, input)
}

/// What a program makes of its input, of which it writes little.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().expect(program);
    running.stdin.take().expect("its input").write_all(input).expect("its input");
    running.wait_with_output().expect("its output").stdout
}
