//! How functions start: from the start of a `bootstrap` until it asks for its first event, its memory then, and how
//! long its first event takes. Lambda is stood in for by its runtime API on loopback, AWS by an embedded DynamoDB and
//! fixed answers behind one port.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded::EmbeddedDynamo;
use it::{OPERATOR_TOKEN, Stores, issue_token};
use serde_json::Value;
use shared::types::clock::Clock;
use shared::types::role::Role;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::load::percentile;
use crate::procfs;
use crate::stand_in::{Aws, Runtime, serve};

/// How often each function is started.
const STARTS: usize = 30;
/// The budget of a function behind the API (issue: operations): its start, memory, and every function's zip.
const LONGEST_START: Duration = Duration::from_millis(5);
const MOST_MEMORY_MB: u64 = 20;
const LARGEST_ZIP: u64 = 5_000_000;

/// Functions and the sample of events/ that each is handed first.
const FUNCTIONS: [(&str, &str); 15] = [
    ("onboarding", "onboarding_create_workspace"),
    ("workflows", "workflows_create"),
    ("runs", "runs_start"),
    ("tasks", "tasks_complete"),
    ("pats", "pats_create"),
    ("llm", "llm_create_key"),
    ("platform_mcp", "platform_mcp_call"),
    ("analytics", "analytics_runs_count"),
    ("billing", "billing_grant"),
    ("connections", "connections_create"),
    ("inbound_webhooks", "inbound_webhooks_create"),
    ("webhook_ingress", "webhook_ingress_delivery"),
    ("mcp_servers", "mcp_servers_create"),
    ("run_step_worker", "run_step_worker_messages"),
    ("sweep", "sweep_scheduled"),
];

/// What stands in for the world of a function.
#[derive(Clone, Copy)]
struct World<'a> {
    table: &'a str,
    aws: &'a str,
    api: &'a str,
}

/// What was measured of a function.
struct Measured {
    binary: u64,
    zip: u64,
    starts: Vec<Duration>,
    memory: u64,
    first: Duration,
    answer: String,
}

/// Measures every function that is in this directory, prints, and says whether all are within the budget.
pub async fn print_and_check(directory: &Path) -> bool {
    let dynamo = EmbeddedDynamo::open(None).await.expect("a database");
    let stores = Stores::on(dynamo, "bench");
    let state = stores.state(Clock::System, &[]);
    state.store.create_table().await.expect("a table");
    let token = issue_token(&state, ("bench", "bench"), Role::TenantAdmin, &[], None).await;
    let aws = Aws::start(stores.dynamo.clone()).await;
    let (api, _server) = serve(local::router(state)).await;
    let api = format!("http://{api}");
    let world = World { table: stores.table(), aws: &aws.url, api: &api };
    println!("Functions of {}, {STARTS} starts each\n", directory.display());
    println!(
        "  {:<18}{:>9}{:>9}{:>12}{:>12}{:>9}{:>14}  answer",
        "", "zip", "binary", "start, p50", "start, p99", "RSS", "first event"
    );
    let (mut ok, mut found) = (true, 0);
    for (name, sample) in FUNCTIONS {
        let bootstrap = directory.join(name).join("bootstrap");
        if !bootstrap.is_file() {
            println!("  {name:<18} is not there");
            continue;
        }
        found += 1;
        let bearer = if matches!(name, "onboarding" | "billing") { OPERATOR_TOKEN } else { token.reveal() };
        let event = event(sample, bearer);
        let measured = measure(name, &bootstrap, world, &event).await;
        ok &= print(name, &measured);
    }
    println!("\n  `just bench-functions` makes them: {found} of {}\n", FUNCTIONS.len());
    ok && found == FUNCTIONS.len()
}

fn event(sample: &str, bearer: &str) -> String {
    let path = it::repository().join("events").join(format!("{sample}.json"));
    let text = std::fs::read_to_string(path).expect("a sample");
    let mut event: Value = serde_json::from_str(&text).expect("JSON");
    if event["headers"].is_object() {
        event["headers"]["authorization"] = format!("Bearer {bearer}").into();
    }
    event.to_string()
}

