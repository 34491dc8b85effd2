//! The requests of runs of other shapes: loops, people, calls of workflows, of tools and of models; and that a commit
//! does not cost more the longer its run is.

use it::{
    McpStandIn, Models, Run, call, chain, for_each, graph, human, lua, lua_after, openai_says, repeat,
    tool_call, with,
};
use serde_json::{Value, json};

use crate::budget::Environments;
use crate::meter::Tally;

/// Items of the loop.
const ITEMS: u32 = 50;
/// Steps of a chain that call the outside.
const CALLS: u32 = 10;
/// Iterations of the loops that are compared.
const ITERATIONS: [u32; 4] = [10, 100, 400, 1000];
/// How much more a commit of the longest run may write than one of a shorter run.
const MOST_GROWTH: f64 = 1.5;

/// Counts, prints, and says whether all is within the budget.
pub async fn print_and_check() -> bool {
    let mut ok = a_loop().await;
    ok &= a_person().await;
    calls().await;
    ok &= outside().await;
    ok &= growth().await;
    ok
}

async fn environments(dir: &tempfile::TempDir) -> Environments {
    Environments::open(&dir.path().join("bench.sqlite")).await
}

/// A second run of a graph, whose environments know its version: what its start and its worker cost.
pub async fn second(bench: &Environments, graph: &Value) -> (Run, Tally, Tally) {
    let workflow = bench.prepared.publish(graph).await;
    bench.caller.begin_again(&workflow, json!({})).await;
    bench.deliver().await;
    bench.requests.take();
    bench.work.take();
    let run = bench.caller.begin_again(&workflow, json!({})).await;
    let start = bench.requests.take();
    bench.deliver().await;
    let worker = bench.work.take();
    (bench.prepared.known_run(&workflow, &run.id), start, worker)
}

fn head(title: &str) {
    println!("{title}\n");
    println!("  {:<42}{:>8}{:>8}{:>10}{:>12}", "", "writes", "reads", "messages", "bytes");
}

fn line(name: &str, tally: &Tally) {
    let (writes, reads, messages) = (tally.writes(), tally.reads(), tally.messages());
    println!("  {name:<42}{writes:>8}{reads:>8}{messages:>10}{:>12}", tally.bytes);
}

fn verdict(name: &str, counted: f64, most: f64) -> bool {
    let ok = counted <= most;
    println!("  {name:<58}{counted:>8.3}, at most {most}{}", if ok { "" } else { "  OVER" });
    ok
}

async fn a_loop() -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = environments(&dir).await;
    let items: Vec<u32> = (0..ITEMS).collect();
    let each = for_each("each", &json!(items), &[lua("square", "return { n = item * item }")]);
    let (run, start, worker) = second(&bench, &graph([each])).await;
    assert_eq!(run.result("each").await["succeeded_count"], ITEMS);
    head(&format!("A for_each of {ITEMS} scripts"));
    line("start", &start);
    line("worker", &worker);
    let items = f64::from(ITEMS);
    let ok = verdict("write requests of the worker per item", count(worker.writes()) / items, 0.5)
        & verdict("read requests of the worker per item", count(worker.reads()) / items, 0.2)
        & verdict("SQS requests of the worker", count(worker.messages()), 0.0);
    println!();
    ok
}

async fn a_person() -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = environments(&dir).await;
    let asks = graph([lua("a", "return {}"), human("ask", &["a"]), lua_after("b", &["ask"], "return {}")]);
    let (run, start, put) = second(&bench, &asks).await;
    let answering = bench.caller.known_run(&run.workflow, &run.id);
    answering.approve("ask").await;
    let answer = bench.requests.take();
    bench.deliver().await;
    let after = bench.work.take();
    assert_eq!(run.status().await, "completed");
    head("A script, a person, a script");
    line("start", &start);
    line("worker, until the question is put", &put);
    line("answer", &answer);
    line("worker, after the answer", &after);
    let plain = second(&bench, &chain(2)).await;
    let with_person = put.writes() + answer.writes() + after.writes();
    let more = |a: u64, b: u64| count(a) - count(b);
    let of_the_step = more(with_person - answer.of_trail, plain.2.writes());
    // Every request by which somebody changes something leaves an entry, with its outcome; a step's budget is another.
    let ok = verdict("write requests more than without the person", of_the_step, 2.0)
        & verdict("write requests of the audit trail for the answer", count(answer.of_trail), 2.0);
    let reads = more(put.reads() + answer.reads() + after.reads(), plain.2.reads());
    println!("  read requests more (the answer's and the next worker's load)  {reads:.0}\n");
    ok
}

