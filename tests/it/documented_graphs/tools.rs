//! Graphs that call tools and models.

use it::ToolCall;
use serde_json::{Value, json};

use super::{Scene, entry, structured, text};

const SERVER: (&str, &str) = ("REPLACE_SERVER_URL", "REPLACE_MAIL_INSTANCE_ID");
const DATA: (&str, &str) = ("REPLACE_DATA_SERVER_URL", "REPLACE_DATA_INSTANCE_ID");

fn calculator(call: &ToolCall) -> Value {
    let number = |key: &str| call.arguments[key].as_f64().unwrap_or(f64::NAN);
    structured(match call.name.as_str() {
        "add" => json!({ "result": number("a") + number("b") }),
        "multiply" => json!({ "result": number("a") * number("b") }),
        "text_processor" => {
            json!({ "processed_text": call.arguments["text"].as_str().unwrap_or_default().to_uppercase() })
        }
        _ => call.arguments.clone(),
    })
}

#[tokio::test]
async fn values_keep_their_types_through_a_diamond_of_calls() {
    let mut scene = Scene::new().await;
    let tools = ["add", "multiply", "text_processor", "data_validator"];
    let server = scene.server(SERVER, &tools, calculator).await;
    assert_eq!(scene.warnings("02-mcp-diamond", &json!({})).await, [""; 0]);
    let (run, outputs) = scene.completed("02-mcp-diamond").await;
    let calls = server.calls();
    let twice = calls.iter().find(|call| call.arguments["b"] == 2).unwrap();
    assert!(twice.arguments["a"].is_number() && twice.arguments["a"].as_f64() == Some(12.0));
    let checked = calls.iter().find(|call| call.name == "data_validator").unwrap();
    assert_eq!(checked.arguments["data"]["math"].as_f64(), Some(72.0));
    assert_eq!(checked.arguments["data"]["text"].as_str().unwrap().trim_end_matches(".0"), "NOW: 24");
    assert_eq!(outputs["check"], checked.arguments);
    let story = run.story().await;
    let place = |line: &str| story.iter().position(|known| known == line).unwrap();
    for (one, other) in [("thrice", "shout"), ("shout", "thrice")] {
        let (begun, over) = (format!("step_started {one}"), format!("step_completed {other}"));
        assert!(place(&begun) < place(&over), "they overlap: {story:#?}");
    }
}

#[tokio::test]
async fn scripts_name_steps_with_underscores() {
    fn shop(call: &ToolCall) -> Value {
        structured(match call.name.as_str() {
            "get_product" => json!({ "name": "X", "price": 20 }),
            _ => json!({ "tier": "gold" }),
        })
    }
    let mut scene = Scene::new().await;
    let _server = scene.server(SERVER, &["get_product", "get_customer"], shop).await;
    let models = scene.model("One X at $17.00").await;
    let params = &entry("04-mcp-lua-llm-pipeline")["start_params"];
    assert_eq!(scene.warnings("04-mcp-lua-llm-pipeline", params).await, [""; 0]);
    let report = scene.validate("04-mcp-lua-llm-pipeline", &json!({ "sku": "S-1" })).await;
    assert_eq!(super::found(&report), ["input_unresolvable fetch-customer $.steps[1].tool_args.email"]);
    let (run, outputs) = scene.completed("04-mcp-lua-llm-pipeline").await;
    assert_eq!(run.result("price").await["line"], "X: $17.00");
    let invoice = outputs["invoice"].as_object().unwrap();
    let keys: Vec<&String> = invoice.keys().collect();
    assert_eq!(keys, ["latency_ms", "model", "text", "tokens_in", "tokens_out"]);
    assert!(models.bodies().await[0].to_string().contains("One invoice line for: X: $17.00"));
}