async fn measure(name: &str, bootstrap: &Path, world: World<'_>, event: &str) -> Measured {
    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let begun = Instant::now();
        let _process = Process(start(name, bootstrap, world, &address));
        asked(&listener).await;
        starts.push(begun.elapsed());
    }
    starts.sort_unstable();
    let mut runtime = Runtime::start().await;
    let process = Process(start(name, bootstrap, world, &runtime.address));
    runtime.first_poll().await;
    let memory = procfs::memory(process.0.id()).now;
    let handed = Instant::now();
    let answer = runtime.answer_to(event).await;
    let first = handed.elapsed();
    let binary = std::fs::metadata(bootstrap).expect("a file").len();
    Measured { binary, zip: zipped(bootstrap), starts, memory, first, answer: in_short(&answer) }
}

/// Returns when a function asks for its first event: at a bare socket, so that no server's work is measured with it.
async fn asked(listener: &TcpListener) {
    let (mut connection, _) = listener.accept().await.expect("a connection");
    let mut request = [0; 256];
    let read = connection.read(&mut request).await.expect("a request");
    let text = String::from_utf8_lossy(&request[..read]).into_owned();
    assert!(text.starts_with("GET /2018-06-01/runtime/invocation/next "), "it asks for an event: {text}");
}

fn start(name: &str, bootstrap: &Path, world: World<'_>, runtime: &str) -> Child {
    let mut command = Command::new(bootstrap);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", runtime),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", world.aws),
        ("TABLE_NAME", world.table),
        ("QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/bench"),
        ("OPERATOR_SECRET", "operator-token"),
        ("TOKEN_KEY_SECRET", "token-key"),
        ("SECRET_PREFIX", "bench"),
        ("PLATFORM_MCP_API_URL", world.api),
        ("METRICS_STACK", "bench"),
    ];
    command.envs(variables).spawn().expect("a bootstrap that can be started")
}

/// Ends with the measurement.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The bytes of a zip with this bootstrap in it, as it is deployed.
fn zipped(bootstrap: &Path) -> u64 {
    let directory = tempfile::tempdir().expect("a directory");
    let zip: PathBuf = directory.path().join("function.zip");
    let made = Command::new("python3").args(["-m", "zipfile", "-c"]).arg(&zip).arg(bootstrap).status();
    assert!(made.is_ok_and(|status| status.success()), "python3 -m zipfile makes no zip");
    std::fs::metadata(zip).expect("a zip").len()
}

/// The status of an answer to the API; else the beginning of the answer.
fn in_short(answer: &str) -> String {
    let value: Value = serde_json::from_str(answer).unwrap_or_default();
    match value["statusCode"].as_u64() {
        Some(status) => status.to_string(),
        None => answer.chars().take(40).collect(),
    }
}

fn print(name: &str, measured: &Measured) -> bool {
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    let (p50, p99) = (percentile(&measured.starts, 50), percentile(&measured.starts, 99));
    let is_of_api = !matches!(name, "run_step_worker" | "sweep");
    let is_slow = is_of_api && p50 > LONGEST_START;
    let over = [
        (measured.zip > LARGEST_ZIP, "zip"),
        (is_slow, "start"),
        (measured.memory > MOST_MEMORY_MB, "memory"),
        (measured.answer.starts_with('5'), "answer"),
    ];
    let over: Vec<_> = over.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
    let mb = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    println!(
        "  {name:<18}{:>9}{:>9}{:>12}{:>12}{:>9}{:>14}  {}{}",
        mb(measured.zip),
        mb(measured.binary),
        ms(p50),
        ms(p99),
        format!("{} MB", measured.memory),
        ms(measured.first),
        measured.answer,
        if over.is_empty() { String::new() } else { format!("  OVER: {}", over.join(", ")) },
    );
    over.is_empty()
}