async fn calls() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = environments(&dir).await;
    let child = bench.prepared.publish(&graph([lua("a", "return { n = 1 }")])).await;
    let (run, start, worker) = second(&bench, &graph([call("go", &[], &child, &json!({}))])).await;
    assert_eq!(run.status().await, "completed");
    let items: Vec<u32> = (0..ITEMS).collect();
    let each = for_each(
        "each",
        &json!(items),
        &[json!({ "id": "go", "type": "workflow_call", "workflow_id": child })],
    );
    let (run, _, many) = second(&bench, &graph([each])).await;
    assert_eq!(run.result("each").await["succeeded_count"], ITEMS);
    head("A call of a workflow of one script, parent and child together");
    line("start", &start);
    line("worker", &worker);
    line(&format!("worker, {ITEMS} calls in a for_each"), &many);
    println!();
}

/// Steps with an effect outside, one after the other: each costs a claim and what settles it.
async fn outside() -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = environments(&dir).await;
    let (tools, models) = (McpStandIn::start().await, Models::answering([openai_says("Yes.", 3, 1)]).await);
    let instance = bench.prepared.mcp_instance(&tools.url).await;
    let connection = bench.prepared.connection("a-key-of-the-tools").await;
    bench.prepared.mcp_profile(&instance, &connection).await;
    bench.prepared.openai_key(&models, "sk-test-0123456789").await;
    let chained = |step: &Value| {
        graph((0..CALLS).map(|at| {
            let before: Vec<String> =
                at.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect();
            with(step.clone(), &json!({ "id": format!("s{at}"), "depends_on": before }))
        }))
    };
    let asks = json!({ "type": "llm_call", "model_ref": "direct.openai.gpt-4.1", "prompt": "Is it?" });
    let says = tool_call("", &[], &instance, "echo", &json!({ "message": "m" }));
    let mut ok = true;
    // A tool's connection is read for each call, so that a key that was changed reaches the next one.
    for (name, step, most_reads) in [("llm_call", asks, 1.0), ("mcp_call", says, 2.0)] {
        let (run, start, worker) = second(&bench, &chained(&step)).await;
        assert_eq!(run.status().await, "completed");
        head(&format!("A chain of {CALLS} steps of type {name}"));
        line("start", &start);
        line("worker", &worker);
        let per_step = |requests: u64| count(requests) / f64::from(CALLS);
        ok &= verdict("write requests of the worker per step", per_step(worker.writes()), 2.0)
            & verdict("read requests of the worker per step", per_step(worker.reads()), most_reads)
            & verdict("SQS requests of the worker", count(worker.messages()), 0.0);
        println!();
    }
    ok
}

async fn growth() -> bool {
    println!("A while of so many iterations of one script\n");
    println!(
        "  {:>10}{:>10}{:>20}{:>20}{:>20}",
        "iterations", "commits", "commits/iteration", "requests/commit", "bytes/commit"
    );
    let mut bytes_per_commit = Vec::new();
    for iterations in ITERATIONS {
        let dir = tempfile::tempdir().expect("a directory");
        let bench = environments(&dir).await;
        let body = [lua("count", "return { n = loop.iteration }")];
        let (run, _, worker) =
            second(&bench, &graph([repeat("loop", iterations, "{{ body.count.nope }}", &body)])).await;
        assert_eq!(run.result("loop").await["iteration_count"], iterations);
        let commits = count(worker.writes());
        let bytes = count(worker.bytes) / commits;
        bytes_per_commit.push(bytes);
        let requests = count(worker.writes() + worker.reads()) / commits;
        let per_iteration = commits / f64::from(iterations);
        println!("  {iterations:>10}{commits:>10.0}{per_iteration:>20.3}{requests:>20.2}{bytes:>20.0}");
    }
    let longest = bytes_per_commit.last().copied().unwrap_or_default();
    let before = bytes_per_commit.iter().rev().skip(1).copied().fold(0.0, f64::max);
    println!();
    let ok = verdict("bytes per commit, 1,000 iterations over fewer", longest / before, MOST_GROWTH);
    println!();
    ok
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn count(number: u64) -> f64 {
    number as f64
}
