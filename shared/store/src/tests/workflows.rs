//! Workflows, their versions and tools, and what starts them.

use serde_json::{Value, json};

use super::{NOW, SECOND, is_conflict, place, record, store};
use crate::{
    Draft, Due, MOST_TRIGGERS, NewVersion, QuotaGuard, Store, ToolChange, TriggerRecord, Version,
    WorkflowRecord, WorkflowStatus, WorkflowToolRecord,
};
use types::ids::{TriggerId, WorkflowId};

fn workflow(name: &str) -> WorkflowRecord {
    record(json!({ "id": WorkflowId::fresh(NOW), "tenant_id": "acme", "project_id": "default", "name": name,
                   "description": "", "archived": false, "latest_version": 0, "latest_hash": null, "revision": 1,
                   "draft": 1, "run_setup": null, "created_at": NOW, "updated_at": NOW }))
}

async fn created(store: &Store, name: &str) -> WorkflowRecord {
    let record = workflow(name);
    store
        .create_workflow(&record, &json!({ "steps": [] }), ToolChange::Kept, QuotaGuard::default())
        .await
        .unwrap();
    record
}

fn tool(of: &WorkflowRecord, name: &str) -> WorkflowToolRecord {
    record(json!({ "workflow_id": of.id, "name": name, "description": "" }))
}

fn version(number: u32) -> Version {
    record(json!({ "version": number, "published_at": NOW, "changelog": "", "graph_hash": "h" }))
}

async fn publish(store: &Store, record: &mut WorkflowRecord, number: u32) -> Result<(), crate::StoreError> {
    let (version, graph) = (version(number), json!({ "number": number }));
    store.publish(record, &NewVersion { version: &version, graph: &graph, tool: None }).await
}

fn trigger(of: &WorkflowRecord) -> TriggerRecord {
    record(
        json!({ "id": TriggerId::fresh(NOW), "tenant_id": "acme", "project_id": "default", "workflow_id": of.id,
                   "name": "hourly", "cron": "0 * * * *", "timezone": "UTC", "enabled": true, "catch_up": "none",
                   "params": "{}", "next_run_at": NOW, "catching_up": false, "last_run_at": null,
                   "last_run_id": null, "last_error": null, "revision": 1, "created_at": NOW, "updated_at": NOW }),
    )
}

#[tokio::test]
async fn a_draft_is_replaced_with_its_row_by_one_of_two() {
    let store = store().await;
    let mut mine = created(&store, "w").await;
    let mut theirs = mine.clone();
    let large: Value = json!({ "text": (0..200_000).map(|n| n.to_string()).collect::<String>() });
    store.save_workflow(&mut mine, Draft::Replaced(&large), ToolChange::Kept).await.unwrap();
    let other = json!({ "other": 1 });
    let lost = store.save_workflow(&mut theirs, Draft::Replaced(&other), ToolChange::Kept).await;
    assert!(is_conflict(&lost));
    assert_eq!(store.draft(&mine).await.unwrap(), large);
    assert!(is_conflict(&store.draft(&theirs).await), "the draft that it had is gone");
    assert_eq!((mine.revision, theirs.revision), (2, 1));
}

#[tokio::test]
async fn a_version_is_published_once_with_its_graph() {
    let store = store().await;
    let mut mine = created(&store, "w").await;
    let mut theirs = mine.clone();
    publish(&store, &mut mine, 1).await.unwrap();
    assert!(is_conflict(&publish(&store, &mut theirs, 1).await));
    let row = store.workflow(&place(), mine.id).await.unwrap().unwrap();
    assert_eq!((row.status(), row.latest_version), (WorkflowStatus::Published, 1));
    assert_eq!(store.version_graph(&place(), mine.id, 1).await.unwrap(), Some(json!({ "number": 1 })));
    assert!(store.version(&place(), mine.id, 2).await.unwrap().is_none());
    for number in 2..=12 {
        publish(&store, &mut mine, number).await.unwrap();
    }
    let numbers = |versions: Vec<Version>| versions.iter().map(|row| row.version).collect::<Vec<_>>();
    let list = async |before| numbers(store.list_versions(&place(), mine.id, 3, before).await.unwrap());
    assert_eq!(
        (list(None).await, list(Some(10)).await, list(Some(1)).await),
        (vec![12, 11, 10], vec![9, 8, 7], vec![])
    );
}

