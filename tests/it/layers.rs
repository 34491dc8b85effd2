//! What is checked of a request, in which order: authenticate, rate limit, project, role and scope, body, idempotency, audit,
//! handler. A request that is wrong in several ways gets the answer of the first layer that refuses it, and nothing behind
//! that layer has happened.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use it::{Client, OPERATOR_TOKEN, TestApp, WatchedBody, Workspace, pat_id, workflow};
use serde_json::json;
use shared::AppState;
use shared::api::{CanRead, Operator, finish};
use shared::services::limits::Limit;
use shared::store::{PatChange, PatRecord};
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;
use shared::types::scope::Scope;
use tokio::time::timeout;

use crate::routes::{Who, routes, some_path};
use crate::run_reads::text;

const PATH: &str = "/v1/workflows";
const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// What may be wrong with a request, in the order in which it is found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wrong {
    Token,
    Rate,
    Place,
    Role,
    Scope,
    Body,
    Key,
    Field,
}

const ALL: [Wrong; 8] = [
    Wrong::Token,
    Wrong::Rate,
    Wrong::Place,
    Wrong::Role,
    Wrong::Scope,
    Wrong::Body,
    Wrong::Key,
    Wrong::Field,
];

impl Wrong {
    fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Token => (401, "UNAUTHENTICATED"),
            Self::Rate => (429, "RATE_LIMITED"),
            Self::Place => (403, "WRONG_PLACE"),
            Self::Role => (403, "ROLE_TOO_LOW"),
            Self::Scope => (403, "SCOPE_MISSING"),
            Self::Body => (413, "TOO_LARGE"),
            Self::Key => (409, "IDEMPOTENCY_KEY_REUSED"),
            Self::Field => (422, "INVALID_REQUEST"),
        }
    }
}

async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual(START);
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    (app, clock, acme)
}

fn scope(name: &str) -> Scope {
    serde_json::from_value(json!(name)).unwrap()
}

/// Makes a token another one, with the same secret; processes that have seen it learn of it within a minute.
async fn change(state: &AppState, token: &str, change: impl FnOnce(&mut PatRecord)) {
    let pat = state.store.pat(pat_id(token).parse().unwrap()).await.unwrap().unwrap();
    let owner = state.store.member(&pat.place.tenant_id, pat.member_id).await.unwrap().unwrap();
    state.store.delete_pat(&PatChange { pat: &pat, owner: &owner }).await.unwrap();
    let mut changed = pat;
    change(&mut changed);
    let owner = state.store.member(&changed.place.tenant_id, changed.member_id).await.unwrap().unwrap();
    state.store.create_pat(&PatChange { pat: &changed, owner: &owner }, None).await.unwrap();
    state.auth.forget(changed.id);
}

/// The actions of a project's trail, with how they ended, since a time.
async fn traced(acme: &Workspace, since: Timestamp) -> Vec<(String, String)> {
    let trail = acme.client.get(&format!("/v1/audit?limit=100&since={since}")).await.expect(200);
    let entries = trail["entries"].as_array().unwrap().iter();
    entries.map(|entry| (text(entry, "action").to_owned(), text(entry, "outcome").to_owned())).collect()
}

/// A request that is wrong in these ways, sent to a process that allows a token two calls at once.
async fn send(world: &(TestApp, Clock, Workspace), wrong: &[Wrong]) -> it::Answer {
    let (app, clock, _) = world;
    let is = |one| wrong.contains(&one);
    let caller = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await;
    if is(Wrong::Key) {
        caller.client.with("idempotency-key", "k").post(PATH, &workflow("another")).await.expect(201);
    }
    change(&app.state, &caller.token, |pat| {
        if is(Wrong::Role) {
            (pat.role, pat.granted) = (Role::ProjectViewer, Role::ProjectViewer);
        }
        if is(Wrong::Scope) {
            pat.scopes = vec![scope("workflow:read")];
        }
    })
    .await;
    clock.advance(Duration::from_secs(1));
    let slow = Client::new(local::router(app.stores.limited(clock.clone(), Limit::per_second(1))));
    if is(Wrong::Rate) {
        for _ in 0..2 {
            slow.bearer(&caller.token).get("/v1/workflows/schema").await.expect(200);
        }
    }
    let last = if caller.token.ends_with('a') { "b" } else { "a" };
    let forged = format!("{}{last}", &caller.token[..caller.token.len() - 1]);
    let mut client = slow.bearer(if is(Wrong::Token) { &forged } else { &caller.token });
    if is(Wrong::Place) {
        client = client.with("x-project-id", "elsewhere");
    }
    if is(Wrong::Key) || is(Wrong::Body) {
        client = client.with("idempotency-key", "k");
    }
    let mut new = workflow("w");
    if is(Wrong::Field) {
        new["name"] = json!("");
    }
    if is(Wrong::Body) {
        new["description"] = json!("x".repeat(1024 * 1024));
    }
    client.post(PATH, &new).await
}

