//! What an expression may refer to, from where it stands.

use super::super::step_set::{StepIx, StepSet};
use super::super::steps::StepKind;
use super::super::template::Path;
use super::{
    findings::Findings,
    view::{BodyView, Site, View},
};
use types::suggest::quote;

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'v, 'a> {
    pub(super) site: Site<'a>,
    view: &'v View<'a>,
    readable: StepSet,
    body: Option<Within<'v, 'a>>,
}

/// A place in the body of a loop, or in the condition that is looked at after it.
#[derive(Clone, Copy)]
struct Within<'v, 'a> {
    body: &'v BodyView,
    /// The id of the loop.
    loop_id: &'a str,
    for_each: bool,
    /// When the step runs; inner steps before that have run. The condition comes after all.
    position: usize,
}

/// Why a reference cannot be.
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) suggestion: String,
}

type Checked = Result<(), Problem>;

const RUN_FIELDS: [&str; 11] = [
    "run_id",
    "workflow_id",
    "version",
    "started_at",
    "trigger_type",
    "external_user_id",
    "external_id",
    "principal_id",
    "segment_id",
    "tenant_id",
    "project_id",
];
const CONNECTION_FIELDS: [&str; 6] =
    ["connection_id", "provider", "provider_account_key", "metadata", "primary_instance_id", "by_instance"];
const STEP_FIELDS: [&str; 4] = ["result", "input", "status", "error"];
const LOOP_ROOTS: [&str; 5] = ["item", "index", "foreach", "body", "while"];

impl<'v, 'a> Place<'v, 'a> {
    /// The place of a step's own fields.
    pub(super) fn of(view: &'v View<'a>, site: Site<'a>) -> Self {
        let body = site.inner.and_then(|inner| within(view, site.top, Some(inner)));
        Self { site, view, readable: view.readable(&site), body }
    }

    /// The id of the step of the graph that it is in.
    pub(super) fn top_id(&self) -> &'a str {
        self.view.id(StepIx::at(self.site.top))
    }

    /// The place of a loop's condition, which sees the inner steps of the round.
    pub(super) fn after_body(&self) -> Self {
        Self { body: within(self.view, self.site.top, None), ..*self }
    }

    /// Whether `path` can have a value here.
    pub(super) fn check(&self, path: &Path, findings: &mut Findings) -> Checked {
        let rest = path.rest();
        match (path.root(), self.body) {
            ("input", _) => Ok(()),
            ("run", _) => field_of("run", rest, &RUN_FIELDS, findings),
            ("connection", _) => field_of("connection", rest, &CONNECTION_FIELDS, findings),
            ("steps", _) => self.step(rest, findings),
            ("item" | "index", Some(within)) if within.for_each => Ok(()),
            ("foreach", Some(within)) if within.for_each => {
                field_of("foreach", rest, &["item", "index"], findings)
            }
            ("while", Some(within)) if !within.for_each => while_root(within, rest, findings),
            ("body", Some(within)) => body_root(within, rest, findings),
            (root, _) if LOOP_ROOTS.contains(&root) => Err(self.not_here(root)),
            (root, _) => {
                let roots = ["input", "steps", "run", "connection"];
                let known = roots.into_iter().chain(LOOP_ROOTS);
                let suggestion =
                    findings.did_you_mean(root, known, || format!("paths begin with {}", roots.join(", ")));
                Err(problem("unknown_root", format!("nothing is called {:?} here", quote(root)), suggestion))
            }
        }
    }

    /// `steps.<id>.<field>…`
    fn step(&self, rest: &[String], findings: &mut Findings) -> Checked {
        let Some((id, below)) = rest.split_first() else {
            let message = "a reference to a step needs its id";
            return Err(problem("unknown_reference", message, "write steps.<id>.result"));
        };
        let field = below.first().map_or("", String::as_str);
        if let Some(within) = self.body {
            if id == within.loop_id && within.for_each && field == "item" {
                return Ok(());
            }
            if let Some(ix) = within.body.edges.ids.get(id) {
                return inner_step(within, id, *ix, field);
            }
        }
        match self.standing(id) {
            Standing::Readable => field_of(&format!("steps.{id}"), below, &STEP_FIELDS, findings),
            standing => Err(self.out_of_reach(id, standing, findings)),
        }
    }

    /// What the step with this id is to this place.
    fn standing(&self, id: &str) -> Standing {
        self.view.edges.ids.get(id).map_or(Standing::Unknown, |ix| self.standing_of(*ix))
    }

    /// What a step is to this place.
    pub(super) fn standing_of(&self, ix: StepIx) -> Standing {
        if self.readable.contains(ix) {
            Standing::Readable
        } else if self.view.ancestors(self.site.top).contains(ix) {
            Standing::NotAllowed
        } else {
            Standing::NotAncestor
        }
    }

    fn out_of_reach(&self, id: &str, standing: Standing, findings: &mut Findings) -> Problem {
        let quoted = quote(id);
        match standing {
            Standing::NotAllowed => problem(
                "step_not_allowed",
                format!("{quoted:?} is not on the input_allowlist of this step"),
                "add it to input_allowlist",
            ),
            Standing::NotAncestor | Standing::Readable => problem(
                "step_not_ancestor",
                format!("this step does not wait for {quoted:?}, so it cannot read it"),
                format!("add {quoted:?} to depends_on"),
            ),
            Standing::Unknown => {
                let ids = self.view.edges.ids.keys().map(String::as_str);
                let suggestion = match self.view.owner_of(id).map(quote) {
                    Some(owner) => {
                        format!("it is an inner step of {owner:?}: from outside read steps.{owner}.result")
                    }
                    None => {
                        findings.did_you_mean(id, ids, || "name a step that this one waits for".to_owned())
                    }
                };
                problem("step_not_found", format!("there is no step {quoted:?}"), suggestion)
            }
        }
    }

    fn not_here(&self, root: &str) -> Problem {
        let place = match root {
            "item" | "index" | "foreach" => "the body of a for_each",
            "while" => "the body of a while",
            _ => "the body of a loop",
        };
        problem("root_not_available", format!("{root} exists only in {place}"), "use input or steps here")
    }
}

