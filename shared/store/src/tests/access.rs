//! Workspaces, projects, members and their tokens.

use serde_json::json;

use super::{NOW, SECOND, is_conflict, place, record, store};
use crate::{MemberRecord, NewTenant, PatChange, PatRecord, ProjectRecord, QuotaGuard, Store};
use types::clock::Timestamp;
use types::ids::{MemberId, PatId};
use types::role::Role;

fn project(id: &str) -> ProjectRecord {
    record(json!({ "project_id": id, "tenant_id": "acme", "name": id, "revision": 1,
                   "created_at": NOW, "updated_at": NOW }))
}

fn member(role: &str) -> MemberRecord {
    record(json!({ "id": MemberId::fresh(NOW), "tenant_id": "acme", "display_name": "Ada", "role": role,
                   "revision": 1, "created_at": NOW, "updated_at": NOW }))
}

fn pat(owner: &MemberRecord, created_at: Timestamp) -> PatRecord {
    record(
        json!({ "id": PatId::fresh(created_at), "tenant_id": "acme", "project_id": "default", "member_id": owner.id,
                   "granted": "tenant_admin", "role": "tenant_admin", "scopes": [], "display_name": "laptop",
                   "secret_hash": "00", "token_hint": "…x", "created_at": created_at }),
    )
}

