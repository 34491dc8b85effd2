//! What a step needs before it begins: whether its gates let it, and the values that it may read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use shared::run::{RunInput, Session, SkipReason};
use shared::step::lua::{Cancel, StepReferences, step_references};
use shared::step::{Script, StepScope, run_view, step_view};
use shared::workflow::template::Condition;
use shared::workflow::{Plan, StepIx, StepKind};
use shared::{Error, Result};

/// Whether a step executes.
pub(crate) enum Gate {
    /// It does.
    Open,
    /// It is skipped.
    Skip(SkipReason),
}

/// What all steps of a run share.
pub(crate) struct Prepare {
    input: RunInput,
    /// The input of steps without an overlay.
    plain_input: Arc<Value>,
    run: Arc<Value>,
    connection: Arc<Value>,
}

impl Prepare {
    pub(crate) async fn new(session: &Session) -> Result<Self> {
        let input = session.input().await?;
        Ok(Self {
            plain_input: Arc::new(input.input.clone()),
            input,
            run: Arc::new(run_view(session.machine().run())),
            connection: Arc::new(json!({})),
        })
    }

    /// Evaluates a step's `condition` and `skip_when`.
    pub(crate) async fn gate(&self, session: &mut Session, step: StepIx) -> Result<Gate> {
        let plan = Arc::clone(session.machine().plan());
        let planned = plan.step(step);
        if let Some(condition) = &planned.condition
            && !self.holds(session, &plan, step, condition).await?
        {
            return Ok(Gate::Skip(SkipReason::ConditionFalse));
        }
        if let Some(condition) = &planned.skip_when
            && self.holds(session, &plan, step, condition).await?
        {
            return Ok(Gate::Skip(SkipReason::SkipWhen));
        }
        Ok(Gate::Open)
    }

    async fn holds(
        &self,
        session: &mut Session,
        plan: &Plan,
        step: StepIx,
        condition: &Condition,
    ) -> Result<bool> {
        let named = condition.paths().filter(|path| path.keys.first().is_some_and(|root| root == "steps"));
        let named: Vec<&str> = named.filter_map(|path| path.keys.get(1).map(String::as_str)).collect();
        let read = plan
            .readable(step)
            .into_iter()
            .filter(|other| named.contains(&plan.step(*other).step.id.as_str()));
        let read: Vec<StepIx> = read.collect();
        Ok(condition.eval(&self.scope(session, plan, step, &read).await?))
    }

    /// A `lua_script` step's script with what it reads.
    pub(crate) async fn script(&self, session: &mut Session, step: StepIx) -> Result<Script> {
        let plan = Arc::clone(session.machine().plan());
        let planned = plan.step(step);
        let StepKind::LuaScript(lua) = &planned.step.kind else {
            // Publishing refuses step types that this version cannot execute.
            return Err(Error::internal(format!(
                "a step of type {} in a run",
                planned.step.kind.type_name()
            )));
        };
        let read = match step_references(&lua.script) {
            StepReferences::None => Vec::new(),
            StepReferences::All => plan.readable(step),
            StepReferences::Some(names) => {
                // `steps.fetch_pr` may stand for the step `fetch-pr`.
                let named = |id: &str| names.contains(id) || names.contains(&id.replace('-', "_"));
                plan.readable(step).into_iter().filter(|other| named(&plan.step(*other).step.id)).collect()
            }
        };
        Ok(Script {
            source: lua.script.clone(),
            scope: self.scope(session, &plan, step, &read).await?,
            timeout: planned.timeout.unwrap_or_default(),
            cancel: Cancel::default(),
        })
    }

    async fn scope(
        &self,
        session: &mut Session,
        plan: &Plan,
        step: StepIx,
        read: &[StepIx],
    ) -> Result<StepScope> {
        let mut steps = BTreeMap::new();
        for &other in read {
            let result = session.result(other).await?;
            let input = session.step_input(other).await?;
            let state = &session.machine().run().steps[other.index()];
            steps.insert(
                plan.step(other).step.id.clone(),
                step_view(state, result.as_deref(), input.as_deref()),
            );
        }
        let id = &plan.step(step).step.id;
        let input = if self.input.trigger_steps.contains_key(id) {
            Arc::new(self.input.for_step(id))
        } else {
            Arc::clone(&self.plain_input)
        };
        Ok(StepScope { input, steps, run: Arc::clone(&self.run), connection: Arc::clone(&self.connection) })
    }
}
