//! Numbers come through as they went in: doubles bit for bit, integers of 64 bits digit for digit, by every way through
//! a run. What neither holds is refused by the API, and kept as text where others answer it.

use it::{McpStandIn, Models, Run, TestApp, call, for_each, graph, human, lua, openai_says, tool_call, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;

use crate::isolation::Owner;
use crate::llm_wire::ask;
use crate::routes::{Route, Who, routes};

/// Numbers of one run: 8 of these runs carry 100,000 by each way.
const PER_RUN: usize = 12_500;
const RUNS: usize = 8;

/// Random numbers, the same for the same seed: doubles of any size, and integers around what is hard to hold.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn double(&mut self) -> Value {
        loop {
            let bits = self.bits();
            let double = match bits % 3 {
                0 => f64::from_bits(self.bits()),
                1 => (bits >> 11) as f64 / (1_u64 << 53) as f64,
                _ => (bits >> 20) as f64 / 1000.0,
            };
            if double.is_finite() {
                return json!(double);
            }
        }
    }

    fn integer(&mut self) -> Value {
        let (bits, near) = (self.bits(), self.bits() % 5);
        match bits % 6 {
            0 => json!(self.bits()),
            1 => json!(i64::from_ne_bytes(self.bits().to_ne_bytes())),
            2 => json!((1_u64 << 53) - 2 + near),
            3 => json!((1_u64 << 63) - 2 + near),
            4 => json!(u64::MAX - near),
            _ => json!(i64::MIN + i64::try_from(near).unwrap()),
        }
    }

    fn list(seed: u64, count: usize) -> Value {
        let mut numbers = Self(seed);
        (0..count).map(|at| if at % 2 == 0 { numbers.double() } else { numbers.integer() }).collect()
    }
}

/// Equal digit for digit: as values, `-0.0` would be `0.0`.
#[track_caller]
fn same(found: &Value, sent: &Value, way: &str) {
    let texts = (found.to_string(), sent.to_string());
    if texts.0 != texts.1 {
        let pairs = found.as_array().into_iter().flatten().zip(sent.as_array().into_iter().flatten());
        let other = pairs.map(|(found, sent)| (found.to_string(), sent.to_string())).find(|(a, b)| a != b);
        panic!("{way}: the first that differs is {other:?}");
    }
}

/// A server whose tool gives its arguments back, as structured content or as text.
async fn echo() -> McpStandIn {
    let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    let answer = |call: &it::ToolCall| match call.name.as_str() {
        "structured" => json!({ "content": [], "structuredContent": call.arguments }),
        _ => json!({ "content": [{ "type": "text", "text": call.arguments.to_string() }] }),
    };
    McpStandIn::answering(vec![tool("structured"), tool("text")], answer).await
}

async fn completed(run: &Run) -> Value {
    let view = run.finished().await;
    assert_eq!(view["status"], "completed", "{}: {}", view["failure_code"], view["error"]);
    view
}

