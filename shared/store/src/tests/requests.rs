//! Requests under idempotency keys, and the trail of what was done.

use super::{NOW, SECOND, is_conflict, place, record, store};
use crate::{
    ANSWERS_KEPT_FOR, AuditOutcome, AuditRecord, Claim, Claimed, KeyedRequest, OWNED_FOR, Store, TrailSpan,
};
use serde_json::json;
use types::clock::Timestamp;

fn request() -> KeyedRequest {
    KeyedRequest { place: Some(place()), name: "caller POST key".to_owned(), fingerprint: "body".to_owned() }
}

async fn won(store: &Store, owner: &str, now: Timestamp) -> Claim {
    match store.claim_request(&request(), owner, now).await.unwrap() {
        Claimed::Won(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_is_one_owners_until_its_time_is_over() {
    let store = store().await;
    let first = won(&store, "one", NOW).await;
    let second = store.claim_request(&request(), "two", NOW.plus(SECOND)).await.unwrap();
    assert!(matches!(second, Claimed::Running), "{second:?}");
    let later = NOW.plus(OWNED_FOR).plus(SECOND);
    let taken = won(&store, "two", later).await;
    assert_eq!(taken.begun_at, NOW, "it began when it was carried out first");
    assert!(is_conflict(&store.keep_answer(&request(), &first, b"late", later).await));
    store.keep_answer(&request(), &taken, b"answer", later).await.unwrap();
}

#[tokio::test]
async fn an_answer_is_kept_for_its_request_and_for_a_day() {
    let store = store().await;
    // One that stands in the row, and one that has rows of its own.
    for (day, answer) in [vec![7; 10], vec![8; 700_000]].iter().enumerate() {
        let now = NOW.plus(2 * ANSWERS_KEPT_FOR * u32::try_from(day).unwrap());
        let claim = won(&store, &format!("owner {day}"), now).await;
        store.keep_answer(&request(), &claim, answer, now).await.unwrap();
        let again = store.claim_request(&request(), "another", now.plus(SECOND)).await.unwrap();
        assert!(matches!(again, Claimed::Answered(kept) if kept == *answer));
        let other = KeyedRequest { fingerprint: "another body".to_owned(), ..request() };
        let other = store.claim_request(&other, "another", now.plus(SECOND)).await.unwrap();
        assert!(matches!(other, Claimed::OtherRequest), "{other:?}");
    }
}

#[tokio::test]
async fn a_request_that_was_given_up_is_free_at_once() {
    let store = store().await;
    let claim = won(&store, "one", NOW).await;
    store.release_request(&request(), &claim, NOW).await.unwrap();
    assert_eq!(won(&store, "two", NOW.plus(SECOND)).await.begun_at, NOW);
}

fn trace(at: Timestamp, action: &str) -> AuditRecord {
    AuditRecord::new(at, &place(), record(json!({})), action, "POST /v1/things")
}

#[tokio::test]
async fn an_entry_of_the_trail_gets_one_outcome() {
    let store = store().await;
    let mut entry = trace(NOW, "thing.make");
    assert!(is_conflict(&store.end_trace(&entry).await), "there is none");
    store.keep_new_trace(&entry).await.unwrap();
    assert!(is_conflict(&store.keep_new_trace(&entry).await));
    entry.end(201);
    store.end_trace(&entry).await.unwrap();
    entry.end(500);
    assert!(is_conflict(&store.end_trace(&entry).await));
    let span = TrailSpan { since: NOW, until: NOW.plus(SECOND) };
    let listed = store.list_trail(&place(), span, 10, None, |_| true).await.unwrap().rows;
    assert_eq!((listed[0].outcome, listed[0].status), (AuditOutcome::Done, Some(201)));
}

#[tokio::test]
async fn the_trail_is_listed_by_time_and_page() {
    let store = store().await;
    for second in 0..6 {
        store.keep_trace(&trace(NOW.plus(second * SECOND), &format!("act{second}"))).await.unwrap();
    }
    let span = TrailSpan { since: NOW.plus(SECOND), until: NOW.plus(5 * SECOND) };
    let (mut acts, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list_trail(&place(), span, 3, cursor, |row| row.action != "act2").await.unwrap();
        acts.extend(page.rows.into_iter().map(|row| row.action));
        let Some(next) = page.next else { break };
        cursor = Some(next.parse().unwrap());
    }
    assert_eq!(acts, ["act4", "act3", "act1"]);
}
