//! What is told of how runs go: figures from counters equal those from the runs themselves, each run counts once,
//! and no query reads runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use it::{
    Client, Found, Interceptor, Onlooker, TestApp, Workspace, chain, graph, human, interceptor, lua,
    run_mixed,
};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;

pub const ROUTES: [&str; 9] = [
    "live-runs",
    "success-rate",
    "execution-duration",
    "runs-count",
    "steps-executed",
    "credits-consumed",
    "steps-summary",
    "runs-timeseries",
    "usage-timeseries",
];

async fn app() -> (TestApp, Workspace) {
    // Ten in the morning, UTC.
    let noon = "2026-09-21T10:00:00Z".parse().unwrap();
    let app = TestApp::without_worker(Clock::manual(noon)).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

async fn told(of: &Workspace, what: &str) -> Value {
    of.client.get(&format!("/v1/analytics/{what}")).await.expect(200)
}

/// Counts the items that queries read.
#[derive(Debug, Clone, Default)]
struct ItemsRead(Arc<AtomicUsize>);

impl Onlooker for ItemsRead {
    fn done(&self, _: &Value, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        self.0.fetch_add(answer["Items"].as_array().map_or(0, Vec::len), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn figures_of_mixed_runs_equal_those_worked_out_from_the_runs() {
    let (app, acme) = app().await;
    run_mixed(&app, &acme, 160).await;
    let found = Found::in_runs_of(&acme).await;
    assert!(found.by_status.len() >= 5 && found.by_day.len() > 3, "they are mixed: {:?}", found.by_status);
    found.agrees_with(&acme).await;
}

#[tokio::test]
async fn what_a_query_reads_depends_on_its_time_and_not_on_the_number_of_runs() {
    let (app, acme) = app().await;
    let items = ItemsRead::default();
    let state = app.stores.state(app.state.clock.clone(), &[interceptor(items.clone())]);
    let client = Client::new(local::router(state)).bearer(&acme.token);
    let workflow = acme.publish(&chain(2)).await;
    let mut read = Vec::new();
    for runs in [1, 20] {
        for _ in 0..runs {
            acme.begin_again(&workflow, json!({})).await;
            app.work().await;
        }
        let mut of_routes = Vec::new();
        for route in ROUTES {
            items.0.store(0, Ordering::SeqCst);
            client.get(&format!("/v1/analytics/{route}?window=month")).await.expect(200);
            of_routes.push(items.0.load(Ordering::SeqCst));
        }
        assert!(of_routes.iter().all(|count| *count <= 30), "{of_routes:?}");
        read.push(of_routes);
    }
    assert_eq!(read[0], read[1]);
}

#[tokio::test]
async fn a_rate_of_fewer_than_three_runs_is_null_and_nothing_at_all_is_zeros() {
    let (app, acme) = app().await;
    for route in ROUTES {
        told(&acme, route).await;
    }
    assert_eq!(told(&acme, "success-rate").await["success_rate"], Value::Null);
    let took = told(&acme, "execution-duration").await;
    assert_eq!(
        (&took["count"], &took["p95_ms"], &took["average_ms"]),
        (&json!(0), &Value::Null, &Value::Null)
    );
    assert_eq!(told(&acme, "runs-timeseries?window=all").await["points"].as_array().unwrap().len(), 1);
    for (number, script) in ["return {}", "error('no')", "return {}"].into_iter().enumerate() {
        let rate = &told(&acme, "success-rate").await;
        assert_eq!((&rate["success_rate"], &rate["finished"]), (&Value::Null, &json!(number)));
        acme.begin(&graph([lua("a", script)]), json!({})).await;
        app.work().await;
    }
    let rate = told(&acme, "success-rate").await;
    assert_eq!(rate["success_rate"], 2.0 / 3.0);
    assert_eq!((&rate["completed"], &rate["failed"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn live_runs_are_those_accepted_and_not_over() {
    let (app, acme) = app().await;
    let live = async || {
        let live = told(&acme, "live-runs").await;
        (live["live_runs"].as_u64().unwrap(), live["by_status"]["paused"].as_u64().unwrap())
    };
    let run = acme.begin(&graph([human("ask", &[])]), json!({})).await;
    assert_eq!(live().await, (1, 0), "also before a worker has seen it");
    app.work().await;
    assert_eq!(live().await, (1, 0));
    run.pause().await;
    assert_eq!(live().await, (1, 1));
    run.resume().await;
    assert_eq!(live().await, (1, 0));
    // A graph of which nothing begins by itself is over at once.
    let mut waits = lua("a", "return {}");
    waits["no_auto_start"] = json!(true);
    acme.begin(&graph([waits]), json!({})).await;
    assert_eq!(live().await, (1, 0));
    run.approve("ask").await;
    app.work().await;
    assert_eq!(live().await, (0, 0));
    assert_eq!(told(&acme, "runs-count").await["count"], 2);
}

#[tokio::test]
async fn a_retried_run_counts_once_as_what_it_ends_as_at_last_and_its_steps_as_they_are_done() {
    let (app, acme) = app().await;
    let run = acme.begin(&graph([lua("a", "return {}"), human("ask", &["a"])]), json!({})).await;
    app.work().await;
    run.command("stop", None).await.expect(200);
    let counts = async || {
        let count = told(&acme, "runs-count").await;
        let steps = told(&acme, "steps-executed").await["count"].clone();
        json!([count["by_status"]["stopped"], count["by_status"]["completed"], steps])
    };
    assert_eq!(counts().await, json!([1, 0, 1]));
    app.state.clock.advance(Duration::from_secs(24 * 3600));
    acme.client.post(&run.path("/retry"), &json!({})).await.expect(200);
    assert_eq!(counts().await, json!([0, 0, 1]), "it is not over");
    assert_eq!(told(&acme, "live-runs").await["live_runs"], 1);
    app.work().await;
    run.approve("ask").await;
    app.work().await;
    assert_eq!(counts().await, json!([0, 1, 2]));
    let series = told(&acme, "runs-timeseries?window=week").await;
    let points = series["points"].as_array().unwrap();
    let days: Vec<&Value> = points.iter().filter(|point| point["count"] != 0).map(|p| &p["at"]).collect();
    assert_eq!(days, ["2026-09-22T00:00:00.000Z"]);
    let took = told(&acme, "execution-duration").await;
    assert_eq!(took["average_ms"], 24 * 3600 * 1000, "from its start to its last end");
    assert_eq!(run.view().await["status"], "completed");
}

#[tokio::test]
async fn series_have_a_point_for_each_hour_or_day_also_where_nothing_ended() {
    let (app, acme) = app().await;
    let workflow = acme.publish(&chain(3)).await;
    for _ in 0..3 {
        acme.begin_again(&workflow, json!({})).await;
        app.work().await;
        app.state.clock.advance(Duration::from_secs(2 * 3600));
    }
    let series = told(&acme, "runs-timeseries?from=2026-09-21T09:30:00Z&to=2026-09-21T15:00:00Z").await;
    assert_eq!(
        (&series["granularity"], &series["from"], &series["to"]),
        (&json!("hour"), &json!("2026-09-21T09:00:00.000Z"), &json!("2026-09-21T15:00:00.000Z"))
    );
    let counts: Vec<&Value> = series["points"].as_array().unwrap().iter().map(|p| &p["completed"]).collect();
    assert_eq!(counts, [0, 1, 0, 1, 0, 1]);
    let days = told(&acme, "usage-timeseries?window=week&granularity=day").await;
    let steps: Vec<&Value> =
        days["points"].as_array().unwrap().iter().map(|point| &point["steps_executed"]).collect();
    assert_eq!(steps, [0, 0, 0, 0, 0, 0, 9]);
    let hours = told(&acme, "usage-timeseries?window=week&granularity=hour").await;
    assert_eq!(hours["points"].as_array().unwrap().len(), 7 * 24);
    let before = told(&acme, "runs-count?from=2026-09-01T00:00:00Z&to=2026-09-21T00:00:00Z").await;
    assert_eq!(before["count"], 0);
}

#[tokio::test]
async fn a_time_that_makes_no_sense_is_refused_and_named() {
    let (_app, acme) = app().await;
    for (query, named) in [
        ("window=year", "window"),
        ("granularity=minute", "granularity"),
        ("from=yesterday", "from"),
        ("from=2026-09-21T09:00:00Z&to=2026-09-21T09:00:00Z", "from"),
        ("to=2026-09-21T09:00:00Z", "to"),
        ("window=week&from=2026-09-21T09:00:00Z", "window"),
        ("window=all&granularity=hour", "granularity"),
        ("from=2026-01-01T00:00:00Z&granularity=hour", "granularity"),
        ("since=2026-01-01T00:00:00Z", "since"),
    ] {
        for route in ROUTES {
            let answer = acme.client.get(&format!("/v1/analytics/{route}?{query}")).await;
            let body = answer.refused(422, "INVALID_REQUEST");
            assert!(body["error"].as_str().unwrap().contains(named), "{query}: {body:#}");
        }
    }
}

#[tokio::test]
async fn other_tenants_and_projects_count_for_themselves() {
    let (app, acme) = app().await;
    let second = app.member(("acme", "second"), Role::TenantAdmin, &[], None).await;
    let other = app.workspace("other").await;
    let before = async |of: &Workspace| {
        let mut all = Vec::new();
        for route in ROUTES {
            all.push(told(of, route).await);
        }
        all
    };
    let nothing = before(&second).await;
    acme.begin(&chain(2), json!({})).await;
    acme.begin(&graph([human("ask", &[])]), json!({})).await;
    app.work().await;
    assert_eq!(before(&second).await, nothing);
    assert_eq!(before(&other).await, nothing);
    assert_ne!(before(&acme).await, nothing);
}

/// Cancels every transaction that adds to the first row of a bucket, as one that meets another there.
#[derive(Debug, Clone, Default)]
struct Busy(Arc<AtomicUsize>);

#[dyn_dispatch_hint]
impl Intercept for Busy {
    fn name(&self) -> &'static str {
        "Busy"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())?;
        let writes = body["TransactItems"].as_array().cloned().unwrap_or_default();
        let is_first = |write: &Value| {
            write["Update"]["Key"]["sk"]["S"].as_str().is_some_and(|sk| sk == "00" || sk.ends_with("#00"))
        };
        if writes.iter().any(is_first) {
            // Sent on as something that changes nothing.
            request.headers_mut().insert("x-amz-target", "DynamoDB_20120810.ListTables");
            *request.body_mut() = SdkBody::from("{}");
            request.headers_mut().insert("content-length", "2");
            self.0.store(writes.len(), Ordering::SeqCst);
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let writes = self.0.swap(0, Ordering::SeqCst);
        if writes == 0 {
            return Ok(());
        }
        let mut reasons = vec![json!({ "Code": "None" }); writes];
        reasons[writes - 1] = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing" });
        let body = json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                           "Message": "Transaction cancelled", "CancellationReasons": reasons });
        let response = HttpResponse::new(400.try_into()?, SdkBody::from(body.to_string()));
        *context.response_mut() = response;
        Ok(())
    }
}

#[tokio::test]
async fn what_meets_another_writer_of_a_counter_goes_to_another_of_its_rows() {
    let (app, acme) = app().await;
    let workflow = acme.publish(&chain(3)).await;
    acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    let busy = app.stores.state(app.state.clock.clone(), &[Interceptor::of_sdk(Busy::default())]);
    let client = Client::new(local::router(busy.clone())).bearer(&acme.token);
    for _ in 0..5 {
        let path = format!("/v1/workflows/{workflow}/command");
        client.post(&path, &json!({ "command": "start" })).await.expect(200);
        assert_eq!(told(&acme, "live-runs").await["live_runs"], 1);
        app.stores.deliver(&busy).await;
    }
    assert_eq!(told(&acme, "runs-count").await["count"], 6);
    assert_eq!(told(&acme, "steps-executed").await["count"], 18);
    assert_eq!(told(&acme, "live-runs").await["live_runs"], 0);
    let at: Timestamp = app.state.clock.now();
    let count = app.stores.dynamodb(&[]);
    let rows = count.query().table_name(app.stores.table()).key_condition_expression("pk = :pk");
    let pk = aws_sdk_dynamodb::types::AttributeValue::S("T#acme#P#default#DAYS".to_owned());
    let rows = rows.expression_attribute_values(":pk", pk).send().await.unwrap().items.unwrap();
    assert!(rows.len() > 1, "at {at} one row has taken everything");
}
