//! The table of all routes: who may call each, and what a caller from another place must get. The tests of this
//! file and of `isolation` follow from it, for every route of the OpenAPI document: no token, garbage tokens, a
//! wrong tenant or project in the headers, each role that is too low, each scope that is missing, another
//! tenant's and another project's caller. A route without its line fails, and so does a line without its route.
//!
//! A new route is one line of [`table`]; if its path names a new kind of thing, one more in [`crate::isolation`]
//! makes that thing.

use std::collections::BTreeSet;

use it::{Client, TestApp, Workspace};
use serde_json::Value;
use shared::types::clock::Clock;
use shared::types::role::Role;
use shared::types::scope::Permission::{self, *};
use shared::types::scope::Scope;

use Others::*;
use Who::*;

/// Every role, lowest first.
const ROLES: [Role; 4] =
    [Role::ProjectViewer, Role::ProjectContributor, Role::ProjectAdmin, Role::TenantAdmin];
const VIEWER: Role = ROLES[0];
const CONTRIBUTOR: Role = ROLES[1];
const ADMIN: Role = ROLES[2];
const TENANT_ADMIN: Role = ROLES[3];

/// What each scope grants, by its name.
const GRANTS: &[(&str, &[Permission])] = &[
    ("workflow:read", &[WorkflowRead, AnalyticsRead]),
    ("workflow:run", &[WorkflowRun]),
    ("workflow:write", &[WorkflowWrite]),
    ("mcp:execute", &[McpExecute]),
    ("integration:read", &[ConnectionRead, McpRead, WebhookRead, LlmKeyRead]),
    ("integration:write", &[ConnectionWrite, McpWrite, WebhookWrite, LlmKeyWrite]),
    ("agent:read", &[]),
    ("agent:write", &[]),
    ("pat:write", &[PatRead, PatWrite]),
    ("billing:read", &[BillingRead]),
    ("billing:write", &[BillingWrite]),
    // The hosted product's.
    ("workflow:edit", &[WorkflowWrite]),
    ("mcp:read", &[McpRead, ConnectionRead]),
    ("mcp:write", &[McpWrite, ConnectionWrite]),
    ("llm:read", &[LlmKeyRead]),
    ("llm:write", &[LlmKeyWrite]),
    ("webhook:manage", &[WebhookRead, WebhookWrite]),
    ("vault:read", &[ConnectionRead]),
    ("vault:write", &[ConnectionWrite]),
    ("analytics:read", &[AnalyticsRead]),
    ("pat:read", &[PatRead]),
    ("chat:read", &[]),
    ("chat:write", &[]),
    ("memory:read", &[]),
    ("memory:write", &[]),
    ("work:read", &[]),
    ("work:write", &[]),
];

/// Who may call a route.
#[allow(dead_code, reason = "no route of today's has every kind of caller")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who {
    /// Everybody, without a token.
    Open,
    /// The operator, by the operator token.
    Operator,
    /// Tokens with this role or a higher one, and a scope that grants this.
    Token(Role, Permission),
    /// Callers that prove themselves in the route's own way; the named module of tests has its cases.
    OwnProof(&'static str),
}

/// What a caller from another place gets, who calls with the owner's ids.
#[allow(dead_code, reason = "no route of today's names every kind of thing")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Others {
    /// The route names no thing: it is open, or makes or reads something of the caller's own.
    NamesNothing,
    /// 404: the path names a thing of a project.
    Thing,
    /// 404 for another tenant; the tenant's other projects share it.
    TenantThing,
    /// 200, and none of the owner's ids in it, whatever these queries filter by.
    List(&'static [&'static str]),
    /// The same for another tenant; the tenant's other projects share it.
    TenantList(&'static [&'static str]),
}

/// A route's line.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET /v1/workflows/{id}`.
    pub name: &'static str,
    /// Who may call it.
    pub who: Who,
    /// What others get.
    pub others: Others,
    /// The body of a call that its owner could make.
    pub body: &'static str,
}

