//! Random graphs of every kind of step, and how they are written.

use proptest::prelude::*;
use proptest::{bool, option};
use serde_json::{Value, json};

use workflow::{ErrorPolicy, OnTimeout};

/// A step of a random graph.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    /// Places of the steps it depends on, all of them earlier.
    pub deps: Vec<usize>,
    pub common: Common,
    pub kind: Kind,
    /// A root that the start does not begin: it lacks a grant, or is excluded.
    pub left_out: bool,
    pub terminal: bool,
}

/// What every step has, also an inner one.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub enabled: bool,
    /// There is a condition, and what it comes to.
    pub condition: Option<bool>,
    pub skip_when: Option<bool>,
    pub retries: u32,
    pub keeps_errors: bool,
    /// In seconds.
    pub timeout: Option<i64>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Script,
    Person(Option<OnTimeout>),
    Call { waits: bool },
    Loop(LoopSpec),
}

#[derive(Debug, Clone)]
pub(super) struct LoopSpec {
    pub of: LoopOf,
    /// Items, or the most iterations.
    pub total: u32,
    /// How long a round may take, in seconds.
    pub round_timeout: Option<i64>,
    /// `true` for a call, `false` for a script.
    pub body: Vec<(Common, bool)>,
}

#[derive(Debug, Clone)]
pub(super) enum LoopOf {
    Items { policy: ErrorPolicy, parallel: u32 },
    Iterations { until: bool },
}

fn common(timeouts: &'static [Option<i64>]) -> impl Strategy<Value = Common> {
    let gate = |present, holds| option::weighted(present, bool::weighted(holds));
    let enabled = bool::weighted(0.92);
    let keeps_errors = bool::weighted(0.3);
    let timeout = prop::sample::select(timeouts);
    (enabled, gate(0.3, 0.75), gate(0.1, 0.3), 0..3_u32, keeps_errors, timeout).prop_map(
        |(enabled, condition, skip_when, retries, keeps_errors, timeout)| Common {
            enabled,
            condition,
            skip_when,
            retries,
            keeps_errors,
            timeout,
        },
    )
}

const OF_SCRIPT: &[Option<i64>] = &[Some(5), Some(20)];
const OF_PERSON: &[Option<i64>] = &[None, None, Some(40)];
const OF_CALL: &[Option<i64>] = &[Some(100), Some(3600)];
const OF_LOOP: &[Option<i64>] = &[Some(90), Some(600), Some(86_400)];

fn loop_spec() -> impl Strategy<Value = LoopSpec> {
    use ErrorPolicy::{ContinueOnError, FailFast, HumanReview, Pause};
    let policy = prop::sample::select(&[FailFast, ContinueOnError, Pause, HumanReview][..]);
    let items = (policy, 1..4_u32).prop_map(|(policy, parallel)| LoopOf::Items { policy, parallel });
    let iterations = any::<bool>().prop_map(|until| LoopOf::Iterations { until });
    let inner = prop_oneof![
        4 => common(OF_SCRIPT).prop_map(|common| (common, false)),
        1 => common(OF_CALL).prop_map(|common| (common, true)),
    ];
    let body = prop::collection::vec(inner, 1..4);
    let round_timeout = option::weighted(0.3, 20..60_i64);
    (prop_oneof![3 => items, 1 => iterations], 0..5_u32, round_timeout, body).prop_map(
        |(of, total, round_timeout, body)| {
            let least = u32::from(matches!(of, LoopOf::Iterations { .. }));
            LoopSpec { of, total: total.max(least), round_timeout, body }
        },
    )
}

fn spec(at: usize) -> impl Strategy<Value = Spec> {
    let on_timeout = [OnTimeout::Fail, OnTimeout::Approve, OnTimeout::Reject];
    let on_timeout = option::of(prop::sample::select(on_timeout.to_vec()));
    let kind = prop_oneof![
        5 => common(OF_SCRIPT).prop_map(|common| (common, Kind::Script)),
        2 => (common(OF_PERSON), on_timeout).prop_map(|(common, answer)| (common, Kind::Person(answer))),
        2 => (common(OF_CALL), any::<bool>()).prop_map(|(common, waits)| (common, Kind::Call { waits })),
        4 => (common(OF_LOOP), loop_spec()).prop_map(|(common, spec)| (common, Kind::Loop(spec))),
    ];
    let deps = prop::collection::btree_set(0..at.max(1), 0..=at.min(3));
    (deps, kind, bool::weighted(0.15), bool::weighted(0.03)).prop_map(
        move |(deps, (common, kind), left_out, terminal)| Spec {
            left_out: left_out && deps.iter().all(|dep| *dep >= at),
            deps: deps.into_iter().filter(|dep| *dep < at).collect(),
            common,
            kind,
            terminal,
        },
    )
}