#[tokio::test]
async fn of_two_things_that_are_wrong_the_earlier_one_is_answered() {
    let world = acme().await;
    let (_, clock, acme) = &world;
    for (at, first) in ALL.into_iter().enumerate() {
        for second in &ALL[at..] {
            let wrong = [first, *second];
            let answer = send(&world, &wrong).await;
            let (status, code) = first.answer();
            let got = (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default());
            assert_eq!(got, (status, code), "{wrong:?}: {:#}", answer.body);
            // Of what was let in the handler's outcome is kept, and of nothing else.
            let refused = ("workflow.create".to_owned(), "refused".to_owned());
            let expected = if first == Wrong::Field { vec![refused] } else { vec![] };
            assert_eq!(traced(acme, clock.now()).await, expected, "{wrong:?}");
            // Whoever is known is told what is left, also when it is nothing.
            assert_eq!(answer.header("x-ratelimit-limit").is_some(), first != Wrong::Token, "{wrong:?}");
            assert_eq!(answer.header("idempotency-replayed"), None, "{wrong:?}");
        }
    }
    send(&world, &[]).await.expect(201);
}

#[tokio::test]
async fn what_is_refused_before_its_key_is_looked_at_holds_no_key() {
    let (app, _, acme) = acme().await;
    let client = acme.client.with("idempotency-key", "k");
    let new = workflow("w");
    app.anyone.with("idempotency-key", "k").post(PATH, &new).await.refused(401, "UNAUTHENTICATED");
    client.with("x-project-id", "elsewhere").post(PATH, &new).await.refused(403, "WRONG_PLACE");
    client.send("POST", PATH, vec![b' '; 1024 * 1024 + 1]).await.refused(413, "TOO_LARGE");
    client.send("POST", PATH, it::gzip(b"{}")).await.refused(400, "UNREADABLE");
    let made = client.post(PATH, &new).await;
    assert_eq!(made.header("idempotency-replayed"), None);
    made.expect(201);
}

#[tokio::test]
async fn a_replay_is_given_to_nobody_without_role_and_scope() {
    let (app, clock, acme) = acme().await;
    clock.advance(Duration::from_secs(1));
    let since = clock.now();
    let caller = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await;
    let client = caller.client.with("idempotency-key", "k");
    let new = json!({ "display_name": "t" });
    let first = client.post("/v1/pats", &new).await;
    let secret = text(&first.body, "token").to_owned();
    let granted = app.state.store.pat(pat_id(&caller.token).parse().unwrap()).await.unwrap().unwrap();
    let refused = async |status: u16, code: &str| {
        let answer = client.post("/v1/pats", &new).await;
        assert_eq!(answer.header("idempotency-replayed"), None, "{code}");
        let body = answer.refused(status, code).to_string();
        assert!(!body.contains(&secret), "{code}: {body}");
    };
    change(&app.state, &caller.token, |pat| pat.role = Role::ProjectViewer).await;
    refused(403, "ROLE_TOO_LOW").await;
    let reads = vec![scope("workflow:read")];
    change(&app.state, &caller.token, |pat| (pat.role, pat.scopes) = (granted.role, reads)).await;
    refused(403, "SCOPE_MISSING").await;
    change(&app.state, &caller.token, |pat| {
        (pat.scopes, pat.expires_at_time) = (Vec::new(), Some(since));
    })
    .await;
    refused(401, "UNAUTHENTICATED").await;
    // It has been there all the time.
    change(&app.state, &caller.token, |pat| *pat = granted).await;
    let again = client.post("/v1/pats", &new).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &first.body));
    assert_eq!(traced(&acme, since).await, [("pat.create".to_owned(), "done".to_owned())]);
    // In another place it is not the caller's either.
    client.with("x-tenant-id", "other").post("/v1/pats", &new).await.refused(403, "WRONG_PLACE");
}

