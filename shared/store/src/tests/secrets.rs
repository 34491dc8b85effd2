//! Secrets and the rows that own them; what was delivered to webhooks.

use std::collections::BTreeMap;

use platform::secrets::SecretRef;
use serde_json::json;

use super::{NOW, SECOND, is_conflict, place, record, store};
use crate::delivery::DELIVERIES_KEPT_FOR;
use crate::{ConnectionRecord, LlmKeyRecord, MOST_LLM_KEYS, QuotaGuard, Store, SubscriptionRecord};
use types::ids::{ConnectionId, LlmKeyId, PatId, SecretVersion, SubscriptionId, WorkflowId};

fn connection() -> ConnectionRecord {
    record(json!({ "id": ConnectionId::fresh(NOW), "tenant_id": "acme", "project_id": "default", "name": "c",
                   "provider": "github", "service": "api_key", "credential_keys": ["api_key"],
                   "secret": SecretVersion::fresh(NOW), "revision": 1, "created_at": NOW, "updated_at": NOW }))
}

async fn created(store: &Store) -> ConnectionRecord {
    let new = connection();
    store.note_unowned(&new.secret_ref(), NOW).await.unwrap();
    store.create_connection(&new, QuotaGuard::default()).await.unwrap();
    new
}

/// Whether nothing owns it, which this tries by destroying it.
async fn is_unowned(store: &Store, secret: &SecretRef) -> bool {
    store.doom(secret, NOW).await.unwrap()
}

#[tokio::test]
async fn a_secret_is_owned_or_destroyed_and_never_both() {
    let store = store().await;
    let owner = created(&store).await;
    assert!(!is_unowned(&store, &owner.secret_ref()).await, "something owns it");
    let late = connection();
    store.note_unowned(&late.secret_ref(), NOW).await.unwrap();
    assert!(is_unowned(&store, &late.secret_ref()).await);
    assert!(
        is_conflict(&store.create_connection(&late, QuotaGuard::default()).await),
        "it is being destroyed"
    );
    assert!(store.connection(&place(), late.id).await.unwrap().is_none());
    store.forget_unowned(&late.secret_ref()).await.unwrap();
    assert!(!is_unowned(&store, &late.secret_ref()).await, "it is gone");
}

#[tokio::test]
async fn a_connection_that_changes_its_secret_leaves_the_one_before() {
    let store = store().await;
    let mut owner = created(&store).await;
    let before = owner.clone();
    owner.secret = SecretVersion::fresh(NOW);
    let unknown = store.save_connection(&mut owner.clone(), Some(before.secret)).await;
    assert!(is_conflict(&unknown), "nobody has put it");
    store.note_unowned(&owner.secret_ref(), NOW).await.unwrap();
    store.save_connection(&mut owner, Some(before.secret)).await.unwrap();
    assert!(is_conflict(&store.save_connection(&mut before.clone(), None).await), "it was read before");
    assert!(is_unowned(&store, &before.secret_ref()).await);
    assert!(!is_unowned(&store, &owner.secret_ref()).await);
    store.delete_connection(&owner, NOW).await.unwrap();
    assert!(is_unowned(&store, &owner.secret_ref()).await);
}

#[tokio::test]
async fn connections_are_listed_page_by_page() {
    let store = store().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(created(&store).await.id);
    }
    ids.sort();
    ids.reverse();
    let first = store.list_connections(&place(), 2, None).await.unwrap();
    let cursor = first.next.unwrap().parse().ok();
    let rest = store.list_connections(&place(), 2, cursor).await.unwrap();
    let listed: Vec<_> = first.rows.into_iter().chain(rest.rows).map(|row| row.id).collect();
    assert_eq!((listed, rest.next), (ids, None));
}

fn llm_key() -> LlmKeyRecord {
    record(
        json!({ "id": LlmKeyId::fresh(NOW), "tenant_id": "acme", "project_id": "default", "provider": "openai",
                   "name": "k", "base_url": null, "region": null, "organization": null, "hint": null,
                   "default_since": null, "secret": null, "revision": 1, "created_at": NOW, "updated_at": NOW,
                   "rotated_at": null }),
    )
}

#[tokio::test]
async fn a_project_has_a_largest_number_of_keys_of_models() {
    let store = store().await;
    let first = llm_key();
    store.create_llm_key(&first).await.unwrap();
    for _ in 1..MOST_LLM_KEYS {
        store.create_llm_key(&llm_key()).await.unwrap();
    }
    assert!(is_conflict(&store.create_llm_key(&llm_key()).await));
    store.delete_llm_key(&first, NOW).await.unwrap();
    assert!(is_conflict(&store.delete_llm_key(&first, NOW).await), "it is gone");
    store.create_llm_key(&llm_key()).await.unwrap();
    assert_eq!(store.llm_keys(&place()).await.unwrap().len(), MOST_LLM_KEYS);
}

fn subscription() -> SubscriptionRecord {
    record(json!({ "id": SubscriptionId::fresh(NOW), "tenant_id": "acme", "project_id": "default",
                   "workflow_id": WorkflowId::fresh(NOW), "name": "s", "enabled": true, "extras": "{}",
                   "automation_pat_id": PatId::fresh(NOW), "signing": [{ "version": SecretVersion::fresh(NOW) }],
                   "revision": 1, "created_at": NOW, "updated_at": NOW }))
}

#[tokio::test]
async fn a_subscription_is_found_by_its_id_alone_while_it_is_there() {
    let store = store().await;
    let new = subscription();
    assert!(
        is_conflict(&store.create_subscription(&new, QuotaGuard::default()).await),
        "nobody has put its secret"
    );
    assert_eq!(store.subscription_place(new.id).await.unwrap(), None);
    let secret = new.secret_ref(new.signing[0].version);
    store.note_unowned(&secret, NOW).await.unwrap();
    store.create_subscription(&new, QuotaGuard::default()).await.unwrap();
    assert_eq!(store.subscription_place(new.id).await.unwrap(), Some(place()));
    store.delete_subscription(&new, NOW).await.unwrap();
    assert_eq!(store.subscription_place(new.id).await.unwrap(), None);
    assert!(store.subscription(&place(), new.id).await.unwrap().is_none());
    assert!(is_unowned(&store, &secret).await);
}

#[tokio::test]
async fn refusals_are_counted_by_the_minute_and_read_until_they_expire() {
    let (store, id) = (store().await, SubscriptionId::fresh(NOW));
    for (seconds, reason) in [(0, "signature"), (1, "signature"), (1, "disabled"), (120, "signature")] {
        let refused = BTreeMap::from([(reason, 1)]);
        store.note_refusals(&place(), id, &refused, NOW.plus(seconds * SECOND)).await.unwrap();
    }
    let list =
        async |limit, cursor, now| store.list_deliveries(&place(), id, limit, cursor, now).await.unwrap();
    let first = list(1, None, NOW.plus(120 * SECOND)).await;
    assert_eq!(first.rows[0].refused, BTreeMap::from([("signature".to_owned(), 1)]));
    let second = list(1, first.next, NOW.plus(120 * SECOND)).await;
    let counts = [("disabled".to_owned(), 1), ("signature".to_owned(), 2)];
    assert_eq!(second.rows[0].refused, BTreeMap::from(counts));
    let later = NOW.plus(DELIVERIES_KEPT_FOR).plus(60 * SECOND);
    assert_eq!(list(10, None, later).await.rows.len(), 1, "the first minute has expired");
}
