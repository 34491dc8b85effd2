//! The pages "Tokens", "Billing", "Analytics", "LLM providers", "Errors" and "MCP server".

use it::{McpClient, graph, human, lua, lua_after};
use serde_json::json;

use super::{Reader, has, text};

pub(super) async fn tokens(reader: &Reader) {
    let new = json!({ "display_name": "CI deploy", "scopes": ["workflow:read", "workflow:run"] });
    let made = reader.api.post("/v1/pats", &new).await.expect(201);
    has(&made, &["id", "created_at"]);
    assert_eq!((&made["display_name"], &made["scopes"]), (&new["display_name"], &new["scopes"]));
    let token = text(&made, "token");
    assert!(token.starts_with("pat_"));
    let path = format!("/v1/pats/{}", text(&made, "id"));
    let bearer = reader.app.anyone.bearer(&token).with("x-tenant-id", "acme");
    let ci = bearer.with("x-project-id", "default");
    ci.get("/v1/workflows").await.expect(200);
    ci.post("/v1/workflows", &json!({})).await.refused(403, "SCOPE_MISSING");
    bearer.with("x-project-id", "prod").get("/v1/workflows").await.refused(403, "WRONG_PLACE");
    let listed = reader.api.get("/v1/pats").await.expect(200);
    assert!(!listed.to_string().contains(&token), "{listed:#}");
    has(&listed["pats"][0], &["id", "display_name", "token_hint", "created_at"]);
    reader.api.get(&format!("{path}/reveal")).await.refused(410, "ALREADY_SHOWN");
    reader.api.delete(&path).await.expect(204);
}

pub(super) async fn billing(reader: &Reader) {
    let api = &reader.api;
    let read = async |what: &str| api.get(&format!("/v1/billing/{what}")).await.expect(200);
    reader.app.grant("acme", "payg", 5_000_000, "documented").await;
    let usage = read("usage").await;
    has(&usage, &["trial_remaining", "included_remaining", "payg_remaining", "total_remaining_microcredits"]);
    let plans = read("plans").await;
    let plan = |code: &str| {
        plans["plans"].as_array().unwrap().iter().find(|plan| plan["plan_code"] == code).cloned()
    };
    has(
        &plan("pro").unwrap(),
        &[
            "stripe_price_id",
            "amount",
            "currency",
            "interval",
            "interval_count",
            "product_name",
            "trial_enabled",
            "trial_requires_card",
            "trial_days",
            "trial_credits_granted",
            "onboarding_default",
            "self_serve_onboarding",
        ],
    );
    assert_eq!(
        (&plan("free").unwrap()["amount"], &plan("free").unwrap()["trial_enabled"]),
        (&json!(0), &json!(false))
    );
    assert!(!plans.to_string().contains("product_code"));
    for what in ["summary", "status", "usage-dimensions", "usage-history", "payment-history"] {
        assert!(read(what).await.is_object(), "{what}");
    }
    let prices = read("action-pricing").await;
    has(&prices["actions"][0], &["action", "unit", "microcredits"]);
    has(&api.get("/v1/config/stripe").await.expect(200), &["publishable_key"]);
    api.post("/v1/billing/trial", &json!({})).await.expect(200);
    assert_ne!(read("usage").await["trial_remaining"], 0);
    let topup = json!({ "amount_cents": 2000, "microcredits": 20_000_000, "currency": "usd", "idempotency_key": "k1" });
    assert!(api.post("/v1/billing/topups/payg/intent", &topup).await.expect(200).is_object());
}

pub(super) async fn analytics(reader: &Reader) {
    for figure in crate::analytics::ROUTES {
        for query in ["", "?window=week", "?window=all", "?from=2026-01-01T00:00:00Z&to=2026-01-08T00:00:00Z"]
        {
            let answer = reader.api.get(&format!("/v1/analytics/{figure}{query}")).await.expect(200);
            assert!(answer.is_object(), "{figure}");
        }
    }
    let series =
        reader.api.get("/v1/analytics/runs-timeseries?window=month&granularity=day").await.expect(200);
    assert!(series.is_object());
}

pub(super) async fn models(reader: &Reader) {
    let api = &reader.api;
    let catalog = api.get("/v1/llm-provider-keys/catalog").await.expect(200);
    has(&catalog, &["providers"]);
    let key = api
        .post("/v1/llm-provider-keys", &json!({ "provider": "openai", "api_key": "sk-of-the-page" }))
        .await;
    let key = key.expect(201);
    assert!(!key.to_string().contains("sk-of-the-page"), "{key:#}");
    let resolved =
        api.post("/v1/llm/resolve", &json!({ "model_ref": "direct.openai.gpt-4o-mini" })).await.expect(200);
    has(&resolved, &["provider", "model"]);
    let path = format!("/v1/llm-provider-keys/{}", text(&key, "id"));
    api.post(&format!("{path}/rotate"), &json!({ "api_key": "sk-another" })).await.expect(200);
    assert!(!api.get("/v1/llm-provider-keys").await.expect(200).to_string().contains("sk-another"));
    api.delete(&path).await.expect(204);
}

