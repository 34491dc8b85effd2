//! What the store promises of single rows, held against the table itself: writes that depend on what was read, counts
//! that have a limit, reads of more rows than one request takes, and places in lists that stay good.

use std::collections::BTreeSet;
use std::time::Duration;

use it::{TestApp, Workspace, graph, lua};
use serde_json::{Value, json};
use shared::store::{
    ANSWERS_KEPT_FOR, Claim, Claimed, Draft, KeyedRequest, MOST_TRIGGERS, OWNED_FOR, QuotaGuard, Store,
    StoreError, ToolChange, TriggerRecord, WorkflowRecord,
};
use shared::types::clock::{Clock, Timestamp};
use shared::types::ids::{Place, TriggerId, WorkflowId};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn place(project: &str) -> Place {
    Place { tenant_id: "acme".parse().unwrap(), project_id: project.parse().unwrap() }
}

async fn store() -> (TestApp, Store) {
    let app = TestApp::without_worker(Clock::manual(NOW)).await;
    let store = app.state.store.clone();
    (app, store)
}

/// A workflow as the API makes it.
async fn a_workflow(app: &TestApp) -> WorkflowRecord {
    workflow_of(app, &app.workspace("acme").await).await
}

async fn workflow_of(app: &TestApp, acme: &Workspace) -> WorkflowRecord {
    let id = acme.create(&graph([lua("a", "return {}")])).await;
    app.state.store.workflow(&place("default"), id.parse().unwrap()).await.unwrap().unwrap()
}

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

#[tokio::test]
async fn of_two_who_read_a_row_one_replaces_it_and_the_other_leaves_nothing() {
    let (app, store) = store().await;
    let read = a_workflow(&app).await;
    let (mut first, mut second) = (read.clone(), read.clone());
    (first.name, second.name) = ("first".to_owned(), "second".to_owned());
    let graphs = ["first", "second"].map(|id| graph([lua(id, "return {}")]));
    store.save_workflow(&mut first, Draft::Replaced(&graphs[0]), ToolChange::Kept).await.unwrap();
    let lost = store.save_workflow(&mut second, Draft::Replaced(&graphs[1]), ToolChange::Kept).await;
    assert!(matches!(lost, Err(StoreError::Conflict)), "{lost:?}");
    assert_eq!(second.revision, read.revision, "what was not written is not advanced");
    let found = store.workflow(&read.place, read.id).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.revision), ("first", read.revision + 1));
    assert_eq!(store.draft(&found).await.unwrap(), graphs[0]);
    // The draft of the row that was read first is gone with it.
    let stale = store.draft(&read).await;
    assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
    let twice = store.create_workflow(&found, &graphs[1], ToolChange::Kept, QuotaGuard::default()).await;
    assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");
    assert_eq!(store.draft(&found).await.unwrap(), graphs[0], "all writes or none");
}

