//! What a workspace has left: grants of operators, the order in which buckets are used, what lapses.

use std::time::Duration;

use it::TestApp;
use serde_json::{Value, json};
use shared::billing::{Bucket, Microcredits};
use shared::services::billing;
use shared::types::clock::{Clock, Timestamp};
use shared::types::error::ErrorCode;
use shared::types::ids::TenantId;

const HOUR: Duration = Duration::from_secs(3600);

fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(1_790_000_000_000))
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn a_grant(bucket: &str, microcredits: u64, cause: &str) -> Value {
    json!({ "tenant_id": "acme", "bucket": bucket, "microcredits": microcredits, "cause": cause })
}

#[tokio::test]
async fn an_operator_grants_credits_once_for_a_cause() {
    let app = TestApp::without_worker(clock()).await;
    let acme = app.workspace("acme").await;
    let other = app.workspace("other").await;
    let none = json!({ "trial_remaining": 0, "included_remaining": 0, "payg_remaining": 0,
                       "total_remaining_microcredits": 0 });
    assert_eq!(acme.client.get("/v1/billing/usage").await.expect(200), none);

    let mut new = a_grant("payg", 5_000_000, "invoice-1");
    new["note"] = json!("By bank transfer");
    let given = app.operator().post("/v1/billing/grants", &new).await.expect(201);
    assert_eq!(given["bucket"], "payg");
    assert_eq!(given["microcredits"], 5_000_000);
    assert_eq!(given["note"], "By bank transfer");
    app.state.clock.advance(HOUR);
    assert_eq!(app.operator().post("/v1/billing/grants", &new).await.expect(201), given);
    new["microcredits"] = json!(6_000_000);
    app.operator().post("/v1/billing/grants", &new).await.refused(409, "CAUSE_IN_USE");

    app.operator().post("/v1/billing/grants", &a_grant("trial", 7, "trial-1")).await.expect(201);
    let usage = json!({ "trial_remaining": 7, "included_remaining": 0, "payg_remaining": 5_000_000,
                        "total_remaining_microcredits": 5_000_007 });
    assert_eq!(acme.client.get("/v1/billing/usage").await.expect(200), usage);
    assert_eq!(other.client.get("/v1/billing/usage").await.expect(200), none);
}

#[tokio::test]
async fn grants_that_make_no_sense_are_refused() {
    let app = TestApp::without_worker(clock()).await;
    let acme = app.workspace("acme").await;
    let grant = async |change: Value| {
        let mut new = a_grant("payg", 5, "c");
        new.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        app.operator().post("/v1/billing/grants", &new).await
    };
    for wrong in [
        json!({ "microcredits": 0 }),
        json!({ "microcredits": 1_000_000_000_000_001_u64 }),
        json!({ "microcredits": -1 }),
        json!({ "bucket": "gift" }),
        json!({ "cause": "" }),
        json!({ "cause": "x".repeat(201) }),
        json!({ "cause": "run/1/1" }),
        json!({ "expires_at": app.state.clock.now().to_string() }),
        json!({ "note": "x".repeat(501) }),
        json!({ "tenant_id": "No Slug" }),
    ] {
        grant(wrong).await.refused(422, "INVALID_REQUEST");
    }
    grant(json!({ "tenant_id": "nobody" })).await.refused(404, "NOT_FOUND");
    let usage = acme.client.get("/v1/billing/usage").await.expect(200);
    assert_eq!(usage["total_remaining_microcredits"], 0);
}

#[tokio::test]
async fn what_has_an_end_lapses_at_it_through_an_entry() {
    let app = TestApp::without_worker(clock()).await;
    let client = app.workspace("acme").await.client;
    let mut new = a_grant("trial", 40, "trial-1");
    new["expires_at"] = json!(app.state.clock.now().plus(HOUR).to_string());
    let given = app.operator().post("/v1/billing/grants", &new).await.expect(201);
    app.operator().post("/v1/billing/grants", &a_grant("payg", 2, "p")).await.expect(201);
    assert_eq!(client.get("/v1/billing/usage").await.expect(200)["total_remaining_microcredits"], 42);

    app.state.clock.advance(HOUR);
    for _ in 0..2 {
        let usage = client.get("/v1/billing/usage").await.expect(200);
        assert_eq!((&usage["trial_remaining"], &usage["payg_remaining"]), (&json!(0), &json!(2)));
    }
    let (account, _) = app.state.store.account(&acme()).await.unwrap();
    assert_eq!((account.lots.len(), account.changes), (1, 3), "two grants and one lapse");
    // Its end does not change what its cause has given.
    assert_eq!(app.operator().post("/v1/billing/grants", &new).await.expect(201), given);
}

#[tokio::test]
async fn what_is_left_in_a_bucket_is_withdrawn_once_for_a_cause() {
    let app = TestApp::without_worker(clock()).await;
    let client = app.workspace("acme").await.client;
    for (bucket, amount, cause) in [("included", 30, "a"), ("payg", 5, "b")] {
        app.operator().post("/v1/billing/grants", &a_grant(bucket, amount, cause)).await.expect(201);
    }
    let withdraw = async |cause| billing::withdraw(&app.state, &acme(), Bucket::Included, cause).await;
    let entry = withdraw("period-1").await.unwrap();
    assert_eq!(entry.microcredits, Microcredits(30));
    app.operator().post("/v1/billing/grants", &a_grant("included", 9, "c")).await.expect(201);
    assert_eq!(withdraw("period-1").await.unwrap(), entry);
    assert_eq!(withdraw("a").await.unwrap_err().code, ErrorCode::CauseInUse);
    let usage = client.get("/v1/billing/usage").await.expect(200);
    assert_eq!((&usage["included_remaining"], &usage["payg_remaining"]), (&json!(9), &json!(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn grants_at_the_same_time_are_all_there_once() {
    let app = TestApp::without_worker(clock()).await;
    let client = app.workspace("acme").await.client;
    let operator = app.operator();
    let grants = (0..20).map(|number| {
        let operator = operator.clone();
        tokio::spawn(async move {
            // Each cause comes twice.
            let new = a_grant("payg", 1, &format!("cause-{}", number / 2));
            loop {
                let answer = operator.post("/v1/billing/grants", &new).await;
                if answer.status != 503 {
                    break answer.expect(201);
                }
            }
        })
    });
    for grant in grants.collect::<Vec<_>>() {
        grant.await.unwrap();
    }
    assert_eq!(client.get("/v1/billing/usage").await.expect(200)["payg_remaining"], 10);
}
