//! Graphs that must not be published, and what is said of them.

use serde_json::{Value, json};

use super::{Scene, found};

impl Scene {
    /// The issues of a graph that is not valid and is not published, as `code step place`.
    async fn refused(&self, name: &str) -> (Vec<String>, Value) {
        let report = self.validate(name, &Value::Null).await;
        assert_eq!(report["valid"], false, "{report:#}");
        assert!(!report["blockers"].as_array().unwrap().is_empty(), "{report:#}");
        let new = json!({ "name": "refused", "graph": self.graph(name) });
        let created = self.acme.client.post("/v1/workflows", &new).await;
        if created.status == 422 {
            created.refused(422, "GRAPH_UNREADABLE");
        } else {
            let path = format!("/v1/workflows/{}/versions", created.expect(201)["id"].as_str().unwrap());
            let refusal = self.acme.client.post(&path, &json!({})).await.refused(422, "GRAPH_INVALID");
            assert_eq!(found(&refusal), found(&report));
        }
        (found(&report), report)
    }
}

#[tokio::test]
async fn a_call_needs_a_tool_and_a_server() {
    let mut scene = Scene::new().await;
    let tools = ["add", "multiply", "text_processor", "data_validator"];
    let _server = scene.server(("REPLACE_SERVER_URL", ""), &tools, |_| json!({})).await;
    let (found, _) = scene.refused("03-mcp-missing-tool-name").await;
    let missing = "required_field_missing thrice $.steps[2]";
    assert_eq!(found, [format!("{missing}.tool_name"), format!("{missing}.instance_id")]);
}

#[tokio::test]
async fn agents_come_later() {
    let scene = Scene::new().await;
    let (found, _) = scene.refused("46-for-each-agent").await;
    assert_eq!(found, ["step_type_unavailable ask $.steps[1].for_each_body_steps[0].type"]);
    let (found, _) = scene.refused("44-handoff").await;
    let errors: Vec<&String> =
        found.iter().filter(|line| line.starts_with("step_type_unavailable")).collect();
    assert_eq!(errors.len(), 3, "{found:#?}");
}

#[tokio::test]
async fn the_old_form_of_a_body_is_refused_by_name() {
    let scene = Scene::new().await;
    let (found, _) = scene.refused("47-legacy-for-each-body").await;
    assert_eq!(
        found,
        [
            "legacy_field each $.steps[0].for_each_body",
            "required_field_missing each $.steps[0].for_each_body_steps"
        ]
    );
}

#[tokio::test]
async fn loops_do_not_stand_in_loops() {
    let scene = Scene::new().await;
    let (found, report) = scene.refused("48-nested-loop").await;
    assert_eq!(found, ["type_not_allowed_in_body inner $.steps[0].for_each_body_steps[0].type"]);
    assert!(report["issues"][0]["suggestion"].as_str().unwrap().contains("workflow_call"), "{report:#}");
}

#[tokio::test]
async fn a_cycle_is_printed() {
    let scene = Scene::new().await;
    let (found, report) = scene.refused("49-cycle").await;
    assert_eq!(found, ["dependency_cycle a $.steps[0].depends_on[0]"]);
    assert!(report["issues"][0]["message"].as_str().unwrap().contains("a → b → a"), "{report:#}");
    assert_eq!(report["topological_order"], json!([]));
}

#[tokio::test]
async fn brackets_are_answered_with_the_dots_to_write() {
    let scene = Scene::new().await;
    let (found, report) = scene.refused("50-bracket-template").await;
    assert_eq!(found, ["template_syntax ask $.steps[1].task_payload.title"]);
    let suggestion = report["issues"][0]["suggestion"].as_str().unwrap();
    assert!(suggestion.contains("steps.<id>.result.<key>"), "{suggestion}");
}

#[tokio::test]
async fn braces_do_not_stand_in_braces() {
    let scene = Scene::new().await;
    let (found, _) = scene.refused("51-nested-braces").await;
    assert_eq!(found, ["template_syntax ask $.steps[0].task_payload.title"]);
}

#[tokio::test]
async fn a_step_that_is_read_must_be_waited_for() {
    let scene = Scene::new().await;
    let (found, report) = scene.refused("52-missing-dependency").await;
    assert_eq!(found, ["step_not_ancestor ask $.steps[1].task_payload.title"]);
    assert_eq!(report["issues"][0]["suggestion"], "add \"a\" to depends_on");
}

#[tokio::test]
async fn external_agents_are_of_another_deployment() {
    let scene = Scene::new().await;
    let (found, report) = scene.refused("56-external-agent").await;
    assert_eq!(found, ["unknown_type ext $.steps[0].type"]);
    assert!(report["issues"][0]["message"].as_str().unwrap().contains("external_agent"), "{report:#}");
}
