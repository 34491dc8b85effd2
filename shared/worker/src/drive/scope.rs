//! The values that steps may read, loaded as far as they are named.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use engine::{RunInput, Slot};
use services::mcp::bind::connection_view;
use services::run::Session;
use services::step::{NamedSteps, RoundScope, StepScope, run_view, step_view};
use types::clock::{Clock, Timestamp};
use types::{Error, Result};
use workflow::{Body, Plan, StepIx, StepKind};

/// What all steps of a run share.
pub(crate) struct Scopes {
    clock: Clock,
    input: RunInput,
    /// The input of steps without an overlay.
    plain_input: Arc<Value>,
    run: Arc<Value>,
    connection: Arc<Value>,
    /// The fields of loops under way, by attempt: every round reads its item from them.
    loops: HashMap<(StepIx, u32), Arc<Value>>,
}

impl Scopes {
    pub(crate) async fn new(session: &Session, clock: Clock) -> Result<Self> {
        let input = session.input().await?;
        Ok(Self {
            clock,
            plain_input: Arc::new(input.input.clone()),
            connection: Arc::new(connection_view(&input.mcp)),
            input,
            run: Arc::new(run_view(session.machine().run())),
            loops: HashMap::new(),
        })
    }

    /// What the run was started with.
    pub(crate) fn run_input(&self) -> &RunInput {
        &self.input
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The scope of a step, with the steps that it names.
    pub(crate) async fn of(
        &mut self,
        session: &mut Session,
        slot: Slot,
        named: &NamedSteps,
    ) -> Result<StepScope> {
        let plan = Arc::clone(session.machine().plan());
        let mut steps = BTreeMap::new();
        let allowed = inner_allowlist(&plan, slot);
        for other in plan.readable(slot.step) {
            let id = &plan.step(other).step.id;
            if !named.has(id) || !(allowed.is_empty() || allowed.contains(id)) {
                continue;
            }
            let result = session.result(other.into()).await?;
            let input = session.step_input(other.into()).await?;
            let state = &session.machine().run().steps[other.index()];
            steps.insert(id.clone(), step_view(state, result.as_deref(), input.as_deref()));
        }
        let id = &plan.step(slot.step).step.id;
        let input = match self.input.trigger_steps.contains_key(id) {
            true => Arc::new(self.input.for_step(id)),
            false => Arc::clone(&self.plain_input),
        };
        let round = match slot.inner {
            Some(_) => Some(self.round(session, &plan, slot, named, &mut steps).await?),
            None => None,
        };
        Ok(StepScope {
            input,
            steps,
            run: Arc::clone(&self.run),
            connection: Arc::clone(&self.connection),
            round,
        })
    }

    async fn round(
        &mut self,
        session: &mut Session,
        plan: &Plan,
        slot: Slot,
        named: &NamedSteps,
        steps: &mut BTreeMap<String, Value>,
    ) -> Result<RoundScope> {
        let planned = plan.step(slot.step);
        let (Some(body), Some(inner)) = (&planned.body, slot.inner) else {
            return Err(Error::internal("an inner step outside a loop"));
        };
        let fields = self.fields(session, slot.step, inner.attempt).await?;
        let is_each = matches!(planned.step.kind, StepKind::ForEach(_));
        let item = is_each.then(|| {
            let items = fields["for_each_items"].as_array();
            items.and_then(|items| items.get(inner.round as usize)).cloned().unwrap_or(Value::Null)
        });
        let rounds = session.machine().rounds(slot.step).map(|(_, rounds)| rounds);
        let round = rounds.and_then(|rounds| rounds.open.get(&inner.round)).cloned().unwrap_or_default();
        let made_before = rounds.map(|rounds| rounds.made_before.clone()).unwrap_or_default();
        let mut outputs = Map::new();
        for place in round.made {
            let at = slot.at_place(place);
            let id = inner_id(body, place);
            let output = session.result(at).await?;
            if named.has(&id) {
                // Scripts have no fields, and looking for what is not there goes through every page of the loop.
                let input = match is_script(body, place) {
                    true => None,
                    false => session.step_input(at).await?,
                };
                let view = inner_view(output.as_deref(), input.as_deref(), round.failed.contains(&place));
                steps.insert(id.clone(), view);
            }
            if let Some(output) = output {
                outputs.insert(id, Value::clone(&output));
            }
        }
        let mut prev = Map::new();
        if !is_each && let Some(before) = inner.round.checked_sub(1) {
            let before = Slot { step: slot.step, inner: Some(engine::Inner { round: before, ..inner }) };
            for place in made_before {
                if let Some(output) = session.result(before.at_place(place)).await? {
                    prev.insert(inner_id(body, place), Value::clone(&output));
                }
            }
        }
        if named.has(&planned.step.id) {
            let view = json!({ "item": item, "index": inner.round, "input": &*fields });
            steps.insert(planned.step.id.clone(), view);
        }
        Ok(RoundScope { index: inner.round, item, body: Value::Object(outputs), prev: Value::Object(prev) })
    }

    async fn fields(&mut self, session: &Session, step: StepIx, attempt: u32) -> Result<Arc<Value>> {
        if let Some(fields) = self.loops.get(&(step, attempt)) {
            return Ok(Arc::clone(fields));
        }
        let fields = session.step_input(step.into()).await?;
        let fields = fields.ok_or_else(|| Error::internal("a loop without its fields"))?;
        self.loops.insert((step, attempt), Arc::clone(&fields));
        Ok(fields)
    }
}

/// What narrows the steps that an inner step may read, beside its loop's own list.
fn inner_allowlist(plan: &Plan, slot: Slot) -> &[String] {
    let body = plan.step(slot.step).body.as_ref().zip(slot.inner);
    let inner = body.and_then(|(body, inner)| body.steps.get(usize::from(inner.place)));
    inner.map_or(&[], |inner| &inner.step.input_allowlist)
}

fn is_script(body: &Body, place: u16) -> bool {
    let inner = body.steps.get(usize::from(place));
    inner.is_some_and(|inner| matches!(inner.step.kind, StepKind::LuaScript(_)))
}

pub(crate) fn inner_id(body: &Body, place: u16) -> String {
    body.steps.get(usize::from(place)).map(|inner| inner.step.id.clone()).unwrap_or_default()
}

/// An inner step as later ones of its round see it: as [`step_view`] shows a step of the graph.
fn inner_view(output: Option<&Value>, input: Option<&Value>, failed: bool) -> Value {
    let mut view = json!({ "input": input.cloned().unwrap_or_else(|| json!({})) });
    if failed {
        let error = output.map(|output| &output["error"]);
        let of = |key: &str| error.map_or(&Value::Null, |error| &error[key]);
        view["status"] = json!("failed");
        view["error"] = json!({ "code": of("code"), "message": of("message") });
        return view;
    }
    view["status"] = json!("completed");
    if let Some(output) = output {
        view["result"] = output.clone();
    }
    view
}
