//! Many runs in one local process: ten thousand that wait for people beside new ones, and a thousand at once.

use std::time::Instant;

use it::{chain, for_each, graph, human, lua};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Connection;
use crate::load;
use crate::procfs::memory;
use crate::server::{Server, Who, publish};

/// Runs that wait for a person.
const WAITING: usize = 10_000;
/// Runs that are timed before and beside them.
const TIMED: usize = 200;
/// Runs that are started before the first is over.
const AT_ONCE: usize = 1000;
/// How often so many are started.
const TIMES: usize = 5;
const CLIENTS: usize = 16;

/// Prints both; whether no run was lost or went wrong.
pub async fn print(program: &std::path::Path, data_dir: &std::path::Path) -> bool {
    let server = Server::start(program, data_dir).await;
    let waited = beside_waiting(&server).await;
    let all = at_once(&server).await;
    waited && all
}

async fn beside_waiting(server: &Server) -> bool {
    let before = load::one_after_the_other(server, Who::Starter, TIMED).await;
    let memory_before = memory(server.id()).now;
    let ask = publish(server, "asks", &graph([human("ask", &[])])).await;
    let begun = Instant::now();
    start_many(server, &ask, WAITING).await;
    until_waiting(server, &ask).await;
    let elapsed = begun.elapsed();
    let beside = load::one_after_the_other(server, Who::Starter, TIMED).await;
    println!("New runs beside {WAITING} that wait for a person (made in {:.1} s)\n", elapsed.as_secs_f64());
    println!("  {:<28}{:>12}{:>12}{:>12}", "chain of 5 Lua steps", "p50", "p99", "memory");
    for (name, runs, memory) in
        [("before", &before, memory_before), ("beside them", &beside, memory(server.id()).now)]
    {
        let ms = |percent| format!("{:.2} ms", runs.percentile(percent).as_secs_f64() * 1000.0);
        println!("  {name:<28}{:>12}{:>12}{:>9} MB", ms(50), ms(99), memory);
    }
    println!();
    before.errors + beside.errors == 0
}

async fn start_many(server: &Server, workflow: &str, count: usize) {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let mut connection = server.connection().await;
        let path = format!("{workflow}/command");
        let share = count / CLIENTS + usize::from(client < count % CLIENTS);
        clients.spawn(async move {
            for _ in 0..share {
                let body = json!({ "command": "start" }).to_string();
                let (status, answer) =
                    connection.send_now(&path, Some(body.into())).await.expect("an answer");
                assert!(status.is_success(), "{status} {answer:?}");
            }
        });
    }
    clients.join_all().await;
}

/// Until the last of the runs has put its question.
async fn until_waiting(server: &Server, workflow: &str) {
    let mut connection = server.connection().await;
    let listed = get(&mut connection, &format!("{workflow}/runs?limit=100")).await;
    for run in listed["runs"].as_array().into_iter().flatten() {
        let run = format!("{workflow}/runs/{}", run["run_id"].as_str().unwrap_or_default());
        let mut seen = 0;
        while get(&mut connection, &format!("{run}/summary")).await["pending_tasks"] != 1 {
            let news = get(&mut connection, &format!("{run}/events?after={seen}&wait_s=20")).await;
            seen =
                news["events"].as_array().and_then(|events| events.last()?["seq"].as_u64()).unwrap_or(seen);
        }
    }
}

async fn at_once(server: &Server) -> bool {
    let mut steps = chain(3)["steps"].as_array().cloned().unwrap_or_default();
    let body = [lua("square", "return { n = item * item }")];
    steps.push(for_each("each", &json!([1, 2, 3, 4, 5]), &body));
    let workflow = publish(server, "mixed", &graph(steps)).await;
    println!("{AT_ONCE} runs at once (a chain of 3 and a loop of 5 items), {TIMES} times\n");
    println!("  {:>4}{:>14}{:>12}{:>12}{:>12}", "", "all over in", "completed", "lost", "memory");
    let mut well = true;
    for time in 1..=TIMES {
        let begun = Instant::now();
        start_many(server, &workflow, AT_ONCE).await;
        let completed = until_over(server, &workflow).await;
        let lost = AT_ONCE - completed.min(AT_ONCE);
        well &= lost == 0;
        let elapsed = format!("{:.2} s", begun.elapsed().as_secs_f64());
        println!("  {time:>4}{elapsed:>14}{completed:>12}{lost:>12}{:>9} MB", memory(server.id()).now);
    }
    println!();
    well
}

/// Waits for the newest runs to be over and returns how many of them completed.
async fn until_over(server: &Server, workflow: &str) -> usize {
    let mut connection = server.connection().await;
    let mut completed = 0;
    let mut cursor = String::new();
    for _ in 0..AT_ONCE / 100 {
        let path = format!("{workflow}/runs?limit=100{cursor}");
        let listed = loop {
            let listed = get(&mut connection, &path).await;
            let under_way = |run: &&Value| run["ended_at"].is_null();
            let Some(run) = listed["runs"].as_array().and_then(|runs| runs.iter().find(under_way)) else {
                break listed;
            };
            let id = run["run_id"].as_str().unwrap_or_default();
            get(&mut connection, &format!("{workflow}/runs/{id}?wait_s=20")).await;
        };
        let runs = listed["runs"].as_array().cloned().unwrap_or_default();
        completed += runs.iter().filter(|run| run["status"] == "completed").count();
        cursor = listed["next_cursor"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    completed
}

async fn get(connection: &mut Connection, path: &str) -> Value {
    let (status, answer) = connection.send_now(path, None).await.expect("an answer");
    assert!(status.is_success(), "GET {path}: {status} {answer:?}");
    serde_json::from_slice(&answer).expect("JSON")
}