/// What a step is to a place that refers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is settled before, and may be read.
    Readable,
    /// It is settled before, but the allowlist leaves it out.
    NotAllowed,
    /// Nothing says that it is settled before.
    NotAncestor,
    /// There is no such step.
    Unknown,
}

fn within<'v, 'a>(view: &'v View<'a>, top: usize, inner: Option<usize>) -> Option<Within<'v, 'a>> {
    let body = view.body(top)?;
    let step = view.steps.get(top)?.step.as_ref()?;
    let position = match inner {
        Some(place) => *body.position.get(place)?,
        None => usize::MAX,
    };
    Some(Within {
        body,
        loop_id: view.id(StepIx::at(top)),
        for_each: matches!(step.kind, StepKind::ForEach(_)),
        position,
    })
}

/// `body.<inner id>…`
fn body_root(within: Within<'_, '_>, rest: &[String], findings: &mut Findings) -> Checked {
    let Some(id) = rest.first() else { return Ok(()) };
    match within.body.edges.ids.get(id) {
        Some(ix) => earlier(within, id, *ix),
        None => Err(unknown_inner(within, id, findings)),
    }
}

/// `while.iteration`, `while.prev.<inner id>…`
fn while_root(within: Within<'_, '_>, rest: &[String], findings: &mut Findings) -> Checked {
    field_of("while", rest, &["iteration", "prev"], findings)?;
    match rest {
        [prev, id, ..] if prev == "prev" && !within.body.edges.ids.contains_key(id) => {
            Err(unknown_inner(within, id, findings))
        }
        _ => Ok(()),
    }
}

/// `steps.<inner id>.input…`, `.status` and `.error…` in a body.
fn inner_step(within: Within<'_, '_>, id: &str, ix: StepIx, field: &str) -> Checked {
    if matches!(field, "input" | "status" | "error") {
        return earlier(within, id, ix);
    }
    Err(problem(
        "unknown_reference",
        format!("of the inner step {:?} only `input`, `status` and `error` are found under steps", quote(id)),
        format!("its output is body.{}", quote(id)),
    ))
}

fn earlier(within: Within<'_, '_>, id: &str, ix: StepIx) -> Checked {
    if within.body.position.get(ix.index()).is_some_and(|position| *position < within.position) {
        return Ok(());
    }
    Err(problem(
        "body_step_not_earlier",
        format!("the inner step {:?} has not run yet when this one does", quote(id)),
        "refer to an earlier inner step, or to the previous round with while.prev",
    ))
}

fn unknown_inner(within: Within<'_, '_>, id: &str, findings: &mut Findings) -> Problem {
    let known = within.body.edges.ids.keys().map(String::as_str);
    let suggestion = findings.did_you_mean(id, known, || "name a step of this body".to_owned());
    problem("body_step_not_found", format!("the body has no step {:?}", quote(id)), suggestion)
}

/// Whether the first key of `rest` is one of `fields`; none at all means the whole.
fn field_of(root: &str, rest: &[String], fields: &[&'static str], findings: &mut Findings) -> Checked {
    let whole = !root.starts_with("steps.");
    let field = match rest.first() {
        Some(field) if fields.contains(&field.as_str()) => return Ok(()),
        None if whole => return Ok(()),
        Some(field) => field.as_str(),
        None => "",
    };
    let list = fields.join(", ");
    let suggestion = findings.did_you_mean(field, fields.iter().copied(), || format!("it has {list}"));
    let message = if field.is_empty() {
        format!("{} needs one of {list}", quote(root))
    } else {
        format!("{} has no {:?}", quote(root), quote(field))
    };
    Err(problem("unknown_reference", message, suggestion))
}

fn problem(code: &'static str, message: impl Into<String>, suggestion: impl Into<String>) -> Problem {
    Problem { code, message: message.into(), suggestion: suggestion.into() }
}