#[tokio::test]
async fn a_models_json_is_parsed_by_the_script_after_it() {
    let scene = Scene::new().await;
    let _models = scene.model(r#"{"items":["a","b"]}"#).await;
    let name = "06-for-each-over-llm-json";
    assert_eq!(scene.warnings(name, &json!({})).await, [""; 0]);
    let mocks = json!({ "graph": scene.graph(name), "params": {},
                        "mock_step_outputs": { "make": { "text": r#"{"items":[1]}"# } } });
    let report = scene.acme.client.post("/v1/workflows/validate", &mocks).await.expect(200);
    assert_eq!(report["check_results"]["lua_fixture"], "passed", "{report:#}");
    let (_, outputs) = scene.completed(name).await;
    assert_eq!(outputs["each"]["count"], 2);
}

#[tokio::test]
async fn empty_texts_are_values() {
    let mut scene = Scene::new().await;
    let server = scene.server(SERVER, &["postgres_exec"], |_| structured(json!({ "rows": 1 }))).await;
    let name = "19-form-ingest";
    assert_eq!(scene.warnings(name, &entry(name)["start_params"]).await, [""; 0]);
    scene.completed(name).await;
    assert_eq!(server.calls()[0].arguments["args"], json!(["a@example.test", "", "", "webhook"]));
}

/// The database and the mail of the reports.
fn office(call: &ToolCall) -> Value {
    structured(match call.name.as_str() {
        "postgres_query" => json!({ "rows": [{ "id": 1, "email": "a@example.test" }] }),
        _ => json!({ "sent": true }),
    })
}

#[tokio::test]
async fn rows_stand_in_the_prompt_as_json() {
    let mut scene = Scene::new().await;
    let server = scene.server(SERVER, &["postgres_query", "send_email"], office).await;
    let models = scene.model("- one").await;
    let name = "20-form-digest";
    assert_eq!(scene.warnings(name, &entry(name)["start_params"]).await, [""; 0]);
    let report = scene.validate(name, &json!({})).await;
    assert_eq!(super::found(&report), ["input_unresolvable send $.steps[2].tool_args.subject"]);
    scene.completed(name).await;
    let prompt = models.bodies().await[0]["messages"].to_string();
    assert!(prompt.contains(r#"Bullets for: [{\"email\":\"a@example.test\",\"id\":1}]"#), "{prompt}");
    let mail = server.calls().pop().unwrap();
    assert_eq!(
        (&mail.arguments["subject"], &mail.arguments["html"]),
        (&json!("Digest — 2026-11-30"), &json!("- one"))
    );
}

#[tokio::test]
async fn the_weekly_report_is_sent() {
    let mut scene = Scene::new().await;
    let server = scene.server(SERVER, &["postgres_query", "send_email"], office).await;
    let _models = scene.model("All is well.").await;
    let name = "23-weekly-report";
    assert_eq!(scene.warnings(name, &entry(name)["start_params"]).await, [""; 0]);
    scene.completed(name).await;
    let mail = json!({ "to": "lead@example.test", "subject": "Week 2026-W48", "body": "All is well." });
    assert_eq!(server.calls().pop().unwrap().arguments, mail);
}

#[tokio::test]
async fn a_review_is_posted_once_and_only_with_a_yes() {
    fn host(call: &ToolCall) -> Value {
        match call.name.as_str() {
            "get_pull_request" => text(&json!({ "title": "Raise the limit", "body": null })),
            "list_pull_request_files" => text(&json!([{ "filename": "a.rs" }])),
            _ => structured(json!({ "id": 7 })),
        }
    }
    let mut scene = Scene::new().await;
    let tools = ["get_pull_request", "list_pull_request_files", "add_issue_comment"];
    let server = scene.server(SERVER, &tools, host).await;
    let models = scene.model("Looks right.").await;
    let name = "21-pr-review";
    assert_eq!(scene.warnings(name, &entry(name)["start_params"]).await, [""; 0]);
    for (approved, posted) in [(true, 1), (false, 1)] {
        let run = scene.begin(name).await;
        let task = run.tasks().await.remove(0);
        assert_eq!(task["payload"]["title"], "Post on acme/shop#42", "{task:#}");
        assert_eq!(task["payload"]["draft_body"], "Looks right.");
        run.answer("approve", &json!({ "approved": approved })).await.expect(200);
        scene.app.work().await;
        assert_eq!(run.status().await, "completed");
        let of_post = if approved { "post completed" } else { "post condition_false" };
        assert_eq!(run.outcomes().await.pop().unwrap(), of_post);
        let posts = server.calls().into_iter().filter(|call| call.name == "add_issue_comment");
        assert_eq!(posts.count(), posted);
    }
    let asked = server.calls().remove(0);
    assert_eq!(asked.arguments["pull_number"].to_string(), "42");
    let prompt = models.bodies().await[0]["messages"].to_string();
    assert!(prompt.contains(r#"Body: null\nFiles: [{\"filename\":\"a.rs\"}]"#), "{prompt}");
}

#[tokio::test]
async fn a_person_sees_the_models_whole_result() {
    let mut scene = Scene::new().await;
    let _server = scene.server(SERVER, &["classify"], |_| structured(json!({ "category": "billing" }))).await;
    let _models = scene.model("We are sorry.").await;
    let name = "25-support-reply";
    assert_eq!(scene.warnings(name, &entry(name)["start_params"]).await, [""; 0]);
    let run = scene.begin(name).await;
    let payload = run.tasks().await[0]["payload"].clone();
    assert_eq!(
        (&payload["draft"]["text"], &payload["category"]),
        (&json!("We are sorry."), &json!("billing"))
    );
    assert_eq!(payload["draft"]["tokens_in"], 12, "{payload:#}");
}

fn mail_and_data(call: &ToolCall) -> Value {
    structured(match call.name.as_str() {
        "search_mail" => {
            json!({ "messages": [{ "id": "m1", "subject": "Hello" }, { "id": "m2", "subject": "Again" }] })
        }
        "get_profile" => json!({ "email_address": "cust@example.test" }),
        _ => json!({ "inserted": 1 }),
    })
}

#[tokio::test]
async fn an_export_with_nodes_and_descriptions_runs() {
    // The principal's own connection comes with principals.
    let mut scene = Scene::new().await;
    let mail = scene.server(SERVER, &["search_mail"], mail_and_data).await;
    let data = scene.server(DATA, &["tenantdata_insert"], mail_and_data).await;
    let name = "34-embedded-export";
    let params = &entry(name)["start_params"];
    let warnings = scene.warnings(name, params).await;
    assert!(warnings.iter().all(|code| code == "ambiguous_fields"), "{warnings:?}");
    scene.completed(name).await;
    let query = json!({ "max_results": 100, "query": "after:2026/01/01 before:2026/02/01" });
    assert_eq!(mail.calls()[0].arguments, query);
    let mut rows: Vec<Value> = data.calls().iter().map(|call| call.arguments["rows"][0].clone()).collect();
    rows.sort_by_key(|row| row["mail_id"].to_string());
    let row = |id: &str, subject: &str| json!({ "external_id": "cust_1", "mail_id": id, "subject": subject, "synced_at": "2026-02-01T12:00:00Z" });
    assert_eq!(rows, [row("m1", "Hello"), row("m2", "Again")]);
}

#[tokio::test]
async fn an_import_with_schema_and_example_runs() {
    let mut scene = Scene::new().await;
    let _mail = scene.server(SERVER, &["get_profile"], mail_and_data).await;
    let data = scene.server(DATA, &["tenantdata_insert"], mail_and_data).await;
    let name = "35-embedded-bootstrap";
    assert_eq!(scene.warnings(name, &entry(name)["start_params"]).await, [""; 0]);
    scene.completed(name).await;
    let row = json!({ "external_id": "cust_1", "connection_id": "conn_1", "mailbox": "cust@example.test",
                      "query": "after:2026/01/01", "last_sync_at": "2026-09-02T00:00:00Z", "every": 120 });
    assert_eq!(data.calls()[0].arguments["rows"], json!([row]), "page_token is nil and not there");
}

#[tokio::test]
async fn the_servers_slug_is_for_readers() {
    let mut scene = Scene::new().await;
    let server = scene.server(SERVER, &["search"], |_| structured(json!({ "found": 0 }))).await;
    let name = "57-server-id-field";
    assert_eq!(scene.warnings(name, &json!({})).await, [""; 0]);
    let (run, _) = scene.completed(name).await;
    assert_eq!(server.calls()[0].arguments, json!({}));
    let context = scene.acme.client.get(&run.path("/context")).await.expect(200);
    assert!(context["steps"]["call"]["input"]["server_id"].is_null(), "{context:#}");
}

#[tokio::test]
async fn templates_and_scripts_know_whose_connection_it_is() {
    let mut scene = Scene::new().await;
    let mail = scene.server(SERVER, &["search_mail"], mail_and_data).await;
    let _data = scene.server(DATA, &["tenantdata_insert"], mail_and_data).await;
    let [mailbox, table] = [SERVER.1, DATA.1].map(|instance| scene.values[instance].clone());
    let connection = scene.acme.connection("key-of-the-mailbox-0123456789").await;
    scene.acme.mcp_profile(&mailbox, &connection).await;
    let args = json!({
        "primary": "{{ connection.primary_instance_id }}",
        "account": "{{ connection.provider_account_key | \"none\" }}",
        "metadata": "{{ connection.metadata }}",
        "of_table": format!("{{{{ connection.by_instance.{table}.provider_account_key | \"none\" }}}}"),
        "principal": "{{ run.principal_id | \"none\" }}",
        "segment": "{{ run.segment_id | \"none\" }}",
        "place": "{{ run.tenant_id }}/{{ run.project_id }}",
        "user": "{{ run.external_id }}",
    });
    let script = format!(
        "local own = connection.by_instance['{mailbox}']
         return {{ provider = connection.provider, own = own.connection_id, same = own.connection_id == connection.connection_id,
                   primary = connection.primary_instance_id }}"
    );
    let graph = it::graph([
        it::tool_call("search", &[], &mailbox, "search_mail", &args),
        it::tool_call("insert", &[], &table, "tenantdata_insert", &json!({})),
        it::lua_after("seen", &["search"], &script),
    ]);
    let report =
        scene.acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await.expect(200);
    assert_eq!(super::codes(&report), [""; 0], "{report:#}");
    let run = scene.acme.begin(&graph, json!({ "external_user_id": "cust_1" })).await;
    scene.app.work().await;
    assert_eq!(run.status().await, "completed", "{:#}", run.view().await);
    let called = json!({ "primary": mailbox, "account": "none", "metadata": {}, "of_table": "none",
                         "principal": "none", "segment": "none", "place": "acme/default", "user": "cust_1" });
    assert_eq!(mail.calls()[0].arguments, called);
    let seen = json!({ "provider": "tickets", "own": connection, "same": true, "primary": mailbox });
    assert_eq!(run.result("seen").await, seen);
}
