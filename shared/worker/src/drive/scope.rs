//! The values that steps may read, loaded as far as they are named: whole for scripts, and of what templates name only that.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::json;

use engine::{FailureCode, Outcome, RunInput, Slot};
use services::mcp::bind::connection_view;
use services::run::Session;
use services::step::{Found, NamedSteps, RoundScope, StepScope, View, run_view, step_view};
use types::clock::{Clock, Timestamp};
use types::json_text::JsonText;
use types::{Error, Result};
use workflow::limits::READS_MAX_BYTES;
use workflow::template::Path;
use workflow::{Body, Plan, StepIx, StepKind};

/// What all steps of a run share.
pub(crate) struct Scopes {
    clock: Clock,
    input: Arc<RunInput>,
    run: JsonText,
    connection: JsonText,
    /// The fields of loops under way, by attempt: every round reads its item from them.
    loops: HashMap<(StepIx, u32), Arc<LoopFields>>,
}

struct LoopFields {
    fields: JsonText,
    items: Vec<JsonText>,
}

/// What is wanted of the steps that a step reads.
enum Wanted<'p> {
    /// All, for a script.
    Views(BTreeMap<String, View>),
    /// What these paths name, for templates.
    Paths(Found, &'p [&'p Path]),
}

impl Wanted<'_> {
    fn put(&mut self, id: &str, view: View) {
        match self {
            Self::Views(views) => drop(views.insert(id.to_owned(), view)),
            Self::Paths(found, paths) => {
                let is_of_step =
                    |path: &&&Path| path.root() == "steps" && path.keys.get(1).is_some_and(|key| key == id);
                let paths: Vec<&Path> = paths.iter().filter(is_of_step).copied().collect();
                let members: Vec<_> = view.iter().map(|(key, text)| (*key, text)).collect();
                found.take(&members, &paths, 2);
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Views(views) => views.values().flatten().map(|(_, text)| text.bytes()).sum(),
            Self::Paths(found, _) => found.bytes(),
        }
    }
}

/// The failure of a step that reads more than is loaded for one.
fn reads_too_much(step: &str, bytes: usize) -> Outcome {
    let error = format!(
        "step {step:?} reads {bytes} bytes of JSON; at most {READS_MAX_BYTES} ({} MiB) are loaded for one step. Name the \
         steps that it needs (steps.fetch, not pairs(steps)), or let the steps before it return less.",
        READS_MAX_BYTES / 1024 / 1024
    );
    Outcome::failure(FailureCode::StepInputTooLarge, error)
}

impl Scopes {
    pub(crate) async fn new(session: &Session, clock: Clock) -> Result<Self> {
        let input = session.input().await?;
        Ok(Self {
            clock,
            connection: connection_view(&input.mcp).into(),
            input: Arc::new(input),
            run: run_view(session.machine().run()).into(),
            loops: HashMap::new(),
        })
    }