/// A workspace with an admin, as its row is.
async fn opened(store: &Store) -> MemberRecord {
    let (project, admin) = (project("default"), member("tenant_admin"));
    let pat = pat(&admin, NOW);
    let new = NewTenant { name: "Acme", project: &project, member: &admin, pat: &pat, trace: None };
    store.create_tenant(&new).await.unwrap();
    store.member(&admin.tenant_id, admin.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_workspace_is_opened_whole_or_not_at_all() {
    let store = store().await;
    let first = opened(&store).await;
    let (project, other) = (project("default"), member("tenant_admin"));
    let pat = pat(&other, NOW);
    let again = NewTenant { name: "Other", project: &project, member: &other, pat: &pat, trace: None };
    assert!(is_conflict(&store.create_tenant(&again).await), "the slug is taken");
    assert_eq!(store.member(&other.tenant_id, other.id).await.unwrap(), None);
    assert!(store.pat(pat.id).await.unwrap().is_none());
    assert_eq!(first.pats.len(), 1);
    assert_eq!(store.tenants().await.unwrap(), [first.tenant_id]);
}

#[tokio::test]
async fn a_member_is_saved_as_it_was_read_only() {
    let store = store().await;
    let admin = opened(&store).await;
    let (saved, _) = store.save_member(&admin, MemberRecord { email: None, ..admin.clone() }).await.unwrap();
    assert_eq!(saved.revision, admin.revision + 1);
    assert!(is_conflict(&store.save_member(&admin, admin.clone()).await), "it was read before");
    assert!(is_conflict(&store.create_member(&saved, QuotaGuard::default()).await), "it is there");
}

#[tokio::test]
async fn the_last_admin_can_neither_go_nor_step_back() {
    let store = store().await;
    let admin = opened(&store).await;
    let lower = MemberRecord { role: Some(Role::ProjectAdmin), ..admin.clone() };
    assert!(is_conflict(&store.save_member(&admin, lower.clone()).await));
    assert!(is_conflict(&store.delete_member(&admin).await));
    store.create_member(&member("tenant_admin"), QuotaGuard::default()).await.unwrap();
    assert_eq!(store.count_of_admins(&admin.tenant_id).await.unwrap(), 2);
    store.save_member(&admin, lower).await.unwrap();
    assert_eq!(store.count_of_admins(&admin.tenant_id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_members_role_reaches_its_tokens_with_it() {
    let store = store().await;
    store.create_member(&member("tenant_admin"), QuotaGuard::default()).await.unwrap_err();
    let admin = opened(&store).await;
    store.create_member(&member("tenant_admin"), QuotaGuard::default()).await.unwrap();
    let id = *admin.pats.first().unwrap();
    let lower = MemberRecord { role: Some(Role::ProjectViewer), ..admin.clone() };
    let (lower, touched) = store.save_member(&admin, lower).await.unwrap();
    assert_eq!(touched.into_iter().collect::<Vec<_>>(), [id]);
    assert_eq!(store.pat(id).await.unwrap().unwrap().role, Role::ProjectViewer);
    store.save_member(&lower, MemberRecord { role: None, ..lower.clone() }).await.unwrap();
    assert!(store.pat(id).await.unwrap().is_none(), "without a role there is no token");
}

#[tokio::test]
async fn a_token_comes_and_goes_with_its_owners_row() {
    let store = store().await;
    let admin = opened(&store).await;
    let new = pat(&admin, NOW.plus(SECOND));
    store.create_pat(&PatChange { pat: &new, owner: &admin }, None).await.unwrap();
    let other = pat(&admin, NOW);
    let stale = PatChange { pat: &other, owner: &admin };
    assert!(is_conflict(&store.create_pat(&stale, None).await), "the owner has changed");
    let owner = store.member(&admin.tenant_id, admin.id).await.unwrap().unwrap();
    assert!(owner.pats.contains(&new.id));
    let gone = PatChange { pat: &new, owner: &owner };
    store.delete_pat(&gone).await.unwrap();
    assert!(store.pat(new.id).await.unwrap().is_none());
    assert!(is_conflict(&store.delete_pat(&gone).await));
}

#[tokio::test]
async fn an_archived_project_takes_no_tokens() {
    let store = store().await;
    let admin = opened(&store).await;
    let mut project = store.project(&admin.tenant_id, &place().project_id).await.unwrap().unwrap();
    let mut before = project.clone();
    project.archived_at = Some(NOW);
    store.save_project(&mut project).await.unwrap();
    assert!(is_conflict(&store.save_project(&mut before).await), "it was read before");
    let new = pat(&admin, NOW.plus(SECOND));
    assert!(is_conflict(&store.create_pat(&PatChange { pat: &new, owner: &admin }, None).await));
    assert!(store.pat(new.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_notes_a_day_of_use_once_and_not_an_earlier_one() {
    let store = store().await;
    let id = *opened(&store).await.pats.first().unwrap();
    for day in [20_000, 20_001, 19_999] {
        store.touch_pat(id, day).await.unwrap();
    }
    assert_eq!(store.pat(id).await.unwrap().unwrap().last_used_day, Some(20_001));
    store.touch_pat(PatId::fresh(NOW), 1).await.unwrap();
}

#[tokio::test]
async fn members_and_projects_are_listed_page_by_page() {
    let store = store().await;
    let admin = opened(&store).await;
    let mut ids = vec![admin.id];
    for _ in 0..4 {
        let more = member("project_viewer");
        store.create_member(&more, QuotaGuard::default()).await.unwrap();
        ids.push(more.id);
    }
    ids.sort();
    ids.reverse();
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list_members(&admin.tenant_id, 2, cursor).await.unwrap();
        assert!(page.rows.len() <= 2);
        listed.extend(page.rows.into_iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        cursor = Some(next.parse().unwrap());
    }
    assert_eq!(listed, ids);

    for id in ["alpha", "beta"] {
        store.create_project(&project(id), QuotaGuard::default()).await.unwrap();
    }
    assert!(is_conflict(&store.create_project(&project("beta"), QuotaGuard::default()).await));
    let first = store.list_projects(&admin.tenant_id, 2, None).await.unwrap();
    let cursor = first.next.clone().unwrap().parse().ok();
    let rest = store.list_projects(&admin.tenant_id, 2, cursor).await.unwrap();
    let names: Vec<String> = first.rows.into_iter().chain(rest.rows).map(|row| row.name).collect();
    assert_eq!((names, rest.next), (["alpha", "beta", "default"].map(str::to_owned).to_vec(), None));
}
