//! The local process under measurement.

use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::body::Bytes;
use it::{LocalProcess, Sender, chain};
use serde_json::{Value, json};

use crate::client::Connection;

/// The program that this package builds, as new as this program and beside it. Under `cargo run`, which has
/// built this program only, cargo builds it.
///
/// # Panics
/// When it cannot be built.
pub fn program() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let directory = this.parent().expect("a directory");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "-p", "it", "--bins"]);
        if directory.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo").success(), "cargo does not build the local process");
    }
    directory.join("local-process")
}

/// A local process with a published chain of five Lua steps, and somebody who delivers to it.
#[derive(Debug)]
pub struct Server {
    process: LocalProcess,
    command: String,
    sender: Sender,
}

/// What a client does.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    /// Starts runs and waits for their outputs.
    Starter,
    /// Delivers to a webhook, which starts runs.
    Sender,
}

impl Server {
    /// Starts it on this data.
    ///
    /// # Panics
    /// When it does not work.
    pub async fn start(program: &Path, data_dir: &Path) -> Self {
        let process = LocalProcess::start(program, data_dir);
        let nobody = it::Client::new(axum::Router::new());
        let sender = Sender { client: nobody, path: String::new(), secret: String::new() };
        let mut server = Self { process, command: String::new(), sender };
        let workflow = publish(&server, "chain", &chain(5)).await;
        let subscription = json!({
            "workflow_id": workflow.rsplit('/').next(),
            "name": "orders",
            "automation_bearer": server.process.token,
        });
        let made = post(&mut server.connection().await, "/v1/inbound-webhooks", &subscription).await;
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        (server.sender.path, server.sender.secret) = (text("ingress_path"), text("signing_secret"));
        server.command = format!("{workflow}/command");
        server
    }

    /// A connection.
    pub async fn connection(&self) -> Connection {
        Connection::open(&self.process.base_url, &self.process.token).await
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A client.
    pub async fn connect(&self, who: Who) -> Client {
        let connection = self.connection().await;
        let input = json!({ "customer_email": "alex@example.com", "order_id": "12345" });
        match who {
            Who::Starter => {
                let start = json!({ "command": "start", "params": input });
                let headers = vec![("prefer", "wait=10".to_owned())];
                Client {
                    connection,
                    path: self.command.clone(),
                    body: start.to_string().into(),
                    headers,
                    who,
                }
            }
            Who::Sender => {
                let body = input.to_string();
                let headers = vec![("x-agentruntime-signature", self.sender.sign(body.as_bytes()))];
                Client { connection, path: self.sender.path.clone(), body: body.into(), headers, who }
            }
        }
    }
}

/// Somebody who starts one run after the other.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    path: String,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
    who: Who,
}

impl Client {
    /// Starts a run; whether that is accepted and, for one who waits, its outputs came back and are right.
    pub async fn run(&mut self) -> bool {
        // Looked for as text: reading JSON would be the client's largest expense.
        const OUTPUTS: &[u8] = br#""outputs":{"s4":{"n":5}}"#;
        match self.connection.send_with(&self.path, self.body.clone(), &self.headers).await {
            Ok((status, body)) => match self.who {
                Who::Starter => {
                    status.is_success() && body.windows(OUTPUTS.len()).any(|window| window == OUTPUTS)
                }
                Who::Sender => status == 202,
            },
            Err(_) => false,
        }
    }
}

/// Publishes a workflow and returns its path.
pub async fn publish(server: &Server, name: &str, graph: &Value) -> String {
    let mut connection = server.connection().await;
    let workflow = json!({ "name": name, "graph": graph });
    let workflow = post(&mut connection, "/v1/workflows", &workflow).await;
    let workflow = format!("/v1/workflows/{}", workflow["id"].as_str().expect("an id"));
    post(&mut connection, &format!("{workflow}/versions"), &json!({})).await;
    workflow
}

async fn post(connection: &mut Connection, path: &str, body: &Value) -> Value {
    let (status, answer) = connection.send(path, Some(body.to_string().into())).await.expect("an answer");
    assert!(status.is_success(), "POST {path}: {status} {answer:?}");
    serde_json::from_slice(&answer).expect("JSON")
}