#[tokio::test]
async fn what_operators_send_goes_through_the_layers_that_there_are_for_them() {
    let (app, _, acme) = acme().await;
    let path = "/v1/onboarding/workspaces";
    let (new, other) = (json!({ "name": "n", "slug": "n" }), json!({ "name": "n", "slug": "m" }));
    let large = vec![b'x'; 1024 * 1024 + 1];
    let operator = app.operator().with("idempotency-key", "k");
    operator.post(path, &new).await.expect(201);
    // Whoever is no operator gets neither the answer that is kept nor one about the body or the key.
    for stranger in [&app.anyone, &acme.client, &app.anyone.bearer("x")] {
        for client in [stranger.clone(), stranger.with("idempotency-key", "k")] {
            client.post(path, &new).await.refused(401, "UNAUTHENTICATED");
            client.post(path, &other).await.refused(401, "UNAUTHENTICATED");
            client.send("POST", path, large.clone()).await.refused(401, "UNAUTHENTICATED");
        }
    }
    operator.send("POST", path, large).await.refused(413, "TOO_LARGE");
    operator.post(path, &other).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
    operator.post(path, &json!({})).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
    app.operator().post(path, &json!({})).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn no_body_is_read_of_a_caller_who_may_not_call() {
    let (app, _, acme) = acme().await;
    let viewer = app.member(("acme", "default"), Role::ProjectViewer, &[], None).await.client;
    let nothing = [scope("agent:read")];
    let without = app.member(("acme", "default"), Role::TenantAdmin, &nothing, None).await.client;
    let nobody = [app.anyone.clone(), app.anyone.bearer("garbage"), app.anyone.bearer(&acme.token[..40])];
    for route in routes() {
        let mut callers = nobody.to_vec();
        match route.who {
            Who::Open => continue,
            // It wants another proof; `webhook_senders::reading` has what of it is read.
            Who::OwnProof(_) if route.template() != "/mcp" => continue,
            Who::OwnProof(_) => callers.push(acme.client.with("x-tenant-id", "other")),
            Who::Operator => callers.push(acme.client.clone()),
            Who::Token(role, _) => {
                callers.extend([acme.client.with("x-tenant-id", "other"), without.clone(), app.operator()]);
                callers.extend((role > Role::ProjectViewer).then(|| viewer.clone()));
            }
        }
        for client in callers {
            for client in [client.with("idempotency-key", "k"), client] {
                let body = WatchedBody::default();
                let path = some_path(route.template());
                let sent = client.send(route.method(), &path, &body);
                let answer = timeout(Duration::from_secs(20), sent).await;
                let answer = answer.unwrap_or_else(|_| panic!("{}: waits for the body", route.name));
                assert!([401, 403].contains(&answer.status.as_u16()), "{}: {:#}", route.name, answer.body);
                assert!(!body.was_asked_for(), "{}", route.name);
            }
        }
    }
}

#[tokio::test]
async fn a_permit_is_handed_over_only_by_the_layers_that_check_it() {
    let (app, _, acme) = acme().await;
    let unguarded: Router<AppState> = Router::new()
        .route("/token", get(async |_: CanRead| "secret"))
        .route("/operator", get(async |_: Operator| "secret"));
    let client = Client::new(finish(unguarded, app.state.clone()));
    for client in [client.clone(), client.bearer(&acme.token), client.bearer(OPERATOR_TOKEN)] {
        client.get("/token").await.refused(500, "INTERNAL");
        client.get("/operator").await.refused(500, "INTERNAL");
    }
}

#[tokio::test]
async fn heads_are_checked_as_gets_and_other_methods_need_no_token() {
    let (app, _, acme) = acme().await;
    assert_eq!(app.anyone.send("HEAD", PATH, "").await.status, 401);
    assert_eq!(acme.client.send("HEAD", PATH, "").await.status, 200);
    app.anyone.send("PUT", PATH, "{}").await.refused(405, "METHOD_NOT_ALLOWED");
    app.anyone.get("/v1/nowhere").await.refused(404, "NO_SUCH_ROUTE");
}
