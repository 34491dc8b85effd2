//! The reference server of MCP, as npm has it: from its address to a workflow that calls its tools. Apart from the
//! other tests, because it needs Node: `./test.sh everything` installs the server and names its program in `MCP_EVERYTHING`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use it::{TestApp, graph, lua_after};
use serde_json::{Value, json};

/// The server as a process; it ends with this.
struct Everything {
    process: Child,
    url: String,
}

impl Everything {
    async fn start() -> Self {
        let program =
            std::env::var("MCP_EVERYTHING").expect("MCP_EVERYTHING: run this with ./test.sh everything");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new("node")
            .args([&program, "streamableHttp"])
            .env("PORT", free.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node");
        listens(process.stderr.take().expect("what it says")).await;
        Self { process, url: format!("http://127.0.0.1:{free}/mcp") }
    }
}

/// Waits until the server says that it listens.
async fn listens(said: ChildStderr) {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut tell = Some(tell);
        // To its end: a server that nobody reads would stand still one day.
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            if line.contains("listening on port")
                && let Some(tell) = tell.take()
            {
                let _ = tell.send(());
            }
        }
    });
    told.await.expect("the server ended before it listened");
}

impl Drop for Everything {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn id(of: &Value) -> &str {
    of["id"].as_str().expect("an id")
}

#[tokio::test]
async fn the_reference_server_works_from_its_address_to_a_workflow() {
    let (app, everything) = (TestApp::start().await, Everything::start().await);
    let acme = app.workspace("acme").await;
    let new = json!({ "name": "Everything", "canonical_url": everything.url });
    let server = acme.client.post("/v1/mcp/servers", &new).await.expect(201);
    let path = format!("/v1/mcp/servers/{}", id(&server));
    let found = acme.client.post(&format!("{path}/discover"), &json!({})).await.expect(200);
    let names: Vec<&str> =
        found["tools"].as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(names.contains(&"echo") && names.contains(&"get-sum"), "{names:?}");
    acme.client.post(&format!("{path}/versions"), &json!({ "activate": true })).await.expect(201);
    let validity = acme.client.post(&format!("{path}/validate"), &json!({})).await.expect(200);
    assert_eq!(validity["valid"], true, "{validity:#}");
    let instance = json!({ "server_id": id(&server) });
    let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
    let call = |name: &str, tool: &str, args: Value| json!({ "id": name, "type": "mcp_call", "instance_id": id(&instance), "tool_name": tool, "tool_args": args });
    let steps = graph([
        call("echo", "echo", json!({ "message": "{{ input.word }}" })),
        call("sum", "get-sum", json!({ "a": 2, "b": 40 })),
        lua_after(
            "end",
            &["echo", "sum"],
            "return { echo = steps.echo.result.content[1].text, sum = steps.sum.result.content[1].text }",
        ),
    ]);
    let run = acme.begin(&steps, json!({ "word": "hello" })).await;
    let done = run.finished().await;
    assert_eq!(done["status"], "completed", "{done:#}");
    let end = &done["outputs"]["end"];
    assert!(end["echo"].as_str().unwrap().contains("hello"), "{end}");
    assert!(end["sum"].as_str().unwrap().contains("42"), "{end}");
}
