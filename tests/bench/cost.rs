//! What runs cost on AWS: counted requests and units, and prices. docs/cost.md explains the lines.
//!
//! Counted are requests, units and bytes. Assumed are times, which differ between machines: how long a request to AWS
//! takes, and the CPU of a step. They decide only what Lambda's time costs.

use it::{Models, chain, graph, human, openai_says, with};
use serde_json::{Value, json};

use crate::budget::Environments;
use crate::meter::Tally;
use crate::prices::{self, Price};
use crate::shapes;

/// What a request to DynamoDB or SQS takes within a region, in seconds.
const REQUEST_S: f64 = 0.005;
/// The CPU of a Lua step and of all that is the run's for a start, in seconds of one processor: a fifth of a chain of five
/// in docs/benchmarks.md.
const LUA_STEP_S: f64 = 0.001;
const START_S: f64 = 0.001;
/// The same of a call: TLS and JSON.
const CALL_CPU_S: f64 = 0.001;
/// What the other side of a call takes, in seconds.
const CALL_S: f64 = 0.3;
/// The memory of the functions, in GB: the template's defaults.
const API_GB: f64 = 0.5;
const WORKER_GB: f64 = 0.5;
/// The memory at which Lambda gives a whole processor; at less a function has its share, so CPU costs the same at any.
const PROCESSOR_GB: f64 = 1.769;
const SWEEP_GB: f64 = 0.25;
/// What an invocation logs: Lambda's own two lines, the request's line, the metrics'.
const LOG_BYTES: f64 = 1_200.0;
/// A message is sent, received and deleted.
const REQUESTS_OF_A_MESSAGE: f64 = 3.0;
/// DynamoDB's own of each item.
const OF_AN_ITEM: f64 = 100.0;

/// What a unit of work takes of each service.
#[derive(Debug, Clone, Copy, Default)]
struct Bill {
    database: f64,
    queue: f64,
    lambda: f64,
    rest: f64,
}

impl Bill {
    fn total(&self) -> f64 {
        self.database + self.queue + self.lambda + self.rest
    }

    /// What this takes more than another.
    fn less(self, other: Self) -> Self {
        Self {
            database: self.database - other.database,
            queue: self.queue - other.queue,
            lambda: self.lambda - other.lambda,
            rest: self.rest - other.rest,
        }
    }

    /// The same for one of so many.
    fn of(self, parts: f64) -> Self {
        Self {
            database: self.database / parts,
            queue: self.queue / parts,
            lambda: self.lambda / parts,
            rest: self.rest / parts,
        }
    }
}

fn scripts(count: f64) -> Time {
    Time { computing: count * LUA_STEP_S, waiting: 0.0 }
}

fn cost(price: Price, count: f64) -> f64 {
    price.usd * count
}

/// What a worker does with its time beside requests to AWS, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Time {
    /// Of one processor.
    computing: f64,
    /// For the other side of calls.
    waiting: f64,
}

/// A run: the request that starts it and the worker's invocation.
fn bill(start: &Tally, worker: &Tally, time: Time, messages: f64) -> Bill {
    let both = |count: fn(&Tally) -> u64| float(count(start) + count(worker));
    let requests = |tally: &Tally| float(tally.reads() + tally.writes() + tally.messages());
    let (start_s, worker_s) = (requests(start) * REQUEST_S, requests(worker) * REQUEST_S + time.waiting);
    let computing_s = START_S + time.computing;
    let units = both(|tally| tally.write_units + tally.index_units + tally.other_units);
    Bill {
        database: cost(prices::WRITE_UNIT, units) + cost(prices::READ_UNIT, both(|tally| tally.read_units)),
        queue: cost(prices::SQS_REQUEST, messages * REQUESTS_OF_A_MESSAGE),
        lambda: cost(prices::INVOCATION, 1.0 + messages)
            + cost(prices::GB_SECOND, start_s * API_GB + worker_s * WORKER_GB + computing_s * PROCESSOR_GB),
        rest: cost(prices::API_REQUEST, 1.0) + cost(prices::LOG_BYTE, (1.0 + messages) * LOG_BYTES),
    }
}

/// Counts, and prints what it comes to.
pub async fn print() {
    println!("Prices of us-east-1, {}\n", prices::AS_OF);
    for Price { what, usd, source } in prices::ALL {
        println!("  {what:<40}{:>16}  {source}", format!("${:.4} /M", usd * 1e6));
    }
    println!("\nDollars per million\n");
    println!("  {:<42}{:>10}{:>10}{:>10}{:>10}{:>10}", "", "DynamoDB", "SQS", "Lambda", "other", "all");
    let short = chain_of(5).await;
    let long = chain_of(100).await;
    line("one more Lua step in a chain", long.less(short).of(95.0));
    let calls = 10;
    let models = Models::answering([openai_says("Yes.", 3, 1)]).await;
    let (start, worker) = second(&calls_in_a_row(calls), Some(&models)).await;
    units(&format!("{calls} calls in a row"), &start, &worker);
    let calls = float(calls as u64);
    let time = Time { computing: calls * CALL_CPU_S, waiting: calls * CALL_S };
    line("step with an effect outside, in a row of 10", bill(&start, &worker, time, 1.0).of(calls));
    println!(
        "  {:<42}{:>50}",
        "  (of it the time in which Lambda waits for the other side)",
        dollars(cost(prices::GB_SECOND, CALL_S * WORKER_GB))
    );
    webhook().await;
    idle().await;
    others();
}

