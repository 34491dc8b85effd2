//! The requests of chains of Lua steps, held against the budget of the engine (`engine.md`, *Budget*).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use embedded::EmbeddedDynamo;
use it::{Client, Stores, Workspace, chain, issue_token};
use serde_json::json;
use shared::AppState;
use shared::services::auth::PlainToken;
use shared::types::clock::Clock;
use shared::types::role::Role;

use crate::meter::{Meter, Table, Tally};

/// Runs over which is averaged.
const RUNS: u32 = 20;
const CHAINS: [usize; 2] = [5, 100];

const MOST_WRITES_PER_STEP: f64 = 0.5;
const MOST_READS_PER_STEP: f64 = 0.2;
const MOST_REQUESTS_OF_A_START: f64 = 4.0;
const MOST_MESSAGES_OF_A_START: f64 = 1.0;

/// The requests of one run, or the sum of several.
#[derive(Debug, Default)]
struct Cost {
    start: Tally,
    worker: Tally,
}

/// Counts, prints, and says whether all is within the budget.
pub async fn print_and_check() -> bool {
    let dir = tempfile::tempdir().expect("a directory for data");
    let mut ok = true;
    for steps in CHAINS {
        let (first, others) = measure(steps, &dir.path().join(format!("{steps}.sqlite"))).await;
        println!("Requests of a run, a chain of {steps} Lua steps\n");
        print_table("the first run of both environments, which load token, graph and key", &first, 1, steps);
        print_table(&format!("mean of {RUNS} further runs"), &others, RUNS, steps);
        ok &= check(&first.start, &others, steps);
    }
    ok
}

/// Two environments like Lambda's on one set of stores: one whose functions answer requests, one that works.
pub struct Environments {
    stores: Stores,
    worker: AppState,
    /// Somebody whose requests are not counted.
    pub prepared: Workspace,
    /// Somebody whose requests are.
    pub caller: Workspace,
    /// What the requests cost.
    pub requests: Meter,
    /// What the worker costs.
    pub work: Meter,
    table: Arc<Table>,
}

impl Environments {
    /// On a new database in this file.
    pub async fn open(file: &Path) -> Self {
        let dynamo = EmbeddedDynamo::open(Some(file)).await.expect("a database");
        let stores = Stores::on(dynamo, "runs");
        let prepared = stores.state(Clock::System, &[]);
        prepared.store.create_table().await.expect("a table");
        let table = Table::new(&stores.description().await);
        let (requests, work) = (Meter::on(&table), Meter::on(&table));
        let api = stores.state(Clock::System, &[requests.interceptor()]);
        let worker = stores.state(Clock::System, &[work.interceptor()]);
        let token = issue_token(&prepared, ("bench", "bench"), Role::TenantAdmin, &[], None).await;
        let (prepared, caller) = (somebody(&prepared, &token), somebody(&api, &token));
        Self { stores, worker, prepared, caller, requests, work, table }
    }

    /// How many items were kept through the metered clients, and their bytes.
    pub fn stored(&self) -> (usize, usize) {
        self.table.stored()
    }

    /// How many calls the secret store has had.
    pub fn secret_calls(&self) -> usize {
        self.stores.secrets.calls()
    }

    /// Hands the worker every message there is. By a client of its own, as Lambda's poller has: its requests
    /// are not the worker's.
    pub async fn deliver(&self) {
        self.stores.deliver(&self.worker).await;
    }
}

async fn measure(steps: usize, file: &Path) -> (Cost, Cost) {
    let bench = Environments::open(file).await;
    let workflow = bench.prepared.publish(&chain(steps)).await;
    let mut costs = (Cost::default(), Cost::default());
    for run in 0..=RUNS {
        let params = json!({ "customer_email": "alex@example.com", "order_id": "12345" });
        let started = bench.caller.command_start(&workflow, params).await.expect(200);
        let cost = if run == 0 { &mut costs.0 } else { &mut costs.1 };
        cost.start += bench.requests.take();
        bench.deliver().await;
        cost.worker += bench.work.take();
        let run = format!("/v1/workflows/{workflow}/runs/{}", started["run_id"].as_str().unwrap_or_default());
        let run = bench.prepared.client.get(&run).await.expect(200);
        assert_eq!(run["outputs"][format!("s{}", steps - 1)]["n"], steps, "{run:#}");
    }
    costs
}

fn somebody(state: &AppState, token: &PlainToken) -> Workspace {
    Workspace {
        client: Client::new(local::router(state.clone())).bearer(token.reveal()),
        tenant_id: "bench".to_owned(),
        project_id: "bench".to_owned(),
        token: token.reveal().to_owned(),
    }
}

fn print_table(title: &str, cost: &Cost, runs: u32, steps: usize) {
    let (start, worker) = (&cost.start, &cost.worker);
    println!("  {title}");
    println!("  {:<24}{:>10}{:>10}{:>10}{:>12}", "", "start", "worker", "total", "per step");
    let line = |name: &str, start: u64, worker: u64| {
        let (start, worker) = (mean(start, runs), mean(worker, runs));
        let per_step = per_step(start + worker, steps);
        println!("  {name:<24}{start:>10.1}{worker:>10.1}{:>10.1}{per_step:>12.3}", start + worker);
    };
    let operations: BTreeSet<_> = start.requests.keys().chain(worker.requests.keys()).collect();
    for operation in operations {
        let count = |tally: &Tally| tally.requests.get(operation).copied().unwrap_or_default();
        line(operation, count(start), count(worker));
    }
    line("write units, table", start.write_units, worker.write_units);
    line("write units, indexes", start.index_units, worker.index_units);
    line("read units", start.read_units, worker.read_units);
    line("bytes written", start.bytes, worker.bytes);
    println!();
}

fn check(first_start: &Tally, others: &Cost, steps: usize) -> bool {
    let all = |tally: &Tally| tally.writes() + tally.reads();
    let (start, worker) = (&others.start, &others.worker);
    let of_a_start = mean(all(start), RUNS).max(mean(all(first_start), 1));
    let writes = per_step(mean(worker.writes(), RUNS), steps);
    let reads = per_step(mean(worker.reads(), RUNS), steps);
    let lines = [
        ("DynamoDB requests of a start, cold or not", of_a_start, MOST_REQUESTS_OF_A_START),
        ("SQS requests of a start", mean(start.messages(), RUNS), MOST_MESSAGES_OF_A_START),
        ("write requests of the worker per step", writes, MOST_WRITES_PER_STEP),
        ("read requests of the worker per step", reads, MOST_READS_PER_STEP),
        ("SQS requests of the worker", mean(worker.messages(), RUNS), 0.0),
    ];
    println!("  {:<44}{:>10}{:>10}", "budget", "counted", "at most");
    for (name, counted, most) in lines {
        let verdict = if counted <= most { "" } else { "  OVER" };
        println!("  {name:<44}{counted:>10.3}{most:>10.1}{verdict}");
    }
    println!();
    lines.iter().all(|(_, counted, most)| counted <= most)
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn mean(sum: u64, runs: u32) -> f64 {
    sum as f64 / f64::from(runs)
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn per_step(count: f64, steps: usize) -> f64 {
    count / steps as f64
}
