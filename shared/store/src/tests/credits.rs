//! What workspaces have left, and what they pay.

use std::collections::BTreeSet;

use billing::Account;
use serde_json::json;

use super::{NOW, SECOND, is_conflict, place, record, store};
use types::clock::Timestamp;

fn grant(nth: u64, at: Timestamp) -> billing::LedgerEntry {
    record(json!({ "at": at, "cause": format!("grant/{nth}"), "microcredits": 5,
        "what": { "grant": { "bucket": "payg", "change": { "nth": nth, "used": { "total": 0, "free": 0 } } } } }))
}

#[tokio::test]
async fn an_account_changes_with_its_entries_or_not_at_all() {
    let (store, tenant) = (store().await, place().tenant_id);
    let (first, other) = (grant(1, NOW), grant(2, NOW));
    let account = Account::default();
    store.change_account(&tenant, 0, &account, std::slice::from_ref(&first), Some(&first)).await.unwrap();
    let stale = store.change_account(&tenant, 0, &account, std::slice::from_ref(&other), Some(&other)).await;
    assert!(is_conflict(&stale));
    let twice = store.change_account(&tenant, 1, &account, std::slice::from_ref(&other), Some(&first)).await;
    assert!(is_conflict(&twice), "the cause has its entry");
    assert_eq!(store.account(&tenant).await.unwrap().0.rev, 1);
    assert_eq!(
        store.list_ledger(&tenant, 10, None, |_| true).await.unwrap().rows,
        std::slice::from_ref(&first)
    );
    assert_eq!(store.entry_of_cause(&tenant, &first.cause).await.unwrap(), Some(first));
    assert_eq!(store.entry_of_cause(&tenant, &other.cause).await.unwrap(), None);
}

#[tokio::test]
async fn the_ledger_is_listed_newest_first_page_by_page() {
    let (store, tenant) = (store().await, place().tenant_id);
    let entries: Vec<_> =
        (1..=5).map(|nth| grant(nth, NOW.plus(SECOND * u32::try_from(nth).unwrap()))).collect();
    store.change_account(&tenant, 0, &Account::default(), &entries, None).await.unwrap();
    let (mut causes, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list_ledger(&tenant, 2, cursor, |_| true).await.unwrap();
        causes.extend(page.rows.into_iter().map(|row| row.cause));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(causes, ["grant/5", "grant/4", "grant/3", "grant/2", "grant/1"]);
}

#[tokio::test]
async fn a_code_is_used_once_by_each_and_as_often_as_it_says() {
    let store = store().await;
    let code: billing::Code =
        record(json!({ "code": "WELCOME", "microcredits": 5, "most_uses": 2, "created_at": NOW }));
    store.create_code(&code).await.unwrap();
    assert!(is_conflict(&store.create_code(&code).await));
    let used = record(json!({ "microcredits": 5, "at": NOW }));
    let redeem = async |tenant: &str| store.redeem(&tenant.parse().unwrap(), &code, &used).await;
    redeem("acme").await.unwrap();
    assert!(is_conflict(&redeem("acme").await), "once each");
    redeem("beta").await.unwrap();
    assert!(is_conflict(&redeem("gamma").await), "it is used up");
    assert_eq!(store.redemption(&"gamma".parse().unwrap(), "WELCOME").await.unwrap(), None);
    assert_eq!(store.redemption(&"beta".parse().unwrap(), "WELCOME").await.unwrap(), Some(used));
}

#[tokio::test]
async fn a_customer_is_one_tenants() {
    let store = store().await;
    let (acme, beta) = ("acme".parse().unwrap(), "beta".parse().unwrap());
    store.link_customer("cus_1", &acme).await.unwrap();
    store.link_customer("cus_1", &acme).await.unwrap();
    assert!(is_conflict(&store.link_customer("cus_1", &beta).await));
    assert_eq!(store.tenant_of_customer("cus_1").await.unwrap(), Some(acme));
    assert_eq!(store.tenant_of_customer("cus_2").await.unwrap(), None);
}

#[tokio::test]
async fn a_payment_that_is_made_stays_made() {
    let (store, tenant) = (store().await, place().tenant_id);
    for (id, status) in [("in_1", "failed"), ("in_1", "paid"), ("in_1", "failed"), ("in_2", "failed")] {
        let payment =
            record(json!({ "id": id, "at": NOW, "kind": "topup", "status": status, "amount_cents": 1,
                                     "currency": "usd" }));
        store.keep_payment(&tenant, &payment).await.unwrap();
    }
    let listed = store.list_payments(&tenant, 10, None).await.unwrap().rows;
    let listed: BTreeSet<_> =
        listed.iter().map(|row| (row.id.as_str(), format!("{:?}", row.status))).collect();
    assert_eq!(listed, BTreeSet::from([("in_1", "Paid".to_owned()), ("in_2", "Failed".to_owned())]));
}