    /// What the run was started with.
    pub(crate) fn run_input(&self) -> &Arc<RunInput> {
        &self.input
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The scope of a script, with the steps that it names; or the failure that it reads too much.
    pub(crate) async fn of(
        &mut self,
        session: &mut Session,
        slot: Slot,
        named: &NamedSteps,
    ) -> Result<Result<StepScope, Outcome>> {
        let mut wanted = Wanted::Views(BTreeMap::new());
        match self.load(session, slot, named, &mut wanted).await? {
            Err(too_much) => Ok(Err(too_much)),
            Ok(scope) => {
                let Wanted::Views(steps) = wanted else { return Ok(Ok(scope)) };
                Ok(Ok(StepScope { steps, ..scope }))
            }
        }
    }

    /// What the paths of a step's templates name; or the failure that it is too much.
    pub(crate) async fn found(
        &mut self,
        session: &mut Session,
        slot: Slot,
        paths: &[&Path],
    ) -> Result<Result<Found, Outcome>> {
        let named = NamedSteps::by_paths(paths.iter().copied());
        let mut wanted = Wanted::Paths(Found::new(), paths);
        let scope = match self.load(session, slot, &named, &mut wanted).await? {
            Ok(scope) => scope,
            Err(too_much) => return Ok(Err(too_much)),
        };
        let Wanted::Paths(mut found, _) = wanted else { return Err(Error::internal("paths without values")) };
        scope.take_into(&mut found, paths);
        Ok(Ok(found))
    }

    async fn load(
        &mut self,
        session: &mut Session,
        slot: Slot,
        named: &NamedSteps,
        wanted: &mut Wanted<'_>,
    ) -> Result<Result<StepScope, Outcome>> {
        let plan = Arc::clone(session.machine().plan());
        let allowed = inner_allowlist(&plan, slot);
        for other in plan.readable(slot.step) {
            let id = &plan.step(other).step.id;
            if !named.has(id) || !(allowed.is_empty() || allowed.contains(id)) {
                continue;
            }
            let result = session.result(other.into()).await?;
            let input = session.step_input(other.into()).await?;
            let state = &session.machine().run().steps[other.index()];
            wanted.put(id, step_view(state, result, input));
            if wanted.bytes() > READS_MAX_BYTES {
                return Ok(Err(reads_too_much(session.machine().step_id(slot), wanted.bytes())));
            }
        }
        let round = match slot.inner {
            Some(_) => Some(self.round(session, &plan, slot, named, wanted).await?),
            None => None,
        };
        if wanted.bytes() > READS_MAX_BYTES {
            return Ok(Err(reads_too_much(session.machine().step_id(slot), wanted.bytes())));
        }
        Ok(Ok(StepScope {
            input: self.input.for_step(&plan.step(slot.step).step.id),
            steps: BTreeMap::new(),
            run: self.run.clone(),
            connection: self.connection.clone(),
            round,
        }))
    }

    async fn round(
        &mut self,
        session: &mut Session,
        plan: &Plan,
        slot: Slot,
        named: &NamedSteps,
        wanted: &mut Wanted<'_>,
    ) -> Result<RoundScope> {
        let planned = plan.step(slot.step);
        let (Some(body), Some(inner)) = (&planned.body, slot.inner) else {
            return Err(Error::internal("an inner step outside a loop"));
        };
        let fields = self.fields(session, slot.step, inner.attempt).await?;
        let is_each = matches!(planned.step.kind, StepKind::ForEach(_));
        let item = is_each.then(|| fields.items.get(inner.round as usize).cloned().unwrap_or_default());
        let rounds = session.machine().rounds(slot.step).map(|(_, rounds)| rounds);
        let round = rounds.and_then(|rounds| rounds.open.get(&inner.round)).cloned().unwrap_or_default();
        let made_before = rounds.map(|rounds| rounds.made_before.clone()).unwrap_or_default();
        let mut outputs = BTreeMap::new();
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
                wanted.put(&id, inner_view(output.as_ref(), input, round.failed.contains(&place)));
            }
            if let Some(output) = output {
                outputs.insert(id, output);
            }
        }
        let mut prev = BTreeMap::new();
        if !is_each && let Some(before) = inner.round.checked_sub(1) {
            let before = Slot { step: slot.step, inner: Some(engine::Inner { round: before, ..inner }) };
            for place in made_before {
                if let Some(output) = session.result(before.at_place(place)).await? {
                    prev.insert(inner_id(body, place), output);
                }
            }
        }
        if named.has(&planned.step.id) {
            let view: View = vec![
                ("index", json!(inner.round).into()),
                ("input", fields.fields.clone()),
                ("item", item.clone().unwrap_or_default()),
            ];
            wanted.put(&planned.step.id, view);
        }
        Ok(RoundScope { index: inner.round, item, body: outputs, prev })
    }

    async fn fields(&mut self, session: &Session, step: StepIx, attempt: u32) -> Result<Arc<LoopFields>> {
        if let Some(fields) = self.loops.get(&(step, attempt)) {
            return Ok(Arc::clone(fields));
        }
        let fields = session.step_input(step.into()).await?;
        let fields = fields.ok_or_else(|| Error::internal("a loop without its fields"))?;
        let items = fields.at(&["for_each_items"]).map(JsonText::from).and_then(|items| items.elements());
        let fields = Arc::new(LoopFields { fields, items: items.unwrap_or_default() });
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
fn inner_view(output: Option<&JsonText>, input: Option<JsonText>, failed: bool) -> View {
    let mut view = View::new();
    let input = input.unwrap_or_else(|| json!({}).into());
    if failed {
        let of = |key: &str| output.and_then(|output| output.text_at(&["error", key]));
        view.push(("error", json!({ "code": of("code"), "message": of("message") }).into()));
        view.push(("input", input));
        view.push(("status", json!("failed").into()));
        return view;
    }
    view.push(("input", input));
    if let Some(output) = output {
        view.push(("result", output.clone()));
    }
    view.push(("status", json!("completed").into()));
    view
}