#[tokio::test]
async fn workflows_are_listed_newest_first_and_by_what_is_kept() {
    let store = store().await;
    let mut names = Vec::new();
    for number in 0..5 {
        names.push((created(&store, &format!("w{number}")).await.id, format!("w{number}")));
    }
    names.sort();
    names.reverse();
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list_workflows(&place(), 2, cursor, |row| row.name != "w3").await.unwrap();
        listed.extend(page.rows.into_iter().map(|row| row.name));
        let Some(next) = page.next else { break };
        cursor = Some(next.parse().unwrap());
    }
    let kept = names.into_iter().map(|(_, name)| name).filter(|name| name != "w3");
    assert_eq!(listed, kept.collect::<Vec<_>>());
}

#[tokio::test]
async fn the_name_of_a_tool_is_one_workflows() {
    let store = store().await;
    let (mut first, mut second) = (created(&store, "a").await, created(&store, "b").await);
    let named = tool(&first, "search");
    store.save_workflow(&mut first, Draft::Kept, ToolChange::Put(&named, None)).await.unwrap();
    let same = tool(&second, "search");
    assert!(is_conflict(&store.save_workflow(&mut second, Draft::Kept, ToolChange::Put(&same, None)).await));
    // Another name frees the one before.
    let renamed = tool(&first, "find");
    let change = ToolChange::Put(&renamed, Some("search"));
    store.save_workflow(&mut first, Draft::Kept, change).await.unwrap();
    store.save_workflow(&mut second, Draft::Kept, ToolChange::Put(&same, None)).await.unwrap();
    let owner = async |name| store.workflow_tool(&place(), name).await.unwrap().map(|row| row.workflow_id);
    assert_eq!((owner("find").await, owner("search").await), (Some(first.id), Some(second.id)));
}

#[tokio::test]
async fn tools_are_listed_by_name_page_by_page() {
    let store = store().await;
    let mut owner = created(&store, "a").await;
    for name in ["c", "a", "b"] {
        let named = tool(&owner, name);
        store.save_workflow(&mut owner, Draft::Kept, ToolChange::Put(&named, None)).await.unwrap();
    }
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list_workflow_tools(&place(), 2, cursor).await.unwrap();
        listed.extend(page.rows.into_iter().map(|row| row.name));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_workflow_has_a_largest_number_of_triggers() {
    let store = store().await;
    let owner = created(&store, "w").await;
    let first = trigger(&owner);
    store.create_trigger(&first, QuotaGuard::default()).await.unwrap();
    assert!(is_conflict(&store.create_trigger(&first, QuotaGuard::default()).await), "it is there");
    for _ in 1..MOST_TRIGGERS {
        store.create_trigger(&trigger(&owner), QuotaGuard::default()).await.unwrap();
    }
    assert!(is_conflict(&store.create_trigger(&trigger(&owner), QuotaGuard::default()).await));
    store.delete_trigger(&first.key()).await.unwrap();
    assert!(is_conflict(&store.delete_trigger(&first.key()).await));
    assert_eq!(store.count_triggers(&place(), owner.id).await.unwrap(), MOST_TRIGGERS - 1);
    store.create_trigger(&trigger(&owner), QuotaGuard::default()).await.unwrap();
}

#[tokio::test]
async fn a_trigger_is_due_at_its_time_and_moved_by_one_of_two() {
    let store = store().await;
    let owner = created(&store, "w").await;
    let mut record = trigger(&owner);
    store.create_trigger(&record, QuotaGuard::default()).await.unwrap();
    let due = async |before| {
        let mut found = Vec::new();
        for shard in 0..crate::DEADLINE_SHARDS {
            found.extend(store.due(shard, before, None, 10).await.unwrap().rows);
        }
        found
    };
    assert!(due(NOW).await.is_empty(), "not yet");
    let rows = due(NOW.plus(SECOND)).await;
    assert!(matches!(&rows[..], [row] if matches!(&row.due, Due::Trigger(key) if *key == record.key())));
    assert!(store.postpone(&rows[0], NOW.plus(60 * SECOND)).await.unwrap());
    assert!(!store.postpone(&rows[0], NOW.plus(60 * SECOND)).await.unwrap(), "another sweep has");
    assert!(due(NOW.plus(SECOND)).await.is_empty());
    (record.enabled, record.next_run_at) = (false, None);
    let mut before = record.clone();
    store.save_trigger(&mut record).await.unwrap();
    assert!(is_conflict(&store.save_trigger(&mut before).await));
    assert!(due(NOW.plus(3600 * SECOND)).await.is_empty(), "one that is not enabled is never due");
}