/// Graphs of up to thirty steps.
pub(super) fn graphs() -> impl Strategy<Value = Vec<Spec>> {
    (1..=30_usize).prop_flat_map(|length| (0..length).map(spec).collect::<Vec<_>>())
}

pub(super) fn id(at: usize) -> String {
    format!("s{at}")
}

/// The graph as its author would write it. Of the steps that are left out, every other one lacks a grant; the
/// rest is to be excluded.
pub(super) fn written(specs: &[Spec]) -> Value {
    let step = |(at, spec): (usize, &Spec)| {
        let mut step = written_common(&id(at), &spec.common);
        step["depends_on"] = spec.deps.iter().map(|dep| id(*dep)).collect();
        step["terminal"] = json!(spec.terminal);
        step["no_auto_start"] = json!(lacks_grant(at, spec));
        extend(&mut step, written_kind(at, &spec.kind));
        step
    };
    specs.iter().enumerate().map(step).collect()
}

pub(super) fn lacks_grant(at: usize, spec: &Spec) -> bool {
    spec.left_out && at.is_multiple_of(2)
}

fn extend(step: &mut Value, more: Value) {
    let (Value::Object(step), Value::Object(more)) = (step, more) else { panic!("objects") };
    step.extend(more);
}

fn written_common(id: &str, common: &Common) -> Value {
    let mut step = json!({
        "id": id,
        "enabled": common.enabled,
        "retry_count": common.retries,
        "continue_on_error": common.keeps_errors,
    });
    if common.condition.is_some() {
        step["condition"] = json!("{{ input.condition }}");
    }
    if common.skip_when.is_some() {
        step["skip_when"] = json!("{{ input.skip_when }}");
    }
    if let Some(timeout) = common.timeout {
        step["timeout_s"] = json!(timeout);
    }
    step
}

const CHILD: &str = "0199b2a4-0000-7000-8000-000000000000";

fn written_kind(at: usize, kind: &Kind) -> Value {
    match kind {
        Kind::Script => json!({ "type": "lua_script", "script": "return {}" }),
        Kind::Person(on_timeout) => {
            let mut task = json!({ "type": "human_task", "task_type": "approval" });
            if let Some(on_timeout) = on_timeout {
                task["on_timeout"] = json!(on_timeout);
            }
            task
        }
        Kind::Call { waits } => json!({ "type": "workflow_call", "workflow_id": CHILD, "wait": waits }),
        Kind::Loop(spec) => written_loop(at, spec),
    }
}

fn written_loop(at: usize, spec: &LoopSpec) -> Value {
    let inner = |(place, (common, calls)): (usize, &(Common, bool))| {
        let mut step = written_common(&format!("s{at}-{place}"), common);
        let kind = if *calls { Kind::Call { waits: true } } else { Kind::Script };
        extend(&mut step, written_kind(at, &kind));
        step
    };
    let body: Value = spec.body.iter().enumerate().map(inner).collect();
    let (mut step, timeout) = match spec.of {
        LoopOf::Items { policy, parallel } => (
            json!({
                "type": "for_each",
                "for_each_items": vec![0; spec.total as usize],
                "for_each_body_steps": body,
                "for_each_max_parallel": parallel,
                "for_each_error_policy": policy,
            }),
            "for_each_item_timeout_s",
        ),
        LoopOf::Iterations { until } => (
            json!({
                "type": "while",
                "while_mode": if until { "until" } else { "while" },
                "while_max_iterations": spec.total,
                "while_body_steps": body,
                "while_eval_script": "return { pass = true }",
            }),
            "while_iteration_timeout_s",
        ),
    };
    if let Some(seconds) = spec.round_timeout {
        step[timeout] = json!(seconds);
    }
    step
}
