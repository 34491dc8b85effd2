//! The tools that find connectors and tools, and those of webhooks and tokens that answer no secret.

use it::{McpStandIn, TestApp, graph, lua, pat_id};
use serde_json::{Value, json};
use shared::types::clock::Clock;

use super::tools::Caller;

fn connectors(groups: &Value, group: &str) -> Vec<String> {
    let all = groups[group]["connectors"].as_array().unwrap().iter();
    all.map(|connector| connector["connector"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story, call by call")]
async fn connectors_are_found_from_the_catalog_to_a_tools_schema() {
    let (app, stand_in) = (TestApp::without_worker(Clock::System).await, McpStandIn::start().await);
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let made = async |path: &str, new: Value| {
        acme.client.post(path, &new).await.expect(201)["id"].as_str().unwrap().to_owned()
    };
    let server =
        |name: &str, auth: &str| json!({ "name": name, "canonical_url": stand_in.url, "auth_mode": auth });
    let desk = made("/v1/mcp/servers", server("Desk", "none")).await;
    let path = format!("/v1/mcp/servers/{desk}");
    acme.client.post(&format!("{path}/discover"), &json!({})).await.expect(200);
    acme.client.post(&format!("{path}/versions"), &json!({ "activate": true })).await.expect(201);
    let locked = made("/v1/mcp/servers", server("Locked", "token")).await;
    made("/v1/mcp/servers", server("Waiting", "none")).await;
    let instance = made("/v1/mcp/instances", json!({ "server_id": desk })).await;
    let closed = made("/v1/mcp/instances", json!({ "server_id": locked })).await;

    let browsed = tools.call("catalog_connectors_browse", json!({})).await;
    let groups = &browsed["groups"];
    assert_eq!(connectors(groups, "ready"), ["desk"]);
    assert_eq!(connectors(groups, "needs_connection"), ["locked"]);
    let catalog = connectors(groups, "catalog");
    assert!(catalog.contains(&"waiting".to_owned()) && catalog.contains(&"github".to_owned()), "{catalog:?}");
    assert_eq!(browsed["total"].as_u64().unwrap() as usize, catalog.len() + 2);
    let mut paged = Vec::new();
    for page in 1.. {
        let page = json!({ "page": page, "page_size": 3 });
        let groups = tools.call("catalog_connectors_browse", page).await["groups"].clone();
        let found = ["ready", "needs_connection", "catalog"].map(|group| connectors(&groups, group)).concat();
        if found.is_empty() {
            break;
        }
        assert!(found.len() <= 3);
        paged.extend(found);
    }
    let mut all = [connectors(groups, "ready"), connectors(groups, "needs_connection"), catalog].concat();
    all.sort();
    paged.sort();
    assert_eq!(paged, all, "each on one page");
    // With its credentials it can be called.
    let key = json!({ "display_name": "k", "provider": "p", "service": "api_key", "credentials": { "api_key": "v" } });
    let connection = made("/v1/connections", key).await;
    let profiles = format!("/v1/mcp/instances/{closed}/config-profiles");
    let profile =
        made(&profiles, json!({ "name": "p", "source_spec": { "connection_id": connection } })).await;
    acme.client.post(&format!("{profiles}/{profile}/set-active"), &json!({})).await.expect(200);
    let browsed = tools.call("catalog_connectors_browse", json!({})).await;
    assert_eq!(connectors(&browsed["groups"], "ready"), ["desk", "locked"]);

    let by_words = tools.call("catalog_tools_search", json!({ "query": "ADDS num" })).await;
    let by_name = tools.call("catalog_tools_search", json!({ "tools": ["add"] })).await;
    assert_eq!(by_words, by_name);
    let found = &by_name["connectors"][0];
    assert_eq!((&found["connector"], &found["server_id"]), (&json!("desk"), &json!(desk)), "{by_name:#}");
    assert_eq!(found["tools"][0]["name"], "add");
    let expected =
        json!([{ "instance_id": instance, "name": "Desk", "enabled": true, "has_connection": true }]);
    assert_eq!(found["instances"], expected);
    let both = tools.call("catalog_tools_search", json!({ "tools": ["add", "echo"], "query": "adds" })).await;
    assert_eq!(both["total"], 2, "each once: {both:#}");
    let second = json!({ "tools": ["add", "echo"], "page": 2, "page_size": 1 });
    let second = tools.call("catalog_tools_search", second).await;
    assert_eq!(second["connectors"][0]["tools"].as_array().unwrap().len(), 1);
    let nothing = tools.call("catalog_tools_search", json!({ "query": "no such words" })).await;
    assert_eq!((&nothing["total"], &nothing["connectors"]), (&json!(0), &json!([])));

    let schemas = tools.call("catalog_tools_schema", json!({ "tools": ["add", "ADD", "add", "echo"] })).await;
    let named: Vec<&Value> = schemas["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(named, ["add", "echo"]);
    assert_eq!(schemas["errors"][0]["name"], "ADD");
    assert_eq!(schemas["errors"][0]["code"], "not_found");
    let server = tools.call("catalog_servers_get", json!({ "server_id": desk })).await;
    let own = server["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "add").unwrap();
    for schema in ["input_schema", "output_schema"] {
        assert_eq!(schemas["tools"][0][schema], own[schema], "{schema}");
    }
    assert!(schemas["tools"][0]["input_schema"]["properties"].is_object());
    let listed = tools.call("catalog_tools_list", json!({ "limit": 100 })).await;
    assert_eq!(listed["tools"].as_array().unwrap().len(), server["tools"].as_array().unwrap().len());
    // What was found makes a step that is valid.
    let step = json!({ "id": "sum", "type": "mcp_call", "tool_name": "add",
                       "instance_id": found["instances"][0]["instance_id"], "tool_args": { "a": 1 } });
    let checked = tools.call("workflows_validate", json!({ "graph": { "steps": [step] } })).await;
    assert_eq!(checked["valid"], true, "{checked:#}");
}

#[tokio::test]
async fn arguments_of_catalog_tools_that_do_not_fit_are_named() {
    let app = TestApp::without_worker(Clock::System).await;
    let tools = Caller::of(&app.workspace("acme").await).await;
    let names: Vec<String> = (0..21).map(|number| format!("tool{number}")).collect();
    for (tool, arguments, named) in [
        ("catalog_connectors_browse", json!({ "page": 0 }), "page"),
        ("catalog_connectors_browse", json!({ "page_size": 101 }), "page_size"),
        ("catalog_connectors_browse", json!({ "q": "x" }), "q"),
        ("catalog_tools_search", json!({}), "query"),
        ("catalog_tools_search", json!({ "query": "  " }), "query"),
        ("catalog_tools_search", json!({ "tools": names }), "tools"),
        ("catalog_tools_search", json!({ "tools": "add" }), "tools"),
        ("catalog_tools_schema", json!({}), "tools"),
        ("catalog_tools_schema", json!({ "tools": [] }), "tools"),
        ("catalog_tools_schema", json!({ "tools": names }), "tools"),
        ("catalog_tools_schema", json!({ "tools": [7] }), "tools"),
        ("catalog_tools_list", json!({ "limit": 0 }), "limit"),
        ("catalog_servers_get", json!({ "server_id": "tools" }), "server_id"),
    ] {
        let error = tools.mcp.refused(tool, &arguments, 422, "INVALID_REQUEST").await;
        assert!(error["error"].as_str().unwrap().contains(named), "{tool} {arguments}: {error:#}");
    }
    let absent = json!({ "server_id": "0199c000-0000-7000-8000-000000000001" });
    tools.mcp.refused("catalog_servers_get", &absent, 404, "NOT_FOUND").await;
    // A name that would be another parameter is a name.
    let odd = json!({ "tools": ["add&limit=0", "../x", "%2e%2e", " "] });
    assert_eq!(tools.mcp.call("catalog_tools_schema", &odd).await["errors"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn webhooks_and_tokens_are_listed_and_ended_without_a_secret() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&acme).await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let sender = acme.subscribe(&workflow, json!({})).await;
    let listed = tools.call("inbound_webhooks_list", json!({})).await;
    assert!(!listed.to_string().contains(&sender.secret), "{listed:#}");
    let subscriptions = listed.as_object().unwrap().values().find_map(Value::as_array).unwrap();
    let gone = json!({ "subscription_id": subscriptions[0]["id"] });
    assert_eq!(tools.call("inbound_webhooks_delete", gone.clone()).await, json!({}));
    tools.mcp.refused("inbound_webhooks_delete", &gone, 404, "NOT_FOUND").await;
    sender.deliver(b"{}").await.refused(404, "NOT_FOUND");

    let made = acme.client.post("/v1/pats", &json!({ "display_name": "CI" })).await.expect(201);
    let token = made["token"].as_str().unwrap();
    let listed = tools.call("pats_list", json!({ "limit": 100 })).await.to_string();
    assert!(listed.contains(&pat_id(token)) && !listed.contains(token), "{listed}");
    let revoke = json!({ "pat_id": made["id"] });
    assert_eq!(tools.call("pats_revoke", revoke.clone()).await, json!({}));
    tools.mcp.refused("pats_revoke", &revoke, 404, "NOT_FOUND").await;
}
