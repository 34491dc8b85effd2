//! What becomes of runs when metering is enforced and credits run out, and what runs cost.

use std::time::Duration;

use it::{Run, TestApp, Workspace, chain, graph, human, lua, lua_after};
use serde_json::{Value, json};
use shared::billing::DEFAULT_STEP_PRICE;
use shared::services::billing;
use shared::types::clock::{Clock, Timestamp};

const PRICE: u64 = DEFAULT_STEP_PRICE.0;
const HOUR: Duration = Duration::from_secs(3600);

async fn metered() -> (TestApp, Workspace) {
    let app = TestApp::metered(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

async fn unlimited() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

async fn left(acme: &Workspace) -> u64 {
    let usage = acme.client.get("/v1/billing/usage").await.expect(200);
    usage["total_remaining_microcredits"].as_u64().unwrap()
}

/// The debits of a run as `(steps, microcredits)`, oldest first.
async fn debits(run: &Run) -> Vec<(u64, u64)> {
    let path = "/v1/billing/usage-history?kind=debit&limit=100";
    let page = run.owner.client.get(path).await.expect(200);
    let of_run = page["entries"].as_array().unwrap().iter().rev().filter(|entry| entry["run_id"] == *run.id);
    let number = |entry: &Value, key: &str| entry[key].as_u64().unwrap();
    of_run.map(|entry| (number(entry, "steps"), number(entry, "microcredits"))).collect()
}

async fn verified(app: &TestApp) {
    let verified = billing::verify(&app.state.store, &"acme".parse().unwrap(), app.state.clock.now()).await;
    assert_eq!(verified.unwrap().differences, Vec::<String>::new());
}

#[tokio::test]
async fn without_credits_nothing_starts() {
    let (app, acme) = metered().await;
    let workflow = acme.publish(&chain(2)).await;
    acme.command_start(&workflow, json!({})).await.refused(402, "INSUFFICIENT_CREDITS");
    assert_eq!(acme.client.get("/v1/runs").await.expect(200)["runs"], json!([]));

    // A key does not keep a refusal that a top-up ends.
    let command = json!({ "command": "start", "params": {} });
    let path = format!("/v1/workflows/{workflow}/command");
    let keyed = acme.client.with("idempotency-key", "k");
    keyed.post(&path, &command).await.refused(402, "INSUFFICIENT_CREDITS");
    app.grant("acme", "payg", 2 * PRICE, "g").await;
    let run_id = keyed.post(&path, &command).await.expect(200)["run_id"].as_str().unwrap().to_owned();
    app.work().await;
    let run = acme.known_run(&workflow, &run_id);
    assert_eq!((run.status().await.as_str(), left(&acme).await), ("completed", 0));
    assert_eq!(debits(&run).await, [(2, 2 * PRICE)]);

    // Who asks for a run that is there is told of it.
    let again = acme.command_start(&workflow, json!({ "run_id": run_id })).await.expect(200);
    assert_eq!(again["status"], "completed");
    acme.command_start(&workflow, json!({})).await.refused(402, "INSUFFICIENT_CREDITS");
    verified(&app).await;
}

#[tokio::test]
async fn a_run_that_runs_dry_fails_before_its_next_step_and_goes_on_after_a_top_up() {
    let (app, acme) = metered().await;
    app.grant("acme", "trial", 2 * PRICE, "g").await;
    let run = acme.begin(&chain(4), json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!((&view["status"], &view["failure_code"]), (&json!("failed"), &json!("INSUFFICIENT_CREDITS")));
    assert_eq!(run.outcomes().await, ["s0 completed", "s1 completed", "s2 blocked", "s3 blocked"]);
    assert_eq!(left(&acme).await, 0);

    let retry = run.path("/retry");
    acme.client.post(&retry, &json!({})).await.refused(402, "INSUFFICIENT_CREDITS");
    app.grant("acme", "payg", 10 * PRICE, "top-up").await;
    acme.client.post(&retry, &json!({})).await.expect(200);
    app.work().await;
    assert_eq!(run.view().await["outputs"]["s3"]["n"], 4);
    assert_eq!(debits(&run).await, [(2, 2 * PRICE), (2, 2 * PRICE)]);
    assert_eq!(left(&acme).await, 8 * PRICE);
    verified(&app).await;
}

#[tokio::test]
async fn a_run_that_waited_for_a_person_fails_when_others_have_used_the_credits() {
    let (app, acme) = metered().await;
    app.grant("acme", "included", 3 * PRICE, "g").await;
    let waits =
        acme.begin(&graph([human("ask", &[]), lua_after("then", &["ask"], "return {}")]), json!({})).await;
    app.work().await;
    let other = acme.begin(&chain(3), json!({})).await;
    app.work().await;
    assert_eq!(other.status().await, "completed");
    waits.approve("ask").await;
    app.work().await;
    let view = waits.view().await;
    assert_eq!((&view["status"], &view["failure_code"]), (&json!("failed"), &json!("INSUFFICIENT_CREDITS")));
    // The answer was a step; what was used beyond the balance is taken from the next grant.
    assert_eq!((debits(&waits).await, left(&acme).await), (vec![(1, PRICE)], 0));
    app.grant("acme", "payg", 5 * PRICE, "top-up").await;
    assert_eq!(left(&acme).await, 4 * PRICE);
    verified(&app).await;
}

#[tokio::test]
async fn a_run_that_starts_from_another_needs_credits_and_pays_for_what_it_executes() {
    let (app, acme) = metered().await;
    app.grant("acme", "payg", 2 * PRICE, "g").await;
    let dry = acme.begin(&chain(3), json!({})).await;
    app.work().await;
    let params = json!({ "resume_from_run_id": dry.id });
    acme.command_start(&dry.workflow, params.clone()).await.refused(402, "INSUFFICIENT_CREDITS");
    app.grant("acme", "payg", 2 * PRICE, "top-up").await;
    let run = acme.begin_again(&dry.workflow, params).await;
    app.work().await;
    assert_eq!((run.status().await.as_str(), debits(&run).await), ("completed", vec![(1, PRICE)]));
}

#[tokio::test]
async fn deliveries_of_webhooks_and_due_times_are_refused_without_credits_and_say_so() {
    let (app, acme) = metered().await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let sender = acme.subscribe(&workflow, json!({})).await;
    sender.deliver(b"{}").await.refused(402, "INSUFFICIENT_CREDITS");
    let triggers = format!("/v1/workflows/{workflow}/triggers");
    acme.client.post(&triggers, &json!({ "cron": "* * * * *" })).await.expect(201);
    app.pass(Duration::from_secs(61)).await;
    let listed = acme.client.get(&triggers).await.expect(200);
    assert_eq!(listed["triggers"][0]["last_error"]["code"], "INSUFFICIENT_CREDITS", "{listed:#}");
    assert_eq!(acme.client.get("/v1/runs").await.expect(200)["runs"], json!([]));

    app.grant("acme", "payg", 10 * PRICE, "g").await;
    sender.deliver(b"{}").await.expect(202);
    app.pass(Duration::from_secs(61)).await;
    assert_eq!(acme.client.get("/v1/runs").await.expect(200)["runs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn credits_that_have_ended_start_nothing() {
    let (app, acme) = metered().await;
    let end = app.state.clock.now().plus(HOUR).to_string();
    let new = json!({ "tenant_id": "acme", "bucket": "trial", "microcredits": 5 * PRICE, "cause": "trial",
                      "expires_at": end });
    app.operator().post("/v1/billing/grants", &new).await.expect(201);
    let workflow = acme.publish(&chain(2)).await;
    acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    app.state.clock.advance(HOUR);
    acme.command_start(&workflow, json!({})).await.refused(402, "INSUFFICIENT_CREDITS");

    // What is used now is paid by what is left, and not by what has ended.
    app.grant("acme", "payg", 3 * PRICE, "top-up").await;
    acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    assert_eq!(left(&acme).await, PRICE);
    let lapses = acme.client.get("/v1/billing/usage-history?kind=lapse").await.expect(200);
    assert_eq!(lapses["entries"][0]["microcredits"], 3 * PRICE, "{lapses:#}");
    verified(&app).await;
}

#[tokio::test]
async fn unlimited_counts_and_refuses_nothing_and_nothing_is_owed_for_it() {
    let (app, acme) = unlimited().await;
    let run = acme.begin(&chain(3), json!({})).await;
    app.work().await;
    assert_eq!((run.status().await.as_str(), left(&acme).await), ("completed", 0));
    assert_eq!(debits(&run).await, [(3, 3 * PRICE)]);
    assert_eq!(run.summary().await["credits_used_microcredits"], 3 * PRICE);
    app.grant("acme", "payg", 10 * PRICE, "g").await;
    assert_eq!(left(&acme).await, 10 * PRICE);
    acme.begin_again(&run.workflow, json!({})).await;
    app.work().await;
    assert_eq!(left(&acme).await, 7 * PRICE);
    verified(&app).await;
}

#[tokio::test]
async fn a_long_run_is_debited_while_it_goes_on() {
    let (app, acme) = metered().await;
    app.grant("acme", "payg", 1_000 * PRICE, "g").await;
    let run = acme.begin(&chain(150), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    let debits = debits(&run).await;
    assert!(debits.len() > 1 && debits[0].0 >= 50, "{debits:?}");
    assert_eq!(debits.iter().map(|(steps, _)| steps).sum::<u64>(), 150);
    assert_eq!(left(&acme).await, 850 * PRICE);

    let slow = graph([lua("a", "return {}"), human("ask", &["a"]), lua_after("b", &["ask"], "return {}")]);
    let slow = acme.begin(&slow, json!({})).await;
    app.work().await;
    assert_eq!(self::debits(&slow).await, [(1, PRICE)], "it may wait for long");
    app.state.clock.advance(Duration::from_secs(61));
    slow.approve("ask").await;
    assert_eq!(self::debits(&slow).await, [(1, PRICE), (1, PRICE)], "a minute has passed");
    verified(&app).await;
}

#[tokio::test]
async fn a_run_keeps_the_price_of_its_start_and_operators_agree_on_others() {
    let (app, acme) = unlimited().await;
    let prices = async || acme.client.get("/v1/billing/action-pricing").await.expect(200);
    let price = |microcredits: u64| {
        let action = "workflow.step.execute";
        json!({ "actions": [{ "action": action, "unit": "step", "microcredits": microcredits }] })
    };
    assert_eq!(prices().await, price(PRICE));
    let waits = acme.begin(&graph([human("ask", &[])]), json!({})).await;
    app.work().await;
    let set = async |microcredits: Value| {
        let body =
            json!({ "tenant_id": "acme", "action": "workflow.step.execute", "microcredits": microcredits });
        app.operator().put("/v1/billing/action-pricing", &body).await
    };
    assert_eq!(set(json!(7)).await.expect(200), price(7));
    assert_eq!(prices().await, price(7));
    let cheap = acme.begin(&chain(2), json!({})).await;
    waits.approve("ask").await;
    app.work().await;
    assert_eq!(debits(&waits).await, [(1, PRICE)]);
    assert_eq!(debits(&cheap).await, [(2, 14)]);
    set(json!(1_000_000_001)).await.refused(422, "INVALID_REQUEST");
    assert_eq!(set(Value::Null).await.expect(200), price(PRICE));
    assert_eq!(
        app.workspace("other").await.client.get("/v1/billing/action-pricing").await.expect(200),
        price(PRICE)
    );

    let credits = acme.client.get("/v1/analytics/credits-consumed?window=all").await.expect(200);
    assert_eq!(credits["microcredits"], PRICE + 14, "analytics tells the same");
    let dimensions = acme.client.get("/v1/billing/usage-dimensions").await.expect(200);
    assert_eq!(
        dimensions["projects"],
        json!([{ "project_id": "default", "count": 3, "microcredits": PRICE + 14 }])
    );
    assert_eq!(dimensions["actions"][0]["count"], 3);
    let types = json!([{ "step_type": "human_task", "count": 1 }, { "step_type": "lua_script", "count": 2 }]);
    assert_eq!(dimensions["step_types"], types);
    verified(&app).await;
}

#[tokio::test]
async fn the_history_lists_every_entry_newest_first_page_by_page() {
    let (app, acme) = unlimited().await;
    app.grant("acme", "payg", 5 * PRICE, "g").await;
    app.state.clock.advance(HOUR);
    let run = acme.begin(&chain(1), json!({})).await;
    app.work().await;
    let page = acme.client.get("/v1/billing/usage-history?limit=1").await.expect(200);
    let at = app.state.clock.now().to_string();
    let entry = json!({ "at": at, "kind": "debit", "cause": format!("run/{}/1", run.id), "microcredits": PRICE,
                        "run_id": run.id, "project_id": "default", "workflow_id": run.workflow, "steps": 1 });
    assert_eq!(page["entries"], json!([entry]));
    let next = format!("/v1/billing/usage-history?cursor={}", page["next_cursor"].as_str().unwrap());
    let page = acme.client.get(&next).await.expect(200);
    let entries = page["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["cause"], &page["next_cursor"]), (1, &json!("g"), &Value::Null));
    acme.client.get("/v1/billing/usage-history?kind=gift").await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn the_recomputation_finds_an_entry_that_is_missing_doubled_or_wrong() {
    for what in ["missing", "doubled", "counted twice"] {
        let (app, acme) = metered().await;
        app.grant("acme", "payg", 5 * PRICE, "g").await;
        acme.begin(&chain(1), json!({})).await;
        app.work().await;
        verified(&app).await;
        let client = app.stores.dynamodb(&[]);
        let table = app.stores.table();
        let entries = client.query().table_name(table).key_condition_expression("pk = :pk");
        let pk = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let entries = entries.expression_attribute_values(":pk", pk("T#acme#LEDGER")).send().await.unwrap();
        let mut debit = entries
            .items()
            .iter()
            .find(|row| row["cause"].as_s().unwrap().starts_with("run/"))
            .unwrap()
            .clone();
        match what {
            "missing" => {
                let key = client.delete_item().table_name(table).key("pk", debit["pk"].clone());
                key.key("sk", debit["sk"].clone()).send().await.unwrap();
            }
            "doubled" => {
                debit.insert("sk".to_owned(), pk("2027"));
                client.put_item().table_name(table).set_item(Some(debit)).send().await.unwrap();
            }
            _ => {
                let add = client.update_item().table_name(table).key("pk", pk("T#acme#BALANCE"));
                let one = aws_sdk_dynamodb::types::AttributeValue::N("1".to_owned());
                let add = add.key("sk", pk("USED#00")).update_expression("ADD used :one");
                add.expression_attribute_values(":one", one).send().await.unwrap();
            }
        }
        let found = billing::verify(&app.state.store, &"acme".parse().unwrap(), app.state.clock.now()).await;
        let found = found.unwrap();
        assert!(!found.differences.is_empty(), "{what}");
    }
}
