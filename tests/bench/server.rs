//! The local process under measurement.

use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::body::Bytes;
use it::{LocalProcess, chain};
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

/// A local process with a published chain of five Lua steps.
#[derive(Debug)]
pub struct Server {
    process: LocalProcess,
    command: String,
}

impl Server {
    /// Starts it on this data.
    ///
    /// # Panics
    /// When it does not work.
    pub async fn start(program: &Path, data_dir: &Path) -> Self {
        let process = LocalProcess::start(program, data_dir);
        let mut server = Self { process, command: String::new() };
        server.command = format!("{}/command", publish(&server, "chain", &chain(5)).await);
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
    pub async fn connect(&self) -> Client {
        let connection = self.connection().await;
        let start = json!({
            "command": "start",
            "params": { "customer_email": "alex@example.com", "order_id": "12345" },
        });
        Client { connection, path: self.command.clone(), start: start.to_string().into() }
    }
}

/// Somebody who starts runs and waits for their outputs.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    path: String,
    start: Bytes,
}

impl Client {
    /// Starts a run; whether its outputs came back and are right.
    pub async fn run(&mut self) -> bool {
        // Looked for as text: reading JSON would be the client's largest expense.
        const OUTPUTS: &[u8] = br#""outputs":{"s4":{"n":5}}"#;
        match self.connection.send(&self.path, Some(self.start.clone())).await {
            Ok((status, body)) => {
                status.is_success() && body.windows(OUTPUTS.len()).any(|window| window == OUTPUTS)
            }
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
