//! Deliveries of inbound webhooks: requests per accepted one, held against the budget of the engine, and how long
//! they take, one after the other and with several senders.

use std::path::Path;
use std::time::Duration;

use it::chain;
use serde_json::json;

use crate::budget::Environments;
use crate::load::{Runs, one_after_the_other, side_by_side};
use crate::server::{Server, Who};

/// Deliveries over which is averaged, or that are timed one after the other.
const DELIVERIES: usize = 200;
/// A start, and one more request of each store.
const MOST_REQUESTS: f64 = 5.0;
const MOST_MESSAGES: f64 = 2.0;

/// Counts, prints, and says whether all is within the budget.
pub async fn print_and_check() -> bool {
    let dir = tempfile::tempdir().expect("a directory for data");
    let bench = Environments::open(&dir.path().join("ingress.sqlite")).await;
    let workflow = bench.prepared.publish(&chain(1)).await;
    let sender = bench.prepared.subscribe(&workflow, json!({})).await;
    println!("Requests of an accepted delivery\n");
    println!("  {:<28}{:>12}{:>12}{:>12}", "", "first", "further", "with a key");
    let mut columns = Vec::new();
    for (deliveries, keyed) in [(1, false), (DELIVERIES, false), (DELIVERIES, true)] {
        bench.requests.take();
        let secrets = bench.secret_calls();
        for number in 0..deliveries {
            let client = match keyed {
                true => bench.caller.client.with("idempotency-key", &number.to_string()),
                false => bench.caller.client.clone(),
            };
            sender.deliver_as(&client, br#"{"order_id":"12345"}"#).await.expect(202);
        }
        let tally = bench.requests.take();
        let mean = |count: u64| mean(count, deliveries);
        let units = (mean(tally.write_units), mean(tally.read_units));
        let calls = bench.secret_calls() - secrets;
        columns.push([
            mean(tally.reads()),
            mean(tally.writes()),
            mean(tally.messages()),
            mean(u64::try_from(calls).unwrap_or(u64::MAX)),
            units.0,
            units.1,
        ]);
    }
    let names = [
        "DynamoDB reads",
        "DynamoDB writes",
        "SQS requests",
        "secret store",
        "write units, table",
        "read units",
    ];
    for (row, name) in names.iter().enumerate() {
        let cell = |column: &[f64; 6]| format!("{:>12.2}", column[row]);
        println!("  {name:<28}{}", columns.iter().map(cell).collect::<String>());
    }
    println!();
    let within = |column: &[f64; 6]| {
        column[0] + column[1] <= MOST_REQUESTS && column[2] <= MOST_MESSAGES && column[3] == 0.0
    };
    // The first delivery of an environment reads the graph, the token and the secret.
    columns[1..].iter().all(within)
}

/// Times, which depend on the machine, and whether every delivery was accepted.
pub async fn print_times(program: &Path, senders: usize, time: Duration) -> bool {
    let data = tempfile::tempdir().expect("a directory for data");
    let server = Server::start(program, data.path()).await;
    let single = one_after_the_other(&server, Who::Sender, DELIVERIES).await;
    let load = side_by_side(&server, Who::Sender, senders, time).await;
    println!("Deliveries of an inbound webhook, each of which starts a run\n");
    let ms = |runs: &Runs, percent| format!("{:.2} ms", runs.percentile(percent).as_secs_f64() * 1000.0);
    println!("  {:<28}{:>12}{:>12}{:>12}", "", "p50", "p99", "per second");
    println!(
        "  {:<28}{:>12}{:>12}",
        format!("one after the other, {DELIVERIES}"),
        ms(&single, 50),
        ms(&single, 99)
    );
    let rate = format!("{:.0}", load.per_second());
    println!("  {:<28}{:>12}{:>12}{rate:>12}", format!("{senders} senders"), ms(&load, 50), ms(&load, 99));
    println!();
    single.errors + load.errors == 0
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn mean(sum: u64, deliveries: usize) -> f64 {
    sum as f64 / deliveries as f64
}
