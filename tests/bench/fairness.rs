//! How long one tenant's runs take while another does what it can to keep a local process busy: a process for each case.

use std::path::Path;
use std::time::{Duration, Instant};

use it::{LocalProcess, McpStandIn, call, for_each, graph, lua, repeat, tool_call, with};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::tenant::Tenant;

/// What the other tenant's runs may take, but for one of a hundred.
const MAX: Duration = Duration::from_secs(2);
/// How often the other tenant starts a run, and how many.
const EVERY: Duration = Duration::from_millis(200);
const RUNS: usize = 100;
/// Until a case's noise is at its height.
const BEFORE: Duration = Duration::from_secs(2);

const ENDLESS: &str = "while true do end";

/// Who makes noise, and who is to be served meanwhile.
struct World {
    noisy: Tenant,
    other: Tenant,
    /// A server whose calls do not end, and one whose do.
    drips: McpStandIn,
    answers: McpStandIn,
    /// Where somebody listens and says nothing.
    silent: String,
    _process: LocalProcess,
    _data: tempfile::TempDir,
}

impl World {
    async fn new(program: &Path) -> Self {
        let data = tempfile::tempdir().expect("a directory for data");
        let process = LocalProcess::with(program, data.path(), &["--allow-private-outbound"]);
        let operator = Tenant::new(&process.base_url, &process.operator_token);
        let noisy = Tenant::new(&process.base_url, &process.token);
        let (drips, answers) = (McpStandIn::start().await, McpStandIn::start().await);
        let other = operator.open("other").await;
        Self { noisy, other, drips, answers, silent: silent().await, _process: process, _data: data }
    }

    async fn start(&self, graph: &Value, times: usize) {
        let workflow = self.noisy.publish(graph).await;
        for _ in 0..times {
            self.noisy.start_run(&workflow).await;
        }
    }

    /// What the other tenant does: a one-line script, or a call of a tool.
    async fn asked_for(&self, name: &str) -> Value {
        if !name.ends_with("another's call") {
            return graph([lua("a", "return { n = 1 }")]);
        }
        let instance = self.other.mcp_instance(&self.answers.url).await;
        graph([tool_call("a", &[], &instance, "echo", &json!({ "message": "hello" }))])
    }

    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    async fn noise(&self, name: &str) -> JoinSet<()> {
        let endless = |id: &str| with(lua(id, ENDLESS), &json!({ "timeout_s": 30 }));
        let drip = |instance: &str| {
            let step = tool_call("a", &[], instance, "wait", &json!({}));
            graph([with(step, &json!({ "timeout_s": 60 }))])
        };
        match name {
            "nothing" => {}
            "80 runs with a call that drips" => {
                let instance = self.noisy.mcp_instance(&self.drips.url).await;
                self.start(&drip(&instance), 80).await;
            }
            "400 calls that drip" | "400 calls that drip, another's call" => {
                let instance = self.noisy.mcp_instance(&self.drips.url).await;
                self.start(&each(100, &drip(&instance)["steps"][0]), 4).await;
            }
            "60 endless scripts" => self.start(&graph([endless("a")]), 60).await,
            "a for_each of 40 endless scripts" => self.start(&each(40, &endless("a")), 1).await,
            "80 while loops of scripts" => {
                let busy = lua("b", "for i = 1, 20000000 do end return { n = 1 }");
                let busy = with(busy, &json!({ "timeout_s": 30 }));
                self.start(&graph([repeat("again", 1000, "return false", &[busy])]), 80).await;
            }
            "80 children with endless scripts" => {
                let child = self.noisy.publish(&graph([endless("a")])).await;
                self.start(&each(80, &call("go", &[], &child, &json!({}))), 1).await;
            }
            "80 runs with a model that is silent" => {
                let key =
                    json!({ "provider": "openai", "api_key": "sk-test-0123456789", "base_url": self.silent });
                self.noisy.post("/v1/llm-provider-keys", &key).await;
                let ask = json!({ "id": "a", "type": "llm_call", "model_ref": "direct.openai.gpt-4.1", "prompt": "?" });
                self.start(&graph([ask]), 80).await;
            }
            "100 dry runs of endless scripts" => {
                let steps = [lua("a", "return {}"), with(endless("b"), &json!({ "depends_on": ["a"] }))];
                let ask = json!({ "graph": graph(steps), "mock_step_outputs": { "a": {} } });
                return self.again_and_again(100, "/v1/workflows/validate", &ask);
            }
            "200 discoveries of a silent server" => {
                let new = json!({ "name": "Silent", "canonical_url": format!("{}/mcp", self.silent) });
                let server = self.noisy.post("/v1/mcp/servers", &new).await;
                let id = server["id"].as_str().expect("an id");
                return self.again_and_again(200, &format!("/v1/mcp/servers/{id}/discover"), &json!({}));
            }
            "50 clients that publish tools with hard schemas" => {
                let new = json!({ "name": "Hard", "canonical_url": self.answers.url });
                let server = self.noisy.post("/v1/mcp/servers", &new).await;
                let id = server["id"].as_str().expect("an id");
                let tools: Vec<Value> = (0..100).map(hard_tool).collect();
                let path = format!("/v1/mcp/servers/{id}/versions");
                return self.again_and_again(50, &path, &json!({ "tools": tools }));
            }
            "200 readers that wait" => {
                let workflow = self.noisy.publish(&graph([endless("a")])).await;
                let run = self.noisy.start_run(&workflow).await;
                let mut readers = JoinSet::new();
                for _ in 0..200 {
                    let (noisy, path) = (self.noisy.clone(), format!("{run}?wait_s=20"));
                    readers.spawn(async move {
                        loop {
                            noisy.status(Method::GET, &path, None).await;
                        }
                    });
                }
                return readers;
            }
            _ => unreachable!("no such case: {name}"),
        }
        JoinSet::new()
    }