#[tokio::test]
async fn numbers_survive_input_tools_and_outputs() {
    let (app, mcp) = (TestApp::start().await, echo().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let args = |of: &str| json!({ "n": format!("{{{{ {of} }}}}") });
    let workflow = acme
        .publish(&graph([
            tool_call("first", &[], &instance, "structured", &args("input.numbers")),
            tool_call("second", &["first"], &instance, "text", &args("steps.first.result.n")),
        ]))
        .await;
    for seed in 0..RUNS as u64 {
        let numbers = Numbers::list(100 + seed, PER_RUN);
        let run = acme.begin_again(&workflow, json!({ "numbers": numbers })).await;
        let view = completed(&run).await;
        same(&view["outputs"]["second"]["n"], &numbers, "JSON in a text, and outputs of the run");
        let context = acme.client.get(&run.path("/context")).await.expect(200);
        same(&context["input"]["numbers"], &numbers, "the input in the context");
        same(&context["steps"]["first"]["result"]["n"], &numbers, "structured content");
        let called = mcp.calls();
        same(&called[called.len() - 1].arguments["n"], &numbers, "a tool's arguments");
    }
}

#[tokio::test]
async fn numbers_survive_literals_and_texts() {
    let (app, mcp) = (TestApp::start().await, echo().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let (literal, numbers) = (Numbers::list(1, PER_RUN), Numbers::list(8, 1_000));
    let in_template = format!("{{{{ input.nope | {numbers} }}}}");
    let args = json!({ "literal": literal, "in_template": in_template, "text": "of {{ input.numbers }}" });
    let steps = graph([tool_call("tool", &[], &instance, "structured", &args)]);
    let run = acme.begin(&steps, json!({ "numbers": numbers })).await;
    let result = completed(&run).await["outputs"]["tool"].clone();
    same(&result["literal"], &literal, "a literal of the graph");
    same(&result["in_template"], &numbers, "a literal of a template");
    assert_eq!(result["text"], format!("of {numbers}"), "a text");
    let draft = acme.client.get(&format!("/v1/workflows/{}", run.workflow)).await.expect(200);
    same(&draft["graph"]["steps"][0]["tool_args"]["literal"], &literal, "the graph");
}

#[tokio::test]
async fn numbers_survive_events_loops_children_models_and_people() {
    let (app, mcp) = (TestApp::start().await, echo().await);
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&mcp.url).await;
    let items = Numbers::list(2, 60);
    let answered = Numbers::list(3, PER_RUN);
    let models = Models::answering([openai_says(&json!({ "n": answered }).to_string(), 3, 1)]).await;
    acme.openai_key(&models, "sk-test-0123456789abcdef").await;
    let child = acme
        .publish(&graph([tool_call("back", &[], &instance, "structured", &json!({ "n": "{{ input.n }}" }))]))
        .await;
    let model = ask(
        "direct.openai.gpt-4.1",
        &json!({ "prompt": "{{ input.n }}", "llm_params": { "response_format": "json_object" } }),
    );
    let body = [tool_call("inner", &[], &instance, "text", &json!({ "n": "{{ item }}" }))];
    let run = graph([
        for_each("each", &items, &body),
        for_each(
            "each_of_input",
            &json!("{{ input.few }}"),
            &[with(body[0].clone(), &json!({ "id": "inner2" }))],
        ),
        call("child", &[], &child, &json!({ "n": "{{ input.n }}" })),
        model,
        with(human("person", &[]), &json!({ "task_payload": { "n": "{{ input.n }}" } })),
    ]);
    let (sent, few, result) = (Numbers::list(4, 2_000), Numbers::list(5, 60), Numbers::list(6, PER_RUN));
    let run = acme.begin(&run, json!({ "n": sent, "few": few })).await;
    let task = it_waits(&run).await;
    same(&task["payload"]["n"], &sent, "what a person sees");
    run.answer("person", &json!({ "approved": true, "result": { "n": result } })).await.expect(200);
    completed(&run).await;
    let of_items = |result: &Value, inner: &str| -> Value {
        result["results"].as_array().unwrap().iter().map(|item| item["body"][inner]["n"].clone()).collect()
    };
    same(&of_items(&run.result("each").await, "inner"), &items, "items of the graph");
    same(&of_items(&run.result("each_of_input").await, "inner2"), &few, "items of the input");
    same(&run.result("child").await["output"]["back"]["n"], &sent, "a child's input and output");
    same(&run.result("ask").await["json"]["n"], &answered, "a model's JSON");
    same(&run.result("person").await["n"], &result, "a person's answer");
    let messages = models.bodies().await[0]["messages"].clone();
    assert_eq!(messages.as_array().unwrap().last().unwrap()["content"], sent.to_string(), "a prompt");
    let inputs: Vec<Value> = run
        .events()
        .await
        .into_iter()
        .filter(|event| event["event_type"] == "step_completed")
        .filter(|event| event["step_id"].as_str().unwrap_or_default().ends_with("inner"))
        .map(|event| event["data"]["result"]["n"].clone())
        .collect();
    let mut of_events: Vec<String> = inputs.iter().map(Value::to_string).collect();
    let mut expected: Vec<String> = items.as_array().unwrap().iter().map(Value::to_string).collect();
    of_events.sort_unstable();
    expected.sort_unstable();
    assert_eq!(of_events, expected, "events");
}

/// The task of a run, once it is put.
async fn it_waits(run: &Run) -> Value {
    for _ in 0..200 {
        if let Some(task) = run.tasks().await.first() {
            return task.clone();
        }
        // The run changes while this waits for it.
        run.owner.client.get(&run.path("?wait_s=1")).await.expect(200);
    }
    panic!("nobody is asked");
}

#[tokio::test]
async fn numbers_survive_webhooks_and_triggers() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let hook = acme.subscribe(&workflow, json!({})).await;
    for seed in 0..RUNS as u64 {
        let numbers = Numbers::list(200 + seed, PER_RUN);
        let accepted = hook.deliver(json!({ "n": numbers }).to_string().as_bytes()).await.expect(202);
        let run = acme.known_run(&workflow, accepted["run_id"].as_str().unwrap());
        let context = acme.client.get(&run.path("/context")).await.expect(200);
        same(&context["input"]["n"], &numbers, "a webhook's body");
    }
    let numbers = Numbers::list(7, 1_000);
    let new = json!({ "cron": "0 9 * * *", "params": { "n": numbers } });
    let triggers = format!("/v1/workflows/{workflow}/triggers");
    acme.client.post(&triggers, &new).await.expect(201);
    let listed = acme.client.get(&triggers).await.expect(200);
    same(&listed["triggers"][0]["params"]["n"], &numbers, "a trigger's params");
}

