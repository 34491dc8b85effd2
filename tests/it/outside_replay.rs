//! What leaves a run under failure, by enumeration: every call of a store or the queue fails before and after its
//! effect, as an error and as a crash, under every way of delivering messages, while steps call tools and a model.
//! The outside hears of each attempt under one key and once, again only where the process that called has died of it,
//! whatever else a store answers, and each step settles once.

use std::collections::{BTreeMap, BTreeSet};

use it::{
    Fault, Faults, McpStandIn, Models, Planted, for_each, graph, lua_after, openai_says, tool_call, with,
};
use serde_json::{Value, json};

use crate::llm_wire::ask;
use crate::promises::{Kept, ensure, history};
use crate::world::{Delivery, World};

/// Calls that a run makes when nothing fails: a tool, a model, and a tool for each of two items.
const CALLS: usize = 4;

/// A world with an outside.
struct Scene {
    world: World,
    tools: McpStandIn,
    models: Models,
}

impl Scene {
    async fn new(delivery: Delivery, bug: Option<Planted>) -> Self {
        let mut world = World::new(delivery, bug, &graph([lua_after("a", &[], "return {}")])).await;
        let (tools, models) =
            (McpStandIn::start().await, Models::answering([openai_says("Yes.", 3, 1)]).await);
        let instance = world.acme.mcp_instance(&tools.url).await;
        let connection = world.acme.connection("a-key-of-the-tools").await;
        world.acme.mcp_profile(&instance, &connection).await;
        world.acme.openai_key(&models, "sk-test-0123456789").await;
        world.workflow = world.acme.publish(&calling(&instance)).await;
        Self { world, tools, models }
    }

    /// The keys under which the outside was called for this run, in any order.
    async fn keys(&self) -> Vec<String> {
        let tools = self.tools.calls().into_iter().map(|call| call.meta["agentruntime/attempt"].clone());
        let tools = tools.map(|key| key.as_str().unwrap_or("none").to_owned());
        let models = self.models.requests().await.into_iter();
        let models = models.map(|request| request.headers["idempotency-key"].to_str().unwrap().to_owned());
        tools.chain(models).filter(|key| key.starts_with(&self.world.run_id)).collect()
    }

    /// One run; `most` is how often the outside may hear of one attempt.
    async fn replay(&mut self, faults: &Faults, most: usize) -> Kept {
        self.world.next_scenario();
        self.world.start(faults).await;
        let run = self.world.until_over(faults).await;
        ensure(run["status"] == "completed", || format!("the run fails: {run:#}"))?;
        let end = json!({ "said": "hello", "thought": "Yes.", "sums": 83 });
        ensure(run["outputs"]["end"] == end, || format!("the wrong result: {run:#}"))?;
        let revisions = self.world.commits.of(&self.world.run_id);
        let one_by_one = !revisions.is_empty() && revisions.iter().copied().eq(1..=revisions.len() as u64);
        ensure(one_by_one, || format!("a state was followed by two others: {revisions:?}"))?;
        let events = self.world.acme.events(&run).await;
        history(&events)?;
        self.check(&Attempts::of(&events)?, most).await
    }

    async fn check(&self, attempts: &Attempts, most: usize) -> Kept {
        let mut heard: BTreeMap<String, usize> = BTreeMap::new();
        for key in self.keys().await {
            *heard.entry(key).or_default() += 1;
        }
        let told = || format!("heard {heard:#?}\nof {attempts:#?}");
        let known = heard.keys().all(|key| attempts.begun.contains(key));
        ensure(known, || format!("the outside is called for no attempt: {}", told()))?;
        let settled = attempts.completed.iter().all(|key| heard.contains_key(key));
        ensure(settled, || format!("a step completes that was not called: {}", told()))?;
        ensure(attempts.completed.len() == CALLS, || format!("steps settle once: {}", told()))?;
        let often = heard.values().all(|times| *times <= most);
        ensure(often, || format!("an attempt is made more than {most} times: {}", told()))
    }
}