#[tokio::test]
async fn more_rows_are_read_than_one_request_takes_and_none_of_others() {
    let (app, store) = store().await;
    let mut row = a_workflow(&app).await;
    let mut wanted = BTreeSet::from([(row.place.clone(), row.id)]);
    for n in 1..=230 {
        row.id = WorkflowId::new(later(n));
        // Every third is in another project, and asked for where it is not.
        row.place = place(if n % 3 == 0 { "other" } else { "default" });
        store
            .create_workflow(&row, &json!({ "steps": [] }), ToolChange::Kept, QuotaGuard::default())
            .await
            .unwrap();
        wanted.insert((place("default"), row.id));
    }
    let found = store.workflows(&wanted).await.unwrap();
    assert_eq!(found.len(), 1 + 230 - 230 / 3);
    assert!(found.values().all(|row| row.place == place("default")));
    assert!(store.workflows(&BTreeSet::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_place_in_a_list_stays_good_while_rows_come() {
    let (app, store) = store().await;
    let mut row = a_workflow(&app).await;
    let mut made = vec![row.id];
    for n in 1..=6 {
        row.id = WorkflowId::new(later(n));
        store
            .create_workflow(&row, &json!({ "steps": [] }), ToolChange::Kept, QuotaGuard::default())
            .await
            .unwrap();
        made.push(row.id);
    }
    made.reverse();
    let (mut seen, mut next) = (Vec::new(), None);
    for page in 0..10_u64 {
        let listed = store.list_workflows(&row.place, 2, next, |_| true).await.unwrap();
        assert!(listed.rows.len() <= 2);
        seen.extend(listed.rows.iter().map(|row| row.id));
        row.id = WorkflowId::new(later(100 + page));
        store
            .create_workflow(&row, &json!({ "steps": [] }), ToolChange::Kept, QuotaGuard::default())
            .await
            .unwrap();
        let Some(place) = listed.next else { break };
        next = Some(place.parse().unwrap());
    }
    assert_eq!(seen, made, "each that was there once, and none that came later");
}

/// A trigger of this workflow, as the API makes it, under another id.
fn another(of: &TriggerRecord, n: u64) -> TriggerRecord {
    TriggerRecord { id: TriggerId::new(later(n)), ..of.clone() }
}

#[tokio::test]
async fn a_count_and_what_it_counts_change_together() {
    let (app, store) = store().await;
    let acme = app.workspace("acme").await;
    let workflow = workflow_of(&app, &acme).await;
    let path = format!("/v1/workflows/{}/triggers", workflow.id);
    let first = acme.client.post(&path, &json!({ "cron": "0 9 * * *" })).await.expect(201);
    let listed = store.list_triggers(&workflow.place, workflow.id, 1, None).await.unwrap();
    assert_eq!(listed.rows[0].id.to_string(), first["id"]);
    let first = listed.rows[0].clone();
    let count = async || store.count_triggers(&workflow.place, workflow.id).await.unwrap();
    for n in 1..MOST_TRIGGERS {
        store.create_trigger(&another(&first, n), QuotaGuard::default()).await.unwrap();
    }
    let same = another(&first, 1);
    for refused in [another(&first, 1000), same.clone(), first.clone()] {
        let refused = store.create_trigger(&refused, QuotaGuard::default()).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        assert_eq!(count().await, MOST_TRIGGERS);
    }
    let listed = store.list_triggers(&workflow.place, workflow.id, 3, None).await.unwrap();
    // The row at which a page ended goes, and the next page begins behind its place all the same.
    let end: TriggerId = listed.next.unwrap().parse().unwrap();
    assert_eq!(end, listed.rows[2].id);
    store.delete_trigger(&listed.rows[2].key()).await.unwrap();
    let rest = store.list_triggers(&workflow.place, workflow.id, 100, Some(end)).await.unwrap();
    assert_eq!(rest.rows.len() as u64, MOST_TRIGGERS - 3);
    assert!(rest.rows.iter().all(|row| row.id < end));
    let again = store.delete_trigger(&listed.rows[2].key()).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    assert_eq!(count().await, MOST_TRIGGERS - 1, "one that is gone is not taken off twice");
    store.create_trigger(&another(&first, 2000), QuotaGuard::default()).await.unwrap();
    // A row that is gone is not brought back by whoever read it before.
    let mut gone = listed.rows[2].clone();
    let saved = store.save_trigger(&mut gone).await;
    assert!(matches!(saved, Err(StoreError::Conflict)), "{saved:?}");
    assert!(store.trigger(&gone.key()).await.unwrap().is_none());
}

fn request(name: &str, fingerprint: &str) -> KeyedRequest {
    KeyedRequest { place: Some(place("default")), name: name.to_owned(), fingerprint: fingerprint.to_owned() }
}

async fn won(store: &Store, request: &KeyedRequest, owner: &str, at: Timestamp) -> Claim {
    match store.claim_request(request, owner, at).await.unwrap() {
        Claimed::Won(claim) => claim,
        other => panic!("{owner}: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_is_its_owners_until_it_is_answered_given_up_or_overdue() {
    let (_app, store) = store().await;
    let (one, other) = (request("POST /v1/workflows k", "body"), request("POST /v1/workflows k", "else"));
    let claim = won(&store, &one, "first", NOW).await;
    // Its own lost answer; another attempt; another body.
    won(&store, &one, "first", NOW).await;
    let overdue = NOW.plus(OWNED_FOR);
    let claimed =
        async |request: &KeyedRequest, at| store.claim_request(request, "second", at).await.unwrap();
    let just_before = Timestamp::from_millis(overdue.as_millis() - 1);
    assert!(matches!(claimed(&one, just_before).await, Claimed::Running));
    assert!(matches!(claimed(&other, NOW).await, Claimed::OtherRequest));
    let taken_over = won(&store, &one, "second", overdue).await;
    assert_eq!(taken_over.begun_at, claim.begun_at, "it began when the first began");
    let late = store.keep_answer(&one, &claim, b"late", overdue).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    let late = store.release_request(&one, &claim, overdue).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    store.release_request(&one, &taken_over, overdue).await.unwrap();
    let third = won(&store, &one, "third", overdue).await;
    // More than one row holds.
    let answer: Vec<u8> = (0..900_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    store.keep_answer(&one, &third, &answer, overdue).await.unwrap();
    store.keep_answer(&one, &third, &answer, overdue).await.unwrap();
    // Since it was begun first.
    let forgotten = NOW.plus(ANSWERS_KEPT_FOR);
    for at in [overdue, Timestamp::from_millis(forgotten.as_millis() - 1)] {
        match claimed(&one, at).await {
            Claimed::Answered(kept) => assert!(kept == answer, "{} bytes", kept.len()),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(claimed(&other, overdue).await, Claimed::OtherRequest));
    won(&store, &other, "fourth", forgotten).await;
}

/// Each of many attempts at once comes to one of the outcomes, and one of them to have won.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_claim_a_request_at_once_one_wins() {
    let (_app, store) = store().await;
    for key in 0..10 {
        let one = request(&format!("k{key}"), "body");
        let attempts: Vec<_> = (0..8)
            .map(|n| {
                let (store, one) = (store.clone(), one.clone());
                tokio::spawn(async move { store.claim_request(&one, &format!("owner-{n}"), NOW).await })
            })
            .collect();
        let mut won = 0;
        for attempt in attempts {
            match attempt.await.unwrap().unwrap() {
                Claimed::Won(_) => won += 1,
                Claimed::Running => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1, "key {key}");
    }
}

#[tokio::test]
async fn a_graph_of_many_rows_is_read_as_it_was_written() {
    let (app, store) = store().await;
    let mut row = a_workflow(&app).await;
    // Text that does not compress well, of more than one row of 400 KB.
    let noise: String =
        (0..1_500_000_u64).map(|n| char::from(b'a' + u8::try_from(n * n % 23).unwrap())).collect();
    let large = json!({ "steps": [], "noise": noise, "id": 9_007_199_254_740_993_u64 });
    for graph in [&large, &json!({ "steps": [] }), &large] {
        store.save_workflow(&mut row, Draft::Replaced(graph), ToolChange::Kept).await.unwrap();
        let read: Value = store.draft(&row).await.unwrap();
        assert!(read == *graph);
    }
}