/// Texts of numbers that neither 64 bits nor doubles hold.
const BEYOND: [&str; 5] =
    ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "1e400", "-1.5E+999"];

#[tokio::test]
async fn numbers_beyond_64_bits_are_refused_by_every_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let owner = Owner::of(&app, app.workspace("acme").await).await;
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let reads_body = |route: &Route| {
        let operation = &document["paths"][route.template()][route.method().to_lowercase()];
        operation["requestBody"].is_object() && route.template() != "/mcp"
    };
    let mut walked = 0;
    for route in routes().into_iter().filter(reads_body) {
        let (client, path) = match route.who {
            Who::Token(..) => (owner.workspace.client.clone(), owner.path(route.template())),
            Who::Operator => (app.operator(), route.template().replace("{tenant_id}", "acme")),
            Who::Open | Who::OwnProof(_) => continue,
        };
        let number = BEYOND[walked % BEYOND.len()];
        let body = format!(r#"{{"a":{{"b":[1.5,{{"c d":[0,{number}]}}]}}}}"#);
        let answer = client.send(route.method(), &path, body).await;
        let refused = answer.refused(422, "INVALID_REQUEST");
        let error = refused["error"].as_str().unwrap();
        assert!(error.starts_with("The body's field a.b[1].c d[1]: ") && error.contains("string"), "{error}");
        assert!(!error.contains(number), "it may be a secret: {error}");
        walked += 1;
    }
    assert!(walked >= 20, "{walked}");
    let whole = owner.workspace.client.send("POST", "/v1/workflows", "18446744073709551616").await;
    assert!(whole.refused(422, "INVALID_REQUEST")["error"].as_str().unwrap().starts_with("The body: "));
    let broken = r#"{"name":"w","graph":{"x":18446744073709551616}"#;
    owner.workspace.client.send("POST", "/v1/workflows", broken).await.refused(400, "UNREADABLE");
}

#[tokio::test]
async fn numbers_that_doubles_hold_are_taken_however_written() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let texts = [
        "1e19",
        "1.0",
        "-0.0",
        "18446744073709551616.0",
        "1E+300",
        "1e-400",
        "0.1000000000000000055511151231257827",
    ];
    let body = format!(r#"{{"command":"start","params":{{"n":[{}]}}}}"#, texts.join(","));
    let path = format!("/v1/workflows/{workflow}/command");
    let started = acme.client.send("POST", &path, body).await.expect(200);
    let run = acme.known_run(&workflow, started["run_id"].as_str().unwrap());
    let context = acme.client.get(&run.path("/context")).await.expect(200);
    let expected = json!([1e19, 1.0, -0.0, 18_446_744_073_709_551_616.0, 1e300, 0.0, 0.1]);
    same(&context["input"]["n"], &expected, "however written");
}

#[tokio::test]
async fn platform_tools_refuse_numbers_beyond_64_bits() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mcp = it::McpClient::new(&acme.client);
    let message = |method: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{"name":"workflows_create",
                "arguments":{{"name":"w","graph":{{"steps":[{{"x":18446744073709551616}}]}}}}}}}}"#
        )
    };
    let answer = mcp.http.send("POST", "/mcp", message("tools/call")).await.expect(200);
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(7), &json!(true)), "{answer:#}");
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    let error: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&error["status"], &error["code"]), (&json!(422), &json!("INVALID_REQUEST")));
    assert!(error["error"].as_str().unwrap().contains("params.arguments.graph.steps[0].x"), "{error}");
    let answer = mcp.http.send("POST", "/mcp", message("tools/list")).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("64 bits"), "{:#}", answer.body);
}