    fn again_and_again(&self, clients: usize, path: &str, body: &Value) -> JoinSet<()> {
        let mut asking = JoinSet::new();
        for _ in 0..clients {
            let (noisy, path, body) = (self.noisy.clone(), path.to_owned(), body.to_string());
            asking.spawn(async move {
                loop {
                    noisy.status(Method::POST, &path, Some(body.clone())).await;
                }
            });
        }
        asking
    }
}

fn each(items: usize, step: &Value) -> Value {
    let items: Vec<usize> = (0..items).collect();
    let all = json!({ "for_each_max_parallel": items.len() });
    graph([with(for_each("all", &json!(items), std::slice::from_ref(step)), &all)])
}

/// Schemas that take as long to look through as they may.
fn hard_tool(at: usize) -> Value {
    let pattern = format!("^({}|x{at})+$", "(a|b|c)*".repeat(40));
    let fields: serde_json::Map<String, Value> = (0..100)
        .map(|field| (format!("f{field}"), json!({ "type": "string", "pattern": pattern })))
        .collect();
    json!({ "name": format!("t{at}"), "inputSchema": { "type": "object", "properties": fields } })
}

async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    url
}

const CASES: [&str; 13] = [
    "nothing",
    "80 runs with a call that drips",
    "400 calls that drip",
    "400 calls that drip, another's call",
    "60 endless scripts",
    "a for_each of 40 endless scripts",
    "80 while loops of scripts",
    "80 children with endless scripts",
    "80 runs with a model that is silent",
    "100 dry runs of endless scripts",
    "200 discoveries of a silent server",
    "50 clients that publish tools with hard schemas",
    "200 readers that wait",
];

/// Prints each case; whether the other tenant's runs were served in time, and all of them completed.
pub async fn print_and_check(program: &Path) -> bool {
    println!("Another tenant's runs, one every {} ms, while one tenant has\n", EVERY.as_millis());
    println!("  {:<50}{:>10}{:>10}{:>10}  outcome", "", "p50", "p99", "most");
    let mut ok = true;
    for name in CASES {
        let world = World::new(program).await;
        let workflow = world.other.publish(&world.asked_for(name).await).await;
        let noise = world.noise(name).await;
        sleep(BEFORE).await;
        let (mut times, completed) = measured(&world.other, &workflow).await;
        drop(noise);
        times.sort();
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        let is_well = at(99) < MAX && completed == RUNS;
        ok &= is_well;
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let mark = if is_well { "" } else { " !" };
        let most = ms(at(100));
        println!("  {name:<50}{:>10}{:>10}{most:>10}  {completed} completed{mark}", ms(at(50)), ms(at(99)));
    }
    println!();
    ok
}

/// How long each run took, from its start's request to the answer that it is over, and how many completed.
async fn measured(other: &Tenant, workflow: &str) -> (Vec<Duration>, usize) {
    let (mut ticks, mut runs) = (interval(EVERY), JoinSet::new());
    for _ in 0..RUNS {
        ticks.tick().await;
        let (other, workflow) = (other.clone(), workflow.to_owned());
        runs.spawn(async move {
            let began = Instant::now();
            let run = other.start_run(&workflow).await;
            let outcome = other.ended(&run).await;
            (began.elapsed(), outcome)
        });
    }
    let all = runs.join_all().await;
    let completed = all.iter().filter(|(_, outcome)| outcome == "completed").count();
    (all.into_iter().map(|(time, _)| time).collect(), completed)
}
