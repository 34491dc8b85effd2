//! An MCP server that echoes the credential in everything it says: it is in no log, whatever its level, and in nothing
//! that callers see.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use it::{RawMcp, RawReply, RawRequest, TestApp, graph, tool_call};
use serde_json::json;
use shared::platform::telemetry;
use shared::types::clock::Clock;
use tracing::field::{Field, Visit};
use tracing::span;

const TOKEN: &str = "Tok\"en-S3cret/8f2a+91c7";

/// Writes down every field of every event and span, of whatever target and level.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for &Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{field}={value:?}\n"));
    }
}

impl tracing::Subscriber for Everything {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        // The database's client is chatty, and no server speaks through it.
        !metadata.target().starts_with("aws_")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut &*self);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut &*self);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut &*self);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Write for Everything {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Everything {
    /// Logs what this thread does: as it comes, or as the process would at this level.
    fn log(&self, level: Option<&str>) -> tracing::subscriber::DefaultGuard {
        // See `telemetry.rs`: with one subscriber only, callsites would remember the no of other threads.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(telemetry::lines("trace", "info", io::sink)));
        let lines = self.clone();
        match level {
            None => tracing::subscriber::set_default(lines),
            Some(level) => {
                tracing::subscriber::set_default(telemetry::lines(level, "info", move || lines.clone()))
            }
        }
    }
}

fn forms() -> Vec<String> {
    let quoted = json!(TOKEN).to_string();
    let percent = "Tok%22en-S3cret%2F8f2a%2B91c7";
    vec![TOKEN.to_owned(), quoted.trim_matches('"').to_owned(), percent.to_owned(), STANDARD.encode(TOKEN)]
}

/// What it says instead of an answer.
fn echo(kind: usize, request: &RawRequest) -> RawReply {
    let said = format!("bad token: {} {}", request.header("authorization"), forms().join(" "));
    let id = &request.message["id"];
    match kind {
        0..=5 => {
            let status = [400, 401, 403, 404, 422, 500][kind];
            RawReply::json(status, &json!({ "detail": said, "error": { "message": said } }))
                .with("www-authenticate", &format!("Bearer error=\"{}\"", said.replace('"', "'")))
        }
        6 => RawReply::json(
            200,
            &json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": said, "data": said } }),
        ),
        7 => RawReply::new(401, "text/plain", said),
        8 => RawReply::new(200, "text/html", said),
        9 => RawReply::new(200, "application/json", said),
        10 => {
            let event =
                json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": said } });
            let failed = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": 1, "message": said } });
            RawReply::new(
                200,
                "text/event-stream",
                format!("event: {}\ndata: {event}\nid: x\n\ndata: {failed}\n\n", said.replace('\n', " ")),
            )
        }
        11 => RawReply::new(200, "text/event-stream", format!("id: {TOKEN}\nretry: 1\ndata: {said}\n\n")),
        12 => RawReply::new(307, "text/plain", said)
            .with("location", &format!("https://elsewhere.example/{TOKEN}")),
        13 => RawReply::json(
            200,
            &json!({ "jsonrpc": "2.0", "id": said, "result": { "tools": [], "x": said } }),
        ),
        14 => RawReply::json(200, &json!({ "jsonrpc": "2.0", "id": id, "result": said })),
        15 => RawReply::json(
            200,
            &json!({ "jsonrpc": "2.0", "id": id, "method": said, "params": { "x": said } }),
        ),
        _ => {
            let tool = json!({ "name": format!("t {TOKEN}"), "description": said, "inputSchema": { "type": said, "pattern": format!("(?={TOKEN})") } });
            let result = json!({
                "protocolVersion": TOKEN, "serverInfo": { "name": said, "version": said }, "instructions": said,
                "tools": [tool], "nextCursor": null, "isError": true, "structuredContent": { TOKEN: said },
                "content": [{ "type": "text", "text": said }],
            });
            RawReply::json(200, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
                .with("mcp-session-id", TOKEN)
        }
    }
}

async fn nothing_leaks(level: Option<&str>, methods: &[&'static str]) {
    let everything = Everything::default();
    let _guard = everything.log(level);
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let connection = acme.connection(TOKEN).await;
    // What is made in the beginning is sent by the caller, who may see it.
    everything.0.lock().unwrap().clear();
    let mut answers = String::new();
    for method in methods {
        for kind in 0..=16 {
            let method = *method;
            let mcp = RawMcp::start(move |request| match request.method() {
                of if of == method => echo(kind, request),
                "initialize" => RawReply::usual(request).with("mcp-session-id", TOKEN),
                _ if request.http_method != "POST" => echo(kind, request),
                _ => RawReply::usual(request),
            })
            .await;
            let new =
                json!({ "name": format!("S {}", mcp.url), "canonical_url": mcp.url, "auth_mode": "token" });
            let server = acme.client.post("/v1/mcp/servers", &new).await.expect(201);
            let instance = json!({ "server_id": server["id"] });
            let instance = acme.client.post("/v1/mcp/instances", &instance).await.expect(201);
            let instance = instance["id"].as_str().unwrap();
            acme.mcp_profile(instance, &connection).await;
            let server = format!("/v1/mcp/servers/{}", server["id"].as_str().unwrap());
            let workflow = acme.publish(&graph([tool_call("a", &[], instance, "t", &json!({}))])).await;
            for path in [
                format!("{server}/discover"),
                format!("/v1/mcp/instances/{instance}/validate"),
                format!("/v1/mcp/instances/{instance}/tools/t/call"),
            ] {
                answers.push_str(&acme.client.post(&path, &json!({})).await.body.to_string());
            }
            let run = acme.begin_again(&workflow, json!({})).await;
            app.work().await;
            answers.push_str(&run.view().await.to_string());
            answers.push_str(&json!(run.events().await).to_string());
        }
    }
    // The sessions end, and say goodbye to echoes as well.
    drop((acme, app));
    tokio::task::yield_now().await;
    let logged = everything.0.lock().unwrap().clone();
    assert!(!logged.is_empty(), "something is logged");
    assert!(answers.contains("bad token"), "the server's words are shown");
    for (what, text) in [("log", logged), ("answers", answers)] {
        for form in forms().into_iter().chain(["S3cret".to_owned()]) {
            let before: String =
                text.split(&form).next().unwrap_or_default().chars().rev().take(300).collect();
            assert!(
                !text.contains(&form),
                "{what}: {form} after {}",
                before.chars().rev().collect::<String>()
            );
        }
    }
}

#[tokio::test]
async fn rmcp_itself_never_sees_an_echoed_credential() {
    nothing_leaks(None, &["initialize", "notifications/initialized", "tools/list", "tools/call"]).await;
}

#[tokio::test]
async fn no_level_logs_an_echoed_credential() {
    nothing_leaks(Some("rmcp=trace,rmcp::transport=trace,trace"), &["initialize", "tools/call"]).await;
}