#[tokio::test]
async fn tools_models_and_webhooks_keep_digits_as_text() {
    let server = wiremock::MockServer::start().await;
    let beyond = BEYOND.join(",");
    let texts: Value = BEYOND.iter().map(|text| json!(text)).collect();
    let tools = r#"[{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":"number","maximum":18446744073709551616}}}},
                    {"name":"u","inputSchema":{"type":"object"}}]"#;
    let result = format!(r#"{{"content":[],"structuredContent":{{"n":[{beyond}]}}}}"#);
    let text = serde_json::to_string(&format!(r#"{{"n":[{beyond}]}}"#)).unwrap();
    let in_text = format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#);
    let tools = format!(r#"{{"tools":{tools}}}"#);
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(move |request: &wiremock::Request| {
            let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let result = match (message["method"].as_str().unwrap_or_default(), &message["params"]["name"]) {
                ("initialize", _) => json!({ "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": { "tools": {} }, "serverInfo": { "name": "s", "version": "1" } })
                .to_string(),
                ("tools/list", _) => tools.clone(),
                ("tools/call", name) if name == "t" => result.clone(),
                ("tools/call", _) => in_text.clone(),
                _ => return wiremock::ResponseTemplate::new(202),
            };
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, message["id"]);
            wiremock::ResponseTemplate::new(200).set_body_raw(answer, "application/json")
        })
        .mount(&server)
        .await;
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let instance = acme.mcp_instance(&server.uri()).await;
    let models = Models::answering([openai_says(&format!(r#"Here: {{"n":[{beyond}]}}"#), 3, 1)]).await;
    acme.openai_key(&models, "sk-test-0123456789abcdef").await;
    let model = ask("direct.openai.gpt-4.1", &json!({ "llm_params": { "response_format": "json_object" } }));
    let workflow = acme
        .publish(&graph([
            tool_call("t", &[], &instance, "t", &json!({ "a": 1 })),
            tool_call("u", &[], &instance, "u", &json!({})),
            model,
        ]))
        .await;
    let hook = acme.subscribe(&workflow, json!({})).await;
    let accepted = hook.deliver(format!(r#"{{"n":[{beyond}]}}"#).as_bytes()).await.expect(202);
    let run = acme.known_run(&workflow, accepted["run_id"].as_str().unwrap());
    completed(&run).await;
    let context = acme.client.get(&run.path("/context")).await.expect(200);
    assert_eq!(context["input"]["n"], texts, "a webhook's body");
    assert_eq!(context["steps"]["t"]["result"]["n"], texts, "structured content");
    assert_eq!(context["steps"]["u"]["result"]["n"], texts, "JSON in a text");
    assert_eq!(context["steps"]["ask"]["result"]["json"]["n"], texts, "a model's JSON");
}

#[tokio::test]
async fn whole_doubles_are_taken_for_whole_numbers() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let step = with(
        lua("a", "return { n = 1 }"),
        &json!({ "retry_count": 2.0, "timeout_s": 1.0, "retry_backoff_s": 1e0 }),
    );
    let body = [lua("inner", "return {}")];
    let each = with(for_each("each", &json!([1]), &body), &json!({ "for_each_max_parallel": 3.0 }));
    let again = with(
        it::repeat("again", 1, "{{ body.inner2.x }}", &[lua("inner2", "return { x = 1 }")]),
        &json!({ "while_max_iterations": 2.0 }),
    );
    let child = acme.publish(&graph([lua("a", "return {}")])).await;
    let called = with(call("child", &[], &child, &json!({})), &json!({ "version": 1.0 }));
    let templated =
        with(call("other", &[], &child, &json!({})), &json!({ "version": "{{ input.version }}" }));
    let workflow = acme.publish(&graph([step, each, again, called, templated])).await;
    let params = json!({ "version": 1.0, "trigger_payload": { "version": 1.0 } });
    let run = acme.begin_again(&workflow, params).await;
    completed(&run).await;
    assert_eq!(run.result("each").await["max_parallel"], 3);
    for query in ["?limit=1.0", "?limit=2e1"] {
        acme.client.get(&format!("/v1/workflows{query}")).await.expect(200);
        acme.client.get(&format!("/v1/runs{query}")).await.expect(200);
    }
    for query in ["?limit=1.5", "?limit=-1.0", "?limit=x", "?limit="] {
        acme.client.get(&format!("/v1/workflows{query}")).await.refused(422, "INVALID_REQUEST");
    }
    let refused = acme.command_start(&workflow, json!({ "version": 1.5, "trigger_payload": {} })).await;
    let refused = refused.refused(422, "INVALID_REQUEST");
    assert!(
        refused["error"].as_str().unwrap().contains("params.version: expected a whole number"),
        "{refused}"
    );
    let wrong = with(lua("a", "return {}"), &json!({ "retry_count": 1.5 }));
    let report =
        acme.client.post("/v1/workflows/validate", &json!({ "graph": graph([wrong]) })).await.expect(200);
    assert_eq!(report["issues"][0]["code"], "invalid_type", "{report:#}");
}
