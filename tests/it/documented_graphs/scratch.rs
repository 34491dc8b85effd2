use serde_json::{Value, json};
#[tokio::test]
async fn scratch_docs() {
    let scene = super::Scene::new().await;
    let all: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string("/tmp/docgraphs.json").unwrap()).unwrap();
    for entry in all {
        let mut graph = entry[2].clone();
        for step in graph["steps"].as_array_mut().into_iter().flatten() {
            if step["type"] == "mcp_call" && step["server_url"].is_null() && step["instance_id"].is_null() {
                step["server_url"] = json!("https://x.example/mcp");
            }
        }
        let report = scene.acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await;
        let found: Vec<String> = super::found(&report.body)
            .into_iter()
            .filter(|l| !l.contains("mcp_server_not_found") && !l.starts_with("llm_key_missing"))
            .collect();
        if !found.is_empty() || report.status != 200 {
            println!("## {} {} {}: {:?}", entry[0], entry[1], report.status, found);
        }
        let made = scene.acme.client.post("/v1/workflows", &json!({ "name": "x", "graph": graph })).await;
        if made.status != 201 {
            println!("## NOT CREATED {} {} {:#}", entry[0], entry[1], made.body);
        }
    }
}