pub(super) async fn errors(reader: &Reader) {
    let unreadable = reader.api.send("POST", "/v1/workflows", "{").await.expect(400);
    has(&unreadable, &["error", "code", "request_id"]);
    reader.app.anyone.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    let absent = "/v1/workflows/0199c000-0000-7000-8000-000000000001";
    let answer = reader.api.get(absent).await;
    assert!(answer.header("x-request-id").is_some());
    for header in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert!(answer.header(header).is_some(), "{header}");
    }
    answer.refused(404, "NOT_FOUND");
    let unknown =
        reader.api.post("/v1/workflows", &json!({ "name": "n", "graph": {}, "colour": "red" })).await;
    let unknown = unknown.expect(422);
    assert!(unknown["error"].as_str().unwrap().contains("colour"), "{unknown:#}");
    let bad = json!({ "graph": { "steps": [{ "id": "a", "type": "lua_script", "script": "return 1 +" }] } });
    let checked = reader.api.post("/v1/workflows/validate", &bad).await.expect(200);
    has(&checked["issues"][0], &["severity", "code", "step_id", "message"]);
    let keyed = reader.api.with("idempotency-key", "documented");
    let new = json!({ "name": "once", "graph": graph([lua("a", "return {}")]) });
    let first = keyed.post("/v1/workflows", &new).await.expect(201);
    assert_eq!(keyed.post("/v1/workflows", &new).await.expect(201)["id"], first["id"]);
    let other = json!({ "name": "twice", "graph": graph([lua("a", "return {}")]) });
    keyed.post("/v1/workflows", &other).await.expect(409);
}

pub(super) async fn platform_mcp(reader: &Reader) {
    // As an IDE is set up: the address and the bearer, nothing else.
    let ide = McpClient::new(&reader.app.anyone.bearer(&reader.acme.token));
    let health = ide.call("ar_health_summary", &json!({})).await;
    assert_eq!(health["status"], "ok");
    let listed = ide.call("workflows_list", &json!({ "q": "hello" })).await;
    assert_eq!(listed["workflows"][0]["id"], *reader.workflow);
    let start = json!({ "workflow_id": reader.workflow, "command": "start", "params": { "env": "staging" } });
    let started = ide.call("workflows_execute_command", &start).await;
    has(&started, &["run_id", "status", "workflow_id"]);
    reader.app.work().await;
    let of_run = json!({ "workflow_id": reader.workflow, "run_id": started["run_id"] });
    let summary = ide.call("runs_get_summary", &of_run).await;
    has(&summary, &["orchestration_phase", "run_complete"]);
    assert_eq!(ide.call("runs_get_context", &of_run).await["input"], json!({ "env": "staging" }));
    let instances =
        ide.call("catalog_bff_request", &json!({ "method": "GET", "path": "/v1/mcp/instances" })).await;
    let instance = text(&instances["body"]["instances"][0], "id");
    let path = format!("/v1/mcp/instances/{instance}/validate");
    ide.call("catalog_bff_request", &json!({ "method": "POST", "path": path })).await;
    ide.call("catalog_bff_request", &json!({ "method": "GET", "path": "/v1/mcp/platform-catalog" })).await;
    let read = json!({ "workflow_id": reader.workflow, "run_id": started["run_id"], "duration_s": 1 });
    assert_eq!(ide.call("workflows_stream_websocket", &read).await["stopped_by"], "run_over");

    // As the authoring skill goes about it.
    let ready = ide.call("catalog_connectors_browse", &json!({ "page": 1, "page_size": 100 })).await;
    assert_eq!(ready["groups"]["ready"]["connectors"][0]["connector"], "internal_tools", "{ready:#}");
    let search = json!({ "tools": ["add"], "query": "adds", "page": 1, "page_size": 100 });
    let found = ide.call("catalog_tools_search", &search).await;
    assert_eq!(found["connectors"][0]["instances"][0]["instance_id"], *instance);
    assert_eq!(found["connectors"][0]["instances"][0]["has_connection"], true);
    let schemas = ide.call("catalog_tools_schema", &json!({ "tools": ["add", "no_such_tool"] })).await;
    has(&schemas["tools"][0], &["name", "input_schema"]);
    assert_eq!(schemas["errors"][0]["code"], "not_found");
    let made = ide
        .call("workflows_create", &json!({ "name": "authored", "graph": graph([lua("a", "return {}")]) }))
        .await;
    let steps = graph([
        human("review", &[]),
        lua_after("after", &["review"], "return { ok = steps.review.result.approved }"),
    ]);
    let id = made["id"].clone();
    ide.call("workflows_update", &json!({ "workflow_id": id, "graph": steps })).await;
    let check = json!({ "workflow_id": id, "graph": steps, "params": { "trigger_payload": { "message_text": "Hi" } } });
    let checked = ide.call("workflows_validate", &check).await;
    assert_eq!(checked["valid"], true, "{checked:#}");
    has(&checked, &["issues", "checks_performed", "blockers", "validation_evidence"]);
    assert_eq!(checked["topological_order"], json!(["review", "after"]));
    ide.call("workflows_publish_version", &json!({ "workflow_id": id })).await;
    let run = ide.call("workflow_run", &json!({ "workflow_id": id, "wait": false })).await;
    reader.app.work().await;
    let of_run = json!({ "workflow_id": id, "run_id": run["run_id"] });
    assert_eq!(ide.call("workflow_inspect", &of_run).await["tasks"][0]["step_id"], "review");
    ide.call("workflow_approve", &of_run).await;
    reader.app.work().await;
    assert_eq!(ide.call("workflow_await", &of_run).await["outputs"], json!({ "after": { "ok": true } }));
}
