//! One row's trouble is that row's: whatever cannot be read or acted on stands in front of a trigger in each shard, and
//! the trigger fires all the same.

use std::path::Path;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::{EmbeddedDynamo, dynamo_client};
use it::{LocalProcess, TestApp};
use serde_json::json;
use shared::store::{DEADLINE_SHARDS, Due};

use crate::trigger_runs::World;

/// Before everything else in the index.
const FIRST: &str = "000000000000001";
/// Of each kind in each shard: with four kinds more than a page.
const OF_EACH: usize = 26;
const ID: &str = "0199a1b2-0000-7000-8000-";

/// Rows that nobody can act on, each with its place in the index behind the time.
fn poisoned(number: usize) -> Vec<(String, String, String, AttributeValue)> {
    let id = format!("{ID}{number:012x}");
    let trigger_pk = format!("T#acme#P#default#WF#{id}");
    let newer = AttributeValue::N("999".to_owned());
    let known = AttributeValue::N("4".to_owned());
    vec![
        // Of a later version, which has other things in the index.
        (format!("X#{id}"), "ROW".to_owned(), format!("LATER#a#b#c#d#e#f#{id}"), newer.clone()),
        // A trigger in a form of a later version.
        (
            trigger_pk.clone(),
            format!("TRIGGER#{id}"),
            format!("TRIGGER#acme#default#{id}#{id}"),
            newer.clone(),
        ),
        // One that is damaged.
        (
            trigger_pk,
            format!("TRIGGER#{ID}d{number:011x}"),
            format!("TRIGGER#acme#default#{id}#{ID}d{number:011x}"),
            known,
        ),
        // A place that says nothing.
        (format!("Y#{id}"), "ROW".to_owned(), String::new(), newer),
    ]
}

async fn poison(app: &TestApp) {
    poison_table(&app.stores.dynamodb(&[]), app.stores.table()).await;
}

async fn poison_table(client: &Client, table: &str) {
    let s = |text: String| AttributeValue::S(text);
    for shard in 0..DEADLINE_SHARDS {
        for number in 0..OF_EACH {
            for (pk, sk, place, form) in poisoned(usize::from(shard) * 1000 + number) {
                let put = client.put_item().table_name(table);
                let put = put.item("pk", s(pk)).item("sk", s(sk)).item("v", form);
                let put = put.item("deadline_pk", s(format!("D#{shard}")));
                put.item("deadline_sk", s(format!("{FIRST}#{place}"))).send().await.unwrap();
            }
        }
    }
}

/// How many rows are due now.
async fn due(app: &TestApp) -> usize {
    let mut due = 0;
    for shard in 0..DEADLINE_SHARDS {
        due += app.state.store.due(shard, app.state.clock.now(), None, 1000).await.unwrap().rows.len();
    }
    due
}

async fn sweep_after(app: &TestApp, seconds: u64) -> usize {
    app.state.clock.advance(Duration::from_secs(seconds));
    let before = due(app).await;
    shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap();
    before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_be_read_hold_up_no_trigger_and_are_put_off() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    let all = usize::from(DEADLINE_SHARDS) * OF_EACH * 4;
    poison(&world.app).await;
    assert_eq!(sweep_after(&world.app, 40).await, all + 1);
    assert_eq!(world.runs().await, [world.run_of("2026-09-21T09:00:00Z")]);
    assert_eq!(due(&world.app).await, 0, "what cannot be acted on is put off");
    // By 15 s, then 30 s, then a minute for triggers and more for the others.
    assert_eq!(sweep_after(&world.app, 14).await, 0);
    let lost = 1; // the run that was started, whose message nobody took
    assert_eq!(sweep_after(&world.app, 2).await, all);
    assert_eq!(sweep_after(&world.app, 16).await, lost);
    assert_eq!(sweep_after(&world.app, 15).await, all);
    assert_eq!(sweep_after(&world.app, 61).await, all + lost);
    assert_eq!(
        sweep_after(&world.app, 61).await,
        all / 2 + lost,
        "a trigger is put off for a minute at most"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_down_loses_no_due_time() {
    for catch_up in ["none", "latest"] {
        let trigger = json!({ "cron": "*/10 * * * *", "catch_up": catch_up });
        let world = World::new("2026-09-21T08:59:30Z", trigger).await;
        // Runs that are overdue stand in front of the trigger in every shard.
        for _ in 0..40 {
            world.acme.start(&world.workflow, json!({})).await;
        }
        let started = world.runs().await;
        world.app.stores.queue.close();
        let dues = ["2026-09-21T09:00:00Z", "2026-09-21T09:10:00Z", "2026-09-21T09:20:00Z"];
        for _ in 0..25 {
            sweep_after(&world.app, 60).await;
        }
        let runs = world.runs().await;
        for due in dues {
            assert!(runs.contains(&world.run_of(due)), "{catch_up}: {due} is lost");
        }
        assert_eq!(runs.len(), started.len() + dues.len(), "{catch_up}: each due time starts one run");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_destroyed_holds_up_nothing() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    let secrets = &world.app.stores.secrets;
    let connections: Vec<String> = {
        let mut made = Vec::new();
        for _ in 0..20 {
            made.push(world.acme.connection("a-credential").await);
        }
        made
    };
    secrets.set_down(true);
    for id in &connections {
        world.acme.client.delete(&format!("/v1/connections/{id}")).await.expect(204);
    }
    sweep_after(&world.app, 90).await;
    assert_eq!(world.runs().await, [world.run_of("2026-09-21T09:00:00Z")]);
    let left = secrets.under("test/").len();
    assert_eq!(left, connections.len());
    secrets.set_down(false);
    sweep_after(&world.app, 3600).await;
    assert_eq!(secrets.under("test/").len(), 0, "they are destroyed when that is possible again");
}

#[tokio::test]
async fn the_index_shows_what_this_version_does_not_know() {
    let world = World::new("2026-09-21T08:59:30Z", json!({ "cron": "0 9 * * *" })).await;
    poison(&world.app).await;
    let page = world.app.state.store.due(0, world.clock.now(), None, 1000).await.unwrap();
    let unknown = page.rows.iter().filter(|row| matches!(row.due, Due::Unknown)).count();
    assert_eq!(unknown, OF_EACH * 2);
}

#[tokio::test]
async fn the_local_process_starts_whatever_stands_in_its_index() {
    let data = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    LocalProcess::start(program, data.path()).kill();
    let dynamo = EmbeddedDynamo::open(Some(&data.path().join("dynamodb.sqlite"))).await.unwrap();
    poison_table(&dynamo_client(&dynamo, []), "agentruntime").await;
    dynamo.shutdown().await;
    let process = LocalProcess::start(program, data.path());
    let listed = it::http_client().get(format!("{}/v1/workflows", process.base_url));
    assert_eq!(listed.bearer_auth(&process.token).send().await.unwrap().status(), 200);
}
