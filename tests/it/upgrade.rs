//! Rows and messages that an earlier version of the program wrote: this one goes on with them. What a later one wrote
//! is refused and left as it is.
//!
//! A file of `upgrade/` holds the whole table, and the messages in the queue, as the version of that number left them
//! in the middle of its work. A change of what is written comes with a new number and a new file: set the number in
//! `shared::types::form::FORM`, and let `UPDATE_FIXTURES=1 cargo test -p it --test it upgrade` write the file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use it::{Onlooker, Run, TestApp, Workspace, for_each, graph, human, interceptor, lua, lua_after};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::types::form::FORM;
use shared::types::role::Role;
use shared::worker::Message;
use tokio::time::Instant;

/// When all of it was written.
const THEN: i64 = 1_790_000_000_000;

/// What an earlier version left behind.
struct Left {
    app: TestApp,
    /// Somebody of its workspace.
    acme: Workspace,
    /// A run that waits for a person.
    asks: Run,
    /// A run that no worker has seen yet.
    waits: Run,
    messages: Vec<String>,
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/upgrade")
}

fn file(form: u32) -> Value {
    let text = std::fs::read_to_string(directory().join(format!("form-{form}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// An app whose stores hold what a file says.
async fn restored(left: &Value) -> Left {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(THEN))).await;
    let client = app.stores.dynamodb(&[]);
    for row in left["rows"].as_array().unwrap() {
        let put = client.put_item().table_name(app.stores.table()).set_item(Some(item(row)));
        put.send().await.unwrap();
    }
    let acme = app.member(("acme", "default"), Role::TenantAdmin, &[], None).await;
    let run = |name: &str| {
        let of = |key: &str| left[name][key].as_str().unwrap().to_owned();
        acme.known_run(&of("workflow"), &of("run"))
    };
    let (asks, waits) = (run("asks"), run("waits"));
    let messages = left["messages"].as_array().unwrap().iter();
    let messages = messages.map(|body| body.as_str().unwrap().to_owned()).collect();
    Left { app, acme, asks, waits, messages }
}

/// The ids of the messages among these that failed, which the queue will bring again.
async fn deliver(app: &TestApp, messages: &[String]) -> Vec<String> {
    let message = |(number, body): (usize, &String)| Message {
        id: number.to_string(),
        body: body.clone(),
        receive_count: 1,
    };
    let messages: Vec<Message> = messages.iter().enumerate().map(message).collect();
    shared::worker::handle(&app.state, messages, Instant::now() + Duration::from_secs(3600)).await
}

#[tokio::test]
async fn the_file_of_this_version_is_there() {
    let path = directory().join(format!("form-{FORM}.json"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        let written = serde_json::to_string_pretty(&write().await).unwrap();
        std::fs::write(&path, format!("{written}\n")).unwrap();
    }
    assert!(path.is_file(), "UPDATE_FIXTURES=1 cargo test -p it --test it upgrade writes {path:?}");
}

/// A workspace in the middle of its work, as this version writes it.
async fn write() -> Value {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(THEN))).await;
    let acme = app.workspace("acme").await;
    // More than the newest page of a history takes.
    let long = "return { text = string.rep('long ', 5000), input = input }";
    let squares = for_each("squares", &json!([1, 2, 3]), &[lua("square", "return { n = item * item }")]);
    let after = "return { letters = #steps.long.result.text, said = steps.ask.result.approved }";
    let steps =
        [lua("long", long), squares, human("ask", &["long", "squares"]), lua_after("after", &["ask"], after)];
    let asks = acme.begin(&graph(steps), json!({ "order_id": "12345" })).await;
    app.work().await;
    assert_eq!(asks.tasks().await.len(), 1, "{:#}", asks.view().await);
    let waits = acme.begin(&graph([lua("a", "return { n = input.n + 1 }")]), json!({ "n": 1 })).await;
    let triggers = format!("/v1/workflows/{}/triggers", waits.workflow);
    let every_day = json!({ "cron": "0 4 * * *", "params": { "n": 41 } });
    acme.client.post(&triggers, &every_day).await.expect(201);
    let named = |run: &Run| json!({ "workflow": run.workflow, "run": run.id });
    json!({
        "asks": named(&asks),
        "waits": named(&waits),
        "messages": app.take_messages().await,
        "rows": rows(&app).await,
    })
}

/// Every row of the table, in DynamoDB's JSON, by its key.
async fn rows(app: &TestApp) -> Value {
    let seen = Answers::default();
    let client = app.stores.dynamodb(&[interceptor(seen.clone())]);
    let mut start = None;
    loop {
        let scan = client.scan().table_name(app.stores.table()).set_exclusive_start_key(start);
        start = scan.send().await.unwrap().last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    let mut rows = std::mem::take(&mut *seen.0.lock().unwrap_or_else(PoisonError::into_inner));
    let key = |row: &Value| ["pk", "sk"].map(|name| row[name]["S"].as_str().unwrap().to_owned());
    rows.sort_by_key(key);
    rows.into()
}

/// The items of answers, as they came.
#[derive(Debug, Clone, Default)]
struct Answers(Arc<Mutex<Vec<Value>>>);

impl Onlooker for Answers {
    fn done(&self, _: &Value, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap();
        let items = answer["Items"].as_array().cloned().unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(items);
    }
}

fn item(row: &Value) -> HashMap<String, AttributeValue> {
    row.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    let texts = || value.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned()).collect();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => AttributeValue::B(Blob::new(STANDARD.decode(text()).unwrap())),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "NULL" => AttributeValue::Null(true),
        "SS" => AttributeValue::Ss(texts()),
        "NS" => AttributeValue::Ns(texts()),
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(attribute).collect()),
        "M" => AttributeValue::M(item(value)),
        other => panic!("an attribute of type {other}"),
    }
}