/// Every kind of call, after one another and in a loop.
fn calling(instance: &str) -> Value {
    let retried = json!({ "retry_count": 2, "retry_backoff_s": 0 });
    let add = tool_call("add", &[], instance, "add", &json!({ "a": "{{ item }}" }));
    let thought = json!({ "depends_on": ["say"], "prompt": "Is it {{ steps.say.result.content.0.text }}?" });
    graph([
        with(tool_call("say", &[], instance, "echo", &json!({ "message": "hello" })), &retried),
        with(ask("direct.openai.gpt-4.1", &thought), &retried),
        with(for_each("each", &json!([1, 2]), &[with(add, &retried)]), &json!({ "depends_on": ["say"] })),
        lua_after(
            "end",
            &["say", "ask", "each"],
            "local sums = 0
             for _, round in ipairs(steps.each.result.results) do sums = sums + round.result.sum end
             return { said = steps.say.result.content[1].text, thought = steps.ask.result.text, sums = sums }",
        ),
    ])
}

/// The attempts at calls that stand in a run's history, by their keys.
#[derive(Debug, Default)]
struct Attempts {
    begun: BTreeSet<String>,
    /// The newest attempt of each step that completed.
    completed: Vec<String>,
}

impl Attempts {
    fn of(events: &[Value]) -> Result<Self, String> {
        let mut attempts = Self::default();
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        let mut failed: BTreeSet<String> = BTreeSet::new();
        for event in events {
            // An inner step's is `parent#body#inner`, and calls are known by its own.
            let step = event["step_id"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
            if !["say", "ask", "add"].contains(&step) {
                continue;
            }
            let run = event["run_id"].as_str().unwrap();
            let place = match event["data"]["index"].as_u64() {
                Some(index) => format!("{run}/{step}/{index}"),
                None => format!("{run}/{step}"),
            };
            let attempt = event["data"]["attempt"].as_u64().unwrap_or(0);
            match event["event_type"].as_str().unwrap() {
                "step_started" => {
                    let before = format!("{place}/{}", attempt - 1);
                    ensure(attempt == 1 || failed.contains(&before), || {
                        format!("attempt {attempt} begins though the one before has not failed: {events:#?}")
                    })?;
                    attempts.begun.insert(format!("{place}/{attempt}"));
                    newest.insert(place, attempt);
                }
                "step_failed" => drop(failed.insert(format!("{place}/{attempt}"))),
                "step_completed" => attempts.completed.push(format!("{place}/{}", newest[&place])),
                _ => {}
            }
        }
        Ok(attempts)
    }
}

/// Each call of a run fails: in each way where messages come once, in one of the ways elsewhere. `Err` says what came
/// of it.
async fn every_fault(delivery: Delivery) -> Kept {
    let mut scene = Scene::new(delivery, None).await;
    let none = Faults::default();
    scene.replay(&none, 1).await.map_err(|why| format!("no fault: {why}"))?;
    for call in 0..none.calls() {
        let ways = if delivery == Delivery::Once { Fault::ways() } else { Fault::ways_of(call) };
        for fault in ways {
            // A crash ends one process, which may have called and not written it. Nothing else lets a call be paid twice.
            let most = if fault.is_crash() { 2 } else { 1 };
            let kept = scene.replay(&Faults::at(call, fault), most).await;
            kept.map_err(|why| format!("call {call} of {}, {fault:?}: {why}", none.calls()))?;
        }
    }
    Ok(())
}

macro_rules! replays {
    ($($name:ident: $delivery:expr;)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Err(broken) = every_fault($delivery).await {
                panic!("{broken}");
            }
        }
    )* };
}

replays! {
    calls_are_repeated_under_their_key_only_with_messages_that_come_once: Delivery::Once;
    calls_are_repeated_under_their_key_only_with_messages_that_come_twice: Delivery::Twice;
    calls_are_repeated_under_their_key_only_with_messages_that_come_at_once: Delivery::AtOnce;
    calls_are_repeated_under_their_key_only_with_messages_in_reverse: Delivery::Reversed;
    calls_are_repeated_under_their_key_only_with_a_lost_message: Delivery::Lost(1);
}

/// That the test finds what it looks for: a claim that another worker's does not stop is two calls of one attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_two_workers_make_is_found() {
    let mut scene = Scene::new(Delivery::AtOnce, Some(Planted::ReplacesAnyRevision)).await;
    let mut found = None;
    for _ in 0..20 {
        found = scene.replay(&Faults::default(), 1).await.err();
        if found.is_some() {
            break;
        }
    }
    assert!(found.is_some(), "two workers call the outside for one attempt, and nobody noticed");
}