/// A run of so many scripts, one after the other.
async fn chain_of(steps: usize) -> Bill {
    let (start, worker) = second(&chain(steps), None).await;
    units(&format!("a chain of {steps} scripts"), &start, &worker);
    let count = float(steps as u64);
    let bill = bill(&start, &worker, scripts(count), 1.0);
    line(&format!("run of {steps} Lua steps"), bill);
    line(&format!("Lua step, in a chain of {steps}"), bill.of(count));
    bill
}

/// [`shapes::second`] on stores of its own; it must complete.
async fn second(graph: &Value, models: Option<&Models>) -> (Tally, Tally) {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Environments::open(&dir.path().join("bench.sqlite")).await;
    if let Some(models) = models {
        bench.prepared.openai_key(models, "sk-test-0123456789abcdef").await;
    }
    let (run, start, worker) = shapes::second(&bench, graph).await;
    assert_eq!(run.status().await, "completed", "{:#}", run.view().await);
    (start, worker)
}

fn calls_in_a_row(count: usize) -> Value {
    graph((0..count).map(|at| {
        let step = json!({ "id": format!("c{at}"), "type": "llm_call", "prompt": "Hello",
                           "model_ref": "direct.openai.gpt-4.1" });
        match at.checked_sub(1) {
            None => step,
            Some(before) => with(step, &json!({ "depends_on": [format!("c{before}")] })),
        }
    }))
}

/// A delivery that starts a run of one script: the delivery alone, and with its run.
async fn webhook() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Environments::open(&dir.path().join("bench.sqlite")).await;
    let workflow = bench.prepared.publish(&chain(1)).await;
    let sender = bench.prepared.subscribe(&workflow, json!({})).await;
    let deliver = async |key: &str| {
        let client = bench.caller.client.with("idempotency-key", key);
        sender.deliver_as(&client, br#"{"order_id":"12345"}"#).await.expect(202);
    };
    deliver("first").await;
    bench.deliver().await;
    bench.requests.take();
    bench.work.take();
    deliver("second").await;
    let ingress = bench.requests.take();
    bench.deliver().await;
    let worker = bench.work.take();
    units("a delivery and its run of one script", &ingress, &worker);
    let alone = bill(&ingress, &Tally::default(), Time::default(), 0.0);
    line("webhook call, accepted", Bill { queue: cost(prices::SQS_REQUEST, 1.0), ..alone });
    line("webhook call with its run of one script", bill(&ingress, &worker, scripts(1.0), 1.0));
}

/// A run that waits for a person: nothing is called for it; its rows are kept.
async fn idle() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Environments::open(&dir.path().join("bench.sqlite")).await;
    let before = bench.stored();
    let run = bench.caller.begin(&graph([human("ask", &[])]), json!({})).await;
    bench.deliver().await;
    let waiting = bench.stored();
    bench.requests.take();
    bench.work.take();
    let (items, bytes) = (waiting.0 - before.0, waiting.1 - before.1);
    let stored = bytes as f64 + OF_AN_ITEM * items as f64;
    println!(
        "\n  A workflow with a run that waits for a person: 0 requests, {items} items with {stored:.0} bytes and their copies in indexes"
    );
    line(
        "idle workflow, a month",
        Bill { database: cost(prices::STORED_BYTE, 2.0 * stored), ..Bill::default() },
    );
    // Eight shards are asked every minute, whatever there is.
    let minutes = prices::MINUTES_A_MONTH;
    let sweep = cost(prices::READ_UNIT, 8.0 * minutes * 0.5)
        + cost(prices::INVOCATION, minutes)
        + cost(prices::GB_SECOND, minutes * 0.05 * SWEEP_GB)
        + cost(prices::LOG_BYTE, minutes * LOG_BYTES);
    println!("  The sweep of a whole deployment, a month: ${sweep:.2}");
    drop(run);
}

fn others() {
    println!(
        "\n  {:<42}{:>50}",
        "Step Functions Standard, a transition",
        dollars(prices::STANDARD_TRANSITION.usd)
    );
    for steps in [5.0, 100.0] {
        // Its own time, at the smallest memory: as long as our worker's.
        let time = cost(prices::EXPRESS_GB_SECOND, steps * LUA_STEP_S * 64.0 / 1024.0);
        let name = format!("Step Functions Express, a step of {steps}, less its Lambda");
        println!("  {name:<52}{:>40}", dollars((prices::EXPRESS_RUN.usd + time) / steps));
    }
    println!(
        "  {:<42}{:>50}",
        "Lambda durable functions, an operation",
        dollars(prices::DURABLE_OPERATION.usd)
    );
    println!();
}

fn units(name: &str, start: &Tally, worker: &Tally) {
    let of = |tally: &Tally| (tally.write_units + tally.index_units + tally.other_units, tally.read_units);
    let ((start_w, start_r), (worker_w, worker_r)) = (of(start), of(worker));
    println!("\n  {name}: start {start_w} write and {start_r} read units, worker {worker_w} and {worker_r}");
}

fn line(name: &str, bill: Bill) {
    let cells = [bill.database, bill.queue, bill.lambda, bill.rest, bill.total()]
        .map(|usd| format!("{:>10}", dollars(usd)));
    println!("  {name:<42}{}", cells.concat());
}

fn dollars(usd: f64) -> String {
    format!("${:.2}", usd * 1e6)
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn float(count: u64) -> f64 {
    count as f64
}