impl Route {
    pub fn method(&self) -> &'static str {
        self.name.split_once(' ').unwrap().0
    }

    pub fn template(&self) -> &'static str {
        self.name.split_once(' ').unwrap().1
    }
}

/// Every route of the product.
#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table, a line per route")]
pub fn table() -> Vec<Route> {
    let pages = &["?limit=100", "?limit=1"];
    let route = |name, who, others, body| Route { name, who, others, body };
    vec![
        route("GET /v1/health", Open, NamesNothing, ""),
        route("GET /openapi.json", Open, NamesNothing, ""),
        route("POST /v1/onboarding/workspaces", Operator, NamesNothing, "{}"),
        route("POST /v1/onboarding/workspaces/{tenant_id}/admins", Operator, NamesNothing, "{}"),
        route("POST /v1/billing/grants", Operator, NamesNothing, "{}"),

        // They tell of the caller's own workspace; `billing_ledger` shows that.
        route("GET /v1/billing/usage", Token(CONTRIBUTOR, BillingRead), NamesNothing, ""),
        route("GET /v1/billing/usage-history", Token(CONTRIBUTOR, BillingRead), TenantList(pages), ""),
        route("GET /v1/billing/usage-dimensions", Token(VIEWER, BillingRead), NamesNothing, ""),
        route("GET /v1/billing/action-pricing", Token(CONTRIBUTOR, BillingRead), NamesNothing, ""),
        route("PUT /v1/billing/action-pricing", Operator, NamesNothing, "{}"),

        route("GET /v1/workflows", Token(VIEWER, WorkflowRead),
              List(&["?limit=100", "?limit=1", "?status=archived,draft,published"]), ""),
        route("POST /v1/workflows", Token(CONTRIBUTOR, WorkflowWrite), NamesNothing, "{}"),
        route("GET /v1/workflows/schema", Token(VIEWER, WorkflowRead), NamesNothing, ""),
        route("GET /v1/workflows/tools", Token(VIEWER, WorkflowRead), List(&["?limit=100", "?limit=1"]), ""),
        route("POST /v1/workflows/validate", Token(CONTRIBUTOR, WorkflowWrite), NamesNothing, "{}"),
        route("GET /v1/workflows/{id}", Token(VIEWER, WorkflowRead), Thing, ""),
        route("PATCH /v1/workflows/{id}", Token(CONTRIBUTOR, WorkflowWrite), Thing, r#"{"name":"stolen"}"#),
        route("DELETE /v1/workflows/{id}", Token(CONTRIBUTOR, WorkflowWrite), Thing, ""),
        route("POST /v1/workflows/{id}/restore", Token(CONTRIBUTOR, WorkflowWrite), Thing, "{}"),
        route("POST /v1/workflows/{id}/validate", Token(CONTRIBUTOR, WorkflowWrite), Thing, "{}"),
        route("GET /v1/workflows/{id}/graph-dry-runs", Token(VIEWER, WorkflowRead), Thing, ""),
        route("GET /v1/workflows/{id}/versions", Token(VIEWER, WorkflowRead), Thing, ""),
        route("POST /v1/workflows/{id}/versions", Token(CONTRIBUTOR, WorkflowWrite), Thing, r#"{"changelog":"stolen"}"#),
        route("GET /v1/workflows/{id}/versions/{n}", Token(VIEWER, WorkflowRead), Thing, ""),
        route("GET /v1/workflows/{id}/triggers", Token(VIEWER, WorkflowRead), Thing, ""),
        route("POST /v1/workflows/{id}/triggers", Token(CONTRIBUTOR, WorkflowWrite), Thing, r#"{"cron":"0 9 * * *"}"#),
        route("PATCH /v1/workflows/{id}/triggers/{trigger_id}", Token(CONTRIBUTOR, WorkflowWrite), Thing, r#"{"name":"stolen"}"#),
        route("DELETE /v1/workflows/{id}/triggers/{trigger_id}", Token(CONTRIBUTOR, WorkflowWrite), Thing, ""),

        route("POST /v1/workflows/{id}/command", Token(CONTRIBUTOR, WorkflowRun), Thing, r#"{"command":"start"}"#),
        route("GET /v1/runs", Token(VIEWER, WorkflowRead), TenantList(pages), ""),
        route("GET /v1/workflows/{id}/runs", Token(VIEWER, WorkflowRead), Thing, ""),
        route("GET /v1/workflows/{id}/runs/{run_id}", Token(VIEWER, WorkflowRead), Thing, ""),
        route("GET /v1/workflows/{id}/runs/{run_id}/summary", Token(VIEWER, WorkflowRead), Thing, ""),
        route("GET /v1/workflows/{id}/runs/{run_id}/events", Token(VIEWER, WorkflowRead), Thing, ""),
        route("GET /v1/workflows/{id}/runs/{run_id}/context", Token(VIEWER, WorkflowRead), Thing, ""),
        route("POST /v1/workflows/{id}/runs/{run_id}/retry", Token(CONTRIBUTOR, WorkflowRun), Thing, "{}"),

        route("GET /v1/llm-provider-keys", Token(CONTRIBUTOR, LlmKeyRead), List(&["?limit=100", "?limit=1", "?scope=tenant"]), ""),
        route("POST /v1/llm-provider-keys", Token(CONTRIBUTOR, LlmKeyWrite), NamesNothing, "{}"),
        route("GET /v1/llm-provider-keys/catalog", Token(CONTRIBUTOR, LlmKeyRead), NamesNothing, ""),
        route("PATCH /v1/llm-provider-keys/{id}", Token(CONTRIBUTOR, LlmKeyWrite), Thing, r#"{"name":"stolen"}"#),
        route("DELETE /v1/llm-provider-keys/{id}", Token(CONTRIBUTOR, LlmKeyWrite), Thing, ""),
        route("POST /v1/llm-provider-keys/{id}/rotate", Token(CONTRIBUTOR, LlmKeyWrite), Thing, r#"{"api_key":"stolen"}"#),
        route("POST /v1/llm/resolve", Token(CONTRIBUTOR, LlmKeyRead), NamesNothing, "{}"),

        route("GET /v1/tasks/pending", Token(VIEWER, WorkflowRead), TenantList(pages), ""),
        route("GET /v1/workflows/{id}/runs/{run_id}/tasks/pending", Token(CONTRIBUTOR, WorkflowRead), Thing, ""),
        route("POST /v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete", Token(CONTRIBUTOR, WorkflowRun), Thing, r#"{"approved":true}"#),

        route("GET /v1/pats", Token(CONTRIBUTOR, PatRead), List(pages), ""),
        route("POST /v1/pats", Token(CONTRIBUTOR, PatWrite), NamesNothing, "{}"),
        route("DELETE /v1/pats/{id}", Token(CONTRIBUTOR, PatWrite), Thing, ""),
        route("GET /v1/pats/{id}/reveal", Token(CONTRIBUTOR, PatWrite), Thing, ""),
        route("GET /v1/projects", Token(TENANT_ADMIN, PatWrite), TenantList(pages), ""),
        route("POST /v1/projects", Token(TENANT_ADMIN, PatWrite), NamesNothing, "{}"),
        route("GET /v1/projects/{project_id}", Token(TENANT_ADMIN, PatWrite), TenantThing, ""),
        route("PATCH /v1/projects/{project_id}", Token(TENANT_ADMIN, PatWrite), TenantThing, r#"{"name":"stolen"}"#),
        route("DELETE /v1/projects/{project_id}", Token(TENANT_ADMIN, PatWrite), TenantThing, ""),
        route("POST /v1/projects/{project_id}/restore", Token(TENANT_ADMIN, PatWrite), TenantThing, "{}"),
        route("GET /v1/members", Token(TENANT_ADMIN, PatWrite), TenantList(pages), ""),
        route("POST /v1/members", Token(TENANT_ADMIN, PatWrite), NamesNothing, "{}"),
        route("GET /v1/members/{id}", Token(TENANT_ADMIN, PatWrite), TenantThing, ""),
        route("PATCH /v1/members/{id}", Token(TENANT_ADMIN, PatWrite), TenantThing, r#"{"display_name":"stolen"}"#),
        route("DELETE /v1/members/{id}", Token(TENANT_ADMIN, PatWrite), TenantThing, ""),
        // A trail names what its own project's callers asked for, also in vain: `audit` has its cases.
        route("GET /v1/audit", Token(ADMIN, WorkflowRead), NamesNothing, ""),
        // Any valid token may connect; each tool asks for more.
        route("POST /mcp", OwnProof("platform_mcp"), NamesNothing, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),

        // They tell of the caller's own project; `analytics` shows that.
        route("GET /v1/analytics/live-runs", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/success-rate", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/execution-duration", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/runs-count", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/steps-executed", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/credits-consumed", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/steps-summary", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/runs-timeseries", Token(VIEWER, AnalyticsRead), NamesNothing, ""),
        route("GET /v1/analytics/usage-timeseries", Token(VIEWER, AnalyticsRead), NamesNothing, ""),

        route("GET /v1/connections", Token(CONTRIBUTOR, ConnectionRead), List(pages), ""),
        route("POST /v1/connections", Token(CONTRIBUTOR, ConnectionWrite), NamesNothing, "{}"),
        route("GET /v1/connections/{id}", Token(CONTRIBUTOR, ConnectionRead), Thing, ""),
        route("PATCH /v1/connections/{id}", Token(CONTRIBUTOR, ConnectionWrite), Thing, r#"{"display_name":"stolen"}"#),
        route("DELETE /v1/connections/{id}", Token(CONTRIBUTOR, ConnectionWrite), Thing, ""),
        route("GET /v1/connections/{id}/credentials", Token(CONTRIBUTOR, ConnectionRead), Thing, ""),

        route("GET /v1/inbound-webhooks", Token(CONTRIBUTOR, WebhookRead), List(pages), ""),
        route("POST /v1/inbound-webhooks", Token(CONTRIBUTOR, WebhookWrite), NamesNothing, "{}"),
        route("GET /v1/inbound-webhooks/{id}", Token(CONTRIBUTOR, WebhookRead), Thing, ""),
        route("PATCH /v1/inbound-webhooks/{id}", Token(CONTRIBUTOR, WebhookWrite), Thing, r#"{"name":"stolen"}"#),
        route("DELETE /v1/inbound-webhooks/{id}", Token(CONTRIBUTOR, WebhookWrite), Thing, ""),
        route("POST /v1/inbound-webhooks/{id}/rotate-secret", Token(CONTRIBUTOR, WebhookWrite), Thing, "{}"),
        route("GET /v1/inbound-webhooks/{id}/deliveries", Token(CONTRIBUTOR, WebhookRead), Thing, ""),
        // Anybody may call it with any id; what it takes for a proof is in `webhooks`.
        route("POST /v1/inbound-webhooks/{id}", OwnProof("webhooks"), NamesNothing, "{}"),
    ]
    .into_iter()
    .chain(table_of_mcp())
    .chain(table_of_plans())
    .collect()
}

#[rustfmt::skip]
fn table_of_mcp() -> Vec<Route> {
    let pages = &["?limit=100", "?limit=1"];
    let route = |name, who, others, body| Route { name, who, others, body };
    vec![
        route("GET /v1/mcp/platform-catalog", Token(CONTRIBUTOR, McpRead), NamesNothing, ""),
        route("GET /v1/mcp/tools", Token(CONTRIBUTOR, McpRead), List(pages), ""),
        route("GET /v1/mcp/servers", Token(CONTRIBUTOR, McpRead), List(pages), ""),
        route("POST /v1/mcp/servers", Token(CONTRIBUTOR, McpWrite), NamesNothing, "{}"),
        route("GET /v1/mcp/servers/{id}", Token(CONTRIBUTOR, McpRead), Thing, ""),
        route("PATCH /v1/mcp/servers/{id}", Token(CONTRIBUTOR, McpWrite), Thing, r#"{"description":"stolen"}"#),
        route("DELETE /v1/mcp/servers/{id}", Token(CONTRIBUTOR, McpWrite), Thing, ""),
        route("POST /v1/mcp/servers/{id}/discover", Token(CONTRIBUTOR, McpWrite), Thing, "{}"),
        route("GET /v1/mcp/servers/{id}/versions", Token(CONTRIBUTOR, McpRead), Thing, ""),
        route("POST /v1/mcp/servers/{id}/versions", Token(CONTRIBUTOR, McpWrite), Thing, r#"{"tools":[{"name":"t"}]}"#),
        route("POST /v1/mcp/servers/{id}/validate", Token(CONTRIBUTOR, McpWrite), Thing, "{}"),
        route("POST /v1/mcp/servers/{id}/connections/{connection_id}/validate", Token(CONTRIBUTOR, McpWrite), Thing, "{}"),
        route("GET /v1/mcp/instances", Token(CONTRIBUTOR, McpRead), List(pages), ""),
        route("POST /v1/mcp/instances", Token(CONTRIBUTOR, McpWrite), NamesNothing, "{}"),
        route("POST /v1/mcp/instances/resolve", Token(CONTRIBUTOR, McpRead), NamesNothing, r#"{"graph":{}}"#),
        route("GET /v1/mcp/instances/{id}", Token(CONTRIBUTOR, McpRead), Thing, ""),
        route("PATCH /v1/mcp/instances/{id}", Token(CONTRIBUTOR, McpWrite), Thing, r#"{"name":"stolen"}"#),
        route("DELETE /v1/mcp/instances/{id}", Token(CONTRIBUTOR, McpWrite), Thing, ""),
        route("POST /v1/mcp/instances/{id}/validate", Token(CONTRIBUTOR, McpWrite), Thing, "{}"),
        route("POST /v1/mcp/instances/{id}/tools/{tool_name}/call", Token(CONTRIBUTOR, McpExecute), Thing, "{}"),
        route("GET /v1/mcp/instances/{id}/config-profiles", Token(CONTRIBUTOR, McpRead), Thing, ""),
        route("POST /v1/mcp/instances/{id}/config-profiles", Token(CONTRIBUTOR, McpWrite), Thing, r#"{"name":"stolen"}"#),
        route("PATCH /v1/mcp/instances/{id}/config-profiles/{profile_id}", Token(CONTRIBUTOR, McpWrite), Thing, r#"{"name":"stolen"}"#),
        route("POST /v1/mcp/instances/{id}/config-profiles/{profile_id}/set-active", Token(CONTRIBUTOR, McpWrite), Thing, "{}"),
        route("GET /v1/workflows/{id}/connection-overrides", Token(CONTRIBUTOR, McpRead), Thing, ""),
        route("PUT /v1/workflows/{id}/connection-overrides", Token(CONTRIBUTOR, McpWrite), Thing, r#"{"overrides":[]}"#),
    ]
}

// They tell of the caller's own workspace, and change it; `billing_stripe` shows that.
#[rustfmt::skip]
fn table_of_plans() -> Vec<Route> {
    let route = |name, who, others, body| Route { name, who, others, body };
    let (reads, changes) = (Token(CONTRIBUTOR, BillingRead), Token(TENANT_ADMIN, BillingWrite));
    vec![
        route("GET /v1/billing/plans", reads, NamesNothing, ""),
        route("GET /v1/billing/status", reads, NamesNothing, ""),
        route("GET /v1/billing/summary", reads, NamesNothing, ""),
        route("GET /v1/billing/payment-history", reads, TenantList(&["?limit=100", "?limit=1"]), ""),
        route("GET /v1/config/stripe", reads, NamesNothing, ""),
        route("POST /v1/billing/trial", changes, NamesNothing, "{}"),
        route("POST /v1/billing/subscription", changes, NamesNothing, r#"{"plan_code":"free"}"#),
        route("POST /v1/billing/subscription/change-plan", changes, NamesNothing, r#"{"plan_code":"free"}"#),
        route("POST /v1/billing/subscription/cancel", changes, NamesNothing, "{}"),
        route("POST /v1/billing/subscription/convert-trial-now", changes, NamesNothing, "{}"),
        route("POST /v1/billing/topups/payg/intent", changes, NamesNothing, r#"{"amount_cents":2000}"#),
        route("POST /v1/billing/codes", Operator, NamesNothing, r#"{"code":"C","microcredits":1}"#),
        route("POST /v1/billing/codes/apply", changes, NamesNothing, r#"{"code":"C"}"#),
        route("POST /v1/billing/discounts/validate", changes, NamesNothing, r#"{"code":"C"}"#),
        // What it takes for a proof is in `billing_stripe`.
        route("POST /v1/billing/stripe-webhook", OwnProof("billing_stripe"), NamesNothing, "{}"),
    ]
}

/// The table's line of every route of the document; both must have the same routes.
pub fn routes() -> Vec<Route> {
    let document = serde_json::to_value(local::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let documented: BTreeSet<String> = paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let table = table();
    let named: BTreeSet<String> = table.iter().map(|route| route.name.to_owned()).collect();
    assert_eq!(named.len(), table.len(), "a route has two lines in tests/it/routes.rs");
    let missing: Vec<_> = documented.difference(&named).collect();
    assert!(missing.is_empty(), "routes without their line in tests/it/routes.rs: {missing:?}");
    let gone: Vec<_> = named.difference(&documented).collect();
    assert!(gone.is_empty(), "lines of tests/it/routes.rs without a route: {gone:?}");
    table
}

/// A path of this shape whose ids are well formed and name nothing, unless a word is asked for.
pub fn some_path(template: &str) -> String {
    let mut path = template.replace("{n}", "1").replace("{task_id}", "ask");
    while let Some((before, rest)) = path.split_once('{') {
        let (_, after) = rest.split_once('}').unwrap();
        path = format!("{before}0199c000-0000-7000-8000-000000000001{after}");
    }
    path
}

/// Calls a route with ids that name nothing.
async fn call(client: &Client, route: &Route) -> it::Answer {
    client.send(route.method(), &some_path(route.template()), route.body).await
}

/// What routes answer here that need what this deployment does not have.
const NOT_DEPLOYED: &[(&str, u16)] = &[("BILLING_PROVIDER_NOT_CONFIGURED", 503)];

/// That a caller who may call a route got through to what it does: past its permission, with a body that can be read, and
/// without a failure of ours.
fn got_through(answer: &it::Answer, what: &str) {
    let (status, code) = (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default());
    let told = || format!("{what}: {status} {:#}", answer.body);
    assert!(!["ROLE_TOO_LOW", "SCOPE_MISSING"].contains(&code), "{}", told());
    assert!(![400, 401, 405, 415].contains(&status), "{}", told());
    assert!(status < 500 || NOT_DEPLOYED.contains(&(code, status)), "{}", told());
}

async fn with_role(app: &TestApp, role: Role, scopes: &[Scope]) -> Workspace {
    app.member(("acme", "default"), role, scopes, None).await
}

#[tokio::test]
async fn every_route_but_the_open_ones_wants_a_valid_token() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let strangers = [
        app.anyone.clone(),
        app.anyone.bearer("garbage"),
        app.anyone.bearer(&acme.token[..acme.token.len() - 1]),
        app.anyone.with("authorization", &format!("Basic {}", acme.token)),
    ];
    for route in routes() {
        for client in &strangers {
            let answer = call(client, &route).await;
            match route.who {
                Open => assert!(answer.status.is_success(), "{}: {:#}", route.name, answer.body),
                Operator | Token(..) => drop(answer.refused(401, "UNAUTHENTICATED")),
                OwnProof(_) => {
                    let (status, code) = (answer.status.as_u16(), answer.body["code"].as_str());
                    let refused = (400..500).contains(&status)
                        || code.is_some_and(|code| NOT_DEPLOYED.contains(&(code, status)));
                    assert!(refused, "{}: {status} {:#}", route.name, answer.body);
                }
            }
        }
        match route.who {
            Operator => drop(call(&acme.client, &route).await.refused(401, "UNAUTHENTICATED")),
            Token(..) => drop(call(&app.operator(), &route).await.refused(401, "UNAUTHENTICATED")),
            Open | OwnProof(_) => {}
        }
    }
}

#[tokio::test]
async fn headers_that_name_another_place_are_refused_on_every_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    app.workspace("other").await;
    for route in routes().iter().filter(|route| matches!(route.who, Token(..))) {
        for (header, value) in
            [("x-tenant-id", "other"), ("x-tenant-id", "nobody"), ("x-project-id", "other")]
        {
            call(&acme.client.with(header, value), route).await.refused(403, "WRONG_PLACE");
        }
        let own = acme.client.with("x-tenant-id", "acme").with("x-project-id", "default");
        let answer = call(&own, route).await;
        assert_ne!(answer.status, 403, "{}", route.name);
        got_through(&answer, &format!("{} with its own place", route.name));
    }
}

#[tokio::test]
async fn each_role_reaches_the_routes_that_it_may_call_and_no_others() {
    let app = TestApp::without_worker(Clock::System).await;
    app.workspace("acme").await;
    for role in ROLES {
        for route in routes() {
            let Token(needed, _) = route.who else { continue };
            // A caller of its own for each route: some of them end what they are called with.
            let caller = with_role(&app, role, &[]).await;
            let answer = call(&caller.client, &route).await;
            if role < needed {
                answer.refused(403, "ROLE_TOO_LOW");
            } else {
                got_through(&answer, &format!("{} as {role:?}", route.name));
            }
        }
    }
}

#[tokio::test]
async fn each_scope_grants_its_own_routes_and_no_others() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let named: Vec<&str> = GRANTS.iter().map(|(name, _)| *name).collect();
    let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    assert_eq!(named, known, "a scope has no line in GRANTS of tests/it/routes.rs");
    for (name, granted) in GRANTS {
        let new = serde_json::json!({ "display_name": name, "scopes": [name] });
        let made = acme.client.post("/v1/pats", &new).await.expect(201);
        assert_eq!(made["scopes"], serde_json::json!([name]), "it is answered as it was given");
        let caller = app.anyone.bearer(made["token"].as_str().unwrap());
        for route in routes() {
            let Token(_, needed) = route.who else { continue };
            let answer = call(&caller, &route).await;
            if granted.contains(&needed) {
                got_through(&answer, &format!("{} with {name}", route.name));
            } else {
                answer.refused(403, "SCOPE_MISSING");
            }
        }
        // Which ends it: a member has at most so many.
        acme.client.delete(&format!("/v1/pats/{}", made["id"].as_str().unwrap())).await.expect(204);
    }
}

#[test]
fn bodies_of_the_table_are_json() {
    for route in table() {
        assert_eq!(route.body.is_empty(), matches!(route.method(), "GET" | "DELETE"), "{}", route.name);
        if !route.body.is_empty() {
            assert!(serde_json::from_str::<Value>(route.body).unwrap().is_object(), "{}", route.name);
        }
    }
}
