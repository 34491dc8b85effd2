//! The most memory that the local process takes while graphs do their worst: a process for each case, on data of its own.

use std::ops::Deref;
use std::path::Path;
use std::time::Instant;

use it::{LocalProcess, Models, RawMcp, RawReply, graph, lua, lua_after, openai_says, repeat, with};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::procfs;
use crate::tenant::Tenant;

/// Beside what the process has at its start, in MB.
const MAX: u64 = 512;
/// The same while one run does its worst.
const MAX_OF_A_RUN: u64 = 200;
/// One result of nearly a megabyte: the most values that it holds.
const OBJECTS: &str = "local t = {} for i = 1, 130000 do t[i] = { a = 1 } end return { n = 1, t = t }";

/// A local process, and the tenant that does its worst.
struct Local {
    process: LocalProcess,
    tenant: Tenant,
    base: u64,
    _data: tempfile::TempDir,
}

impl Deref for Local {
    type Target = Tenant;

    fn deref(&self) -> &Tenant {
        &self.tenant
    }
}

impl Local {
    fn start(program: &Path) -> Self {
        let data = tempfile::tempdir().expect("a directory for data");
        let process = LocalProcess::with(program, data.path(), &["--allow-private-outbound"]);
        let base = procfs::memory(process.id()).peak;
        let tenant = Tenant::new(&process.base_url, &process.token);
        Self { process, tenant, base, _data: data }
    }

    /// Runs a graph to its end.
    async fn run(&self, graph: &Value) -> String {
        let workflow = self.publish(graph).await;
        self.ended(&self.start_run(&workflow).await).await
    }

    /// Runs a graph so often at once.
    async fn runs(&self, graph: &Value, times: usize) -> String {
        let workflow = self.publish(graph).await;
        let mut runs = Vec::new();
        for _ in 0..times {
            runs.push(self.start_run(&workflow).await);
        }
        let mut ends = Vec::new();
        for run in runs {
            ends.push(self.ended(&run).await);
        }
        summed_up(ends)
    }

    /// So many requests of one kind at once.
    async fn at_once(&self, times: usize, path: &str, body: Option<String>) -> String {
        let mut all = JoinSet::new();
        for _ in 0..times {
            let (tenant, path, body) = (self.tenant.clone(), path.to_owned(), body.clone());
            all.spawn(async move {
                let method = if body.is_some() { Method::POST } else { Method::GET };
                tenant.status(method, &path, body).await
            });
        }
        summed_up(all.join_all().await)
    }

    async fn tool(&self, answer: String) -> String {
        let answer = format!(r#"{{"content":[],"structuredContent":{answer}}}"#);
        let server = RawMcp::calling(move |request| {
            let id = &request.message["id"];
            RawReply::new(
                200,
                "application/json",
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{answer}}}"#),
            )
        })
        .await;
        let server_url = &server.url;
        self.run_tool(server_url).await
    }

    async fn run_tool(&self, url: &str) -> String {
        let instance = self.mcp_instance(url).await;
        let calls = (0..8).map(|at| it::tool_call(&format!("c{at}"), &[], &instance, "t", &json!({})));
        let calls: Vec<Value> = calls.map(|step| with(step, &json!({ "continue_on_error": true }))).collect();
        self.run(&graph(calls)).await
    }
}

fn summed_up(ends: Vec<String>) -> String {
    let mut counted = std::collections::BTreeMap::<String, usize>::new();
    for end in ends {
        *counted.entry(end).or_default() += 1;
    }
    counted.iter().map(|(end, count)| format!("{count} × {end}")).collect::<Vec<_>>().join(", ")
}

fn objects(count: usize) -> String {
    format!("[{}0]", r#"{"":0},"#.repeat(count))
}

/// A step that has the time that it takes on a busy machine.
fn patient(step: Value) -> Value {
    with(step, &json!({ "timeout_s": 30 }))
}

fn makers(count: usize, script: &str) -> Vec<Value> {
    (0..count).map(|at| patient(lua(&format!("m{at}"), script))).collect()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("m{at}")).collect()
}

/// Makers and one script that reads all of them.
fn readers(count: usize, script: &str) -> Value {
    let ids = ids(count);
    let after: Vec<&str> = ids.iter().map(String::as_str).collect();
    let all = "local n = 0 for k, v in pairs(steps) do n = n + 1 end return { n = n }";
    let mut steps = makers(count, script);
    steps.push(patient(lua_after("read", &after, all)));
    graph(steps)
}