#[tokio::test]
async fn what_every_earlier_version_left_behind_is_gone_on_with() {
    for form in 1..=FORM {
        let Left { app, acme, asks, waits, messages } = restored(&file(form)).await;
        assert_eq!(messages.len(), 1, "of form {form}");
        assert_eq!(deliver(&app, &messages).await, [""; 0], "of form {form}");
        assert_eq!(waits.view().await["outputs"], json!({ "a": { "n": 2 } }), "of form {form}");

        assert_eq!(asks.tasks().await.len(), 1, "of form {form}");
        let before = asks.events().await.len();
        asks.approve("ask").await;
        app.work().await;
        let done = asks.view().await;
        assert_eq!(done["outputs"]["after"], json!({ "letters": 25_000, "said": true }), "{done:#}");
        assert_eq!(asks.result("long").await["input"], json!({ "order_id": "12345" }));
        assert_eq!(asks.result("squares").await["succeeded_count"], 3);
        let seqs: Vec<u64> = asks.events().await.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert!(before > 0 && seqs.len() > before);
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "of form {form}");

        // The trigger fires at its time, 04:00, with what it was saved with.
        app.pass(Duration::from_secs(13 * 3600 + 47 * 60)).await;
        let runs = acme.client.get(&format!("/v1/workflows/{}/runs", waits.workflow)).await.expect(200);
        assert_eq!(runs["runs"][0]["trigger_type"], "schedule", "of form {form}: {runs:#}");
        assert_eq!(runs["runs"][0]["status"], "completed", "of form {form}: {runs:#}");
        let counted = acme.client.get("/v1/analytics/runs-count?window=week").await.expect(200);
        assert_eq!(counted["count"], 3, "of form {form}: {counted:#}");
    }
}

#[tokio::test]
async fn a_message_of_a_later_version_goes_back_to_the_queue() {
    let Left { app, waits, messages, .. } = restored(&file(FORM)).await;
    let mut later: Value = serde_json::from_str(&messages[0]).unwrap();
    later["v"] = json!(FORM + 1);
    assert_eq!(deliver(&app, &[later.to_string(), messages[0].clone()]).await, ["0"]);
    // The other one of the batch was handled.
    assert_eq!(waits.status().await, "completed");
}

#[tokio::test]
async fn a_run_of_a_later_version_is_refused_left_as_it_is_and_gone_on_with_by_who_knows_it() {
    let mut left = file(FORM);
    let run = left["waits"]["run"].as_str().unwrap().to_owned();
    let rows = left["rows"].as_array_mut().unwrap();
    let row = rows.iter_mut().find(|row| is_row_of(&run, row)).unwrap();
    let this = row["v"].clone();
    row["v"] = json!({ "N": (FORM + 1).to_string() });
    let Left { app, waits, messages, .. } = restored(&left).await;
    let stored = rows_of(&app, &run).await;

    assert_eq!(deliver(&app, &messages).await, ["0"], "the message goes back");
    let refused = app.anyone.bearer(&waits.owner.token).get(&waits.path("")).await;
    let refused = refused.refused(503, "NEWER_DATA");
    assert!(refused["error"].as_str().unwrap().contains("newer"), "{refused:#}");
    assert_eq!(rows_of(&app, &run).await, stored, "nothing was written");

    // The deployment is brought up to date.
    let client = app.stores.dynamodb(&[]);
    for mut row in stored {
        row["v"] = this.clone();
        client.put_item().table_name(app.stores.table()).set_item(Some(item(&row))).send().await.unwrap();
    }
    assert_eq!(deliver(&app, &messages).await, [""; 0]);
    assert_eq!(waits.status().await, "completed");
}

async fn rows_of(app: &TestApp, run: &str) -> Vec<Value> {
    let rows = rows(app).await.as_array().cloned().unwrap();
    rows.into_iter().filter(|row| is_row_of(run, row)).collect()
}

fn is_row_of(run: &str, row: &Value) -> bool {
    row["sk"]["S"] == "RUN" && row["pk"]["S"].as_str().is_some_and(|pk| pk.ends_with(run))
}