fn templates(count: usize, path: &str) -> Value {
    let ids = ids(count);
    let numbers: Vec<String> = ids.iter().map(|id| format!("{{{{ steps.{id}.result.{path} }}}}")).collect();
    let mut steps = makers(count, OBJECTS);
    steps.push(json!({ "id": "ask", "type": "human_task", "task_type": "approval", "depends_on": ids,
                       "timeout_s": 1, "on_timeout": "approve", "task_payload": { "numbers": numbers } }));
    graph(steps)
}

fn items(body: &[Value]) -> Value {
    let numbers: Vec<u32> = (0..500).collect();
    let each = it::for_each("each", &json!(numbers), body);
    let each = with(each, &json!({ "depends_on": ["m0"], "for_each_max_parallel": 100 }));
    graph([patient(lua("m0", OBJECTS)), each])
}

/// A case: its name, whether it is one run, and what came of it.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn case(local: &Local, name: &str) -> String {
    match name {
        "40 results, one script that reads all" => local.run(&readers(40, OBJECTS)).await,
        "2 results, one script that reads both" => local.run(&readers(2, OBJECTS)).await,
        "20 results of arrays, one script that reads all" => {
            let arrays = "local t = {} for i = 1, 250000 do t[i] = json.array({0}) end return { t = t }";
            local.run(&readers(20, arrays)).await
        }
        "30 results of one text each, read by one script" => {
            local.run(&readers(30, "return { t = string.rep('é', 500000) }")).await
        }
        "templates: one number out of each of 12 results" => local.run(&templates(12, "n")).await,
        "templates: one whole result out of each of 12" => local.run(&templates(12, "t")).await,
        "conditions on 12 whole results" => {
            let conditions = (0..12).map(|at| {
                let step = lua_after(&format!("c{at}"), &["m0"], "return {}");
                with(step, &json!({ "condition": "{{ steps.m0.result.t }}" }))
            });
            local.run(&graph([patient(lua("m0", OBJECTS))].into_iter().chain(conditions))).await
        }
        "for_each of 500 items that read one result" => {
            let read = lua("read", "return { n = #steps.m0.result.t }");
            local.run(&items(&[patient(read)])).await
        }
        "for_each over 500 items of one result" => {
            let split = "local t = {} for i = 1, 500 do t[i] = {} for j = 1, 250 do t[i][j] = { a = 1 } end end return { t = t }";
            let each =
                it::for_each("each", &json!("{{ steps.m0.result.t }}"), &[lua("n", "return { n = #item }")]);
            local.run(&graph([patient(lua("m0", split)), with(each, &json!({ "depends_on": ["m0"] }))])).await
        }
        "while that hands a large value on" => {
            let hand = "local t = {} for i = 1, 1200 do t[i] = { a = i } end return { t = t }";
            local
                .run(&graph([repeat("loop", 50, "{{ body.hand.nope }}", &[patient(lua("hand", hand))])]))
                .await
        }
        "children with large inputs and outputs" => {
            let child = local.publish(&graph([patient(lua("m", OBJECTS))])).await;
            let call = |at: usize| {
                let step =
                    it::call(&format!("c{at}"), &["m0"], &child, &json!({ "x": "{{ steps.m0.result.t }}" }));
                with(step, &json!({ "continue_on_error": true }))
            };
            let half = OBJECTS.replace("130000", "60000");
            local.run(&graph([patient(lua("m0", &half))].into_iter().chain((0..12).map(call)))).await
        }
        "64 runs at once, each with 4 results and a reader" => local.runs(&readers(4, OBJECTS), 64).await,
        "48 starts at once with 1 MB of tiny objects" => {
            let workflow = local.publish(&graph([lua("a", "return {}")])).await;
            let body = format!(r#"{{"command":"start","params":{{"input":{{"x":{}}}}}}}"#, objects(149_000));
            local.at_once(48, &format!("/v1/workflows/{workflow}/command"), Some(body)).await
        }
        "48 starts at once with 1 MB of records" => {
            let workflow = local.publish(&graph([lua("a", "return {}")])).await;
            let record = r#"{"id":12345,"name":"Some name","email":"alex@example.com","tags":["a","b"]},"#;
            let records = format!("[{}0]", record.repeat(13_000));
            let body = format!(r#"{{"command":"start","params":{{"input":{{"x":{records}}}}}}}"#);
            local.at_once(48, &format!("/v1/workflows/{workflow}/command"), Some(body)).await
        }
        "16 readers of one context" => {
            let workflow = local.publish(&graph(makers(4, OBJECTS))).await;
            let run = local.start_run(&workflow).await;
            local.ended(&run).await;
            local.at_once(16, &format!("{run}/context"), None).await
        }
        "100 readers of one context" => {
            let workflow = local.publish(&graph(makers(4, OBJECTS))).await;
            let run = local.start_run(&workflow).await;
            local.ended(&run).await;
            local.at_once(100, &format!("{run}/context"), None).await
        }
        "8 tool answers of 3.5 MB of tiny objects" => local.tool(objects(500_000)).await,
        "8 tool answers of 1 MB of tiny objects" => local.tool(objects(149_000)).await,
        "8 tool answers of 3.5 MB of texts" => {
            local.tool(format!("[{}0]", r#""\u00e9\u00e9","#.repeat(230_000))).await
        }
        "8 model answers of 3.5 MB of tiny objects" => {
            let models = Models::answering([openai_says(&objects(500_000), 1, 1)]).await;
            let key =
                json!({ "provider": "openai", "api_key": "sk-test-0123456789", "base_url": models.url() });
            local.post("/v1/llm-provider-keys", &key).await;
            let ask = |at: usize| {
                json!({ "id": format!("a{at}"), "type": "llm_call", "model_ref": "direct.openai.gpt-4.1", "prompt": "?",
                        "llm_params": { "response_format": "json_object" }, "continue_on_error": true })
            };
            local.run(&graph((0..8).map(ask))).await
        }
        "results that nest 120 deep, long keys, escapes" => {
            let deep = "local t = {} for i = 1, 900 do local d = {} local at = d for j = 1, 120 do \
                        at['k' .. j] = {} at = at['k' .. j] end t[i] = d end return { n = 1, t = t }";
            local.run(&readers(4, deep)).await
        }
        _ => "no such case".to_owned(),
    }
}

/// Each case, and whether it is one run alone.
const CASES: [(&str, bool); 22] = [
    ("2 results, one script that reads both", true),
    ("40 results, one script that reads all", true),
    ("20 results of arrays, one script that reads all", true),
    ("30 results of one text each, read by one script", true),
    ("results that nest 120 deep, long keys, escapes", true),
    ("templates: one number out of each of 12 results", true),
    ("templates: one whole result out of each of 12", true),
    ("conditions on 12 whole results", true),
    ("for_each of 500 items that read one result", true),
    ("for_each over 500 items of one result", true),
    ("while that hands a large value on", true),
    ("children with large inputs and outputs", false),
    ("64 runs at once, each with 4 results and a reader", false),
    ("48 starts at once with 1 MB of tiny objects", false),
    ("48 starts at once with 1 MB of records", false),
    ("16 readers of one context", false),
    ("100 readers of one context", false),
    ("8 tool answers of 1 MB of tiny objects", true),
    ("8 tool answers of 3.5 MB of tiny objects", true),
    ("8 tool answers of 3.5 MB of texts", true),
    ("8 model answers of 3.5 MB of tiny objects", true),
    ("results of a run after another", true),
];

/// Prints the peak of each case beside the base; whether all are within their bounds.
pub async fn print_and_check(program: &Path) -> bool {
    println!("Peak memory of the local process beside its base\n");
    println!("  {:<52}{:>8}{:>9}{:>9}  outcome", "case", "base", "peak", "seconds");
    let mut ok = true;
    for (name, is_one_run) in CASES {
        let local = Local::start(program);
        let began = Instant::now();
        let outcome = match name {
            "results of a run after another" => {
                let mut last = String::new();
                for _ in 0..5 {
                    last = local.run(&readers(8, OBJECTS)).await;
                }
                last
            }
            _ => case(&local, name).await,
        };
        let beside = procfs::memory(local.process.id()).peak.saturating_sub(local.base);
        let bound = if is_one_run { MAX_OF_A_RUN } else { MAX };
        let mark = if beside > bound { " !" } else { "" };
        ok &= beside <= bound;
        let seconds = began.elapsed().as_secs_f64();
        println!("  {name:<52}{:>5} MB{beside:>6} MB{seconds:>9.1}  {outcome}{mark}", local.base);
    }
    println!();
    ok
}
