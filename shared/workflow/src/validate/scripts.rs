//! Lua that does not compile, steps that it reads without waiting for them, and numbers that it cannot write.

use super::super::steps::StepKind;
use super::{
    findings::Findings,
    references::{Place, Standing},
    view::{Site, View},
};
use lua::{self, StepReferences};
use types::issue::{Check, Issue};
use types::suggest::quote;

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for site in view.sites() {
        let Some((field, script)) = script(&site) else { continue };
        if let Err(error) = lua::check(script) {
            let line = error.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let issue = site.error(Check::LuaSyntax, "lua_syntax", field, format!("{line}{}", error.message));
            findings.push(issue.suggest("correct the script"));
        } else {
            references(view, &site, field, script, findings);
            literals(&site, field, script, findings);
        }
    }
}

/// The step's script, unless it is missing or too large to be worth compiling (reported elsewhere).
pub(super) fn script<'a>(site: &Site<'a>) -> Option<(&'static str, &'a str)> {
    let (field, script) = match &site.step.kind {
        StepKind::LuaScript(kind) => ("script", kind.script.as_str()),
        StepKind::While(kind) => ("while_eval_script", kind.while_eval_script.as_deref()?),
        _ => return None,
    };
    let worth_it = !script.trim().is_empty() && script.len() <= super::super::limits::SCRIPT_MAX_BYTES;
    worth_it.then_some((field, script))
}

/// Warns of whole numbers beyond 2⁵³, which are rounded where they are written in a script.
fn literals(site: &Site<'_>, field: &'static str, script: &str, findings: &mut Findings) {
    for literal in lua::inexact_literals(script) {
        let (line, text) = (literal.line, literal.text);
        let message = format!(
            "line {line}: {text} is beyond 2^53, where numbers in a script are rounded: it reads {}, and is not equal to an \
             integer of JSON",
            literal.reads
        );
        let issue = site.warning(Check::LuaSyntax, "lua_number_inexact", field, message);
        let digits = literal.digits;
        findings.push(issue.suggest(match literal.fits_json {
            true => format!(
                "compare the text of the value (tostring(id) == \"{digits}\"), or write json.decode(\"{digits}\")"
            ),
            // json.decode would round it just the same.
            false => format!("write it as text, \"{digits}\": no number of more than 64 bits keeps its digits"),
        }));
    }
}

/// Warns, since a script may look before it reads.
fn references(view: &View<'_>, site: &Site<'_>, field: &str, script: &str, findings: &mut Findings) {
    let StepReferences::Some(names) = lua::step_references(script) else { return };
    let place = Place::of(view, *site);
    let body = view.body(site.top);
    for name in names {
        // In a body `steps.<inner id>.input` is there as well.
        if body.is_some_and(|body| body.edges.called(&name).is_some()) {
            continue;
        }
        let standing = view.edges.called(&name).map_or(Standing::Unknown, |ix| place.standing_of(ix));
        if let Some(issue) = warning(site, field, &name, standing, findings, view) {
            findings.push(issue);
        }
    }
}

fn warning(
    site: &Site<'_>,
    field: &str,
    name: &str,
    standing: Standing,
    findings: &mut Findings,
    view: &View<'_>,
) -> Option<Issue> {
    let quoted = quote(name);
    let (code, message, suggestion) = match standing {
        Standing::Readable => return None,
        Standing::NotAllowed => (
            "lua_step_not_allowed",
            format!("steps[{quoted:?}] is nil: it is not on the input_allowlist of this step"),
            "add it to input_allowlist".to_owned(),
        ),
        Standing::NotAncestor => (
            "lua_step_not_ancestor",
            format!("steps[{quoted:?}] is nil: this step does not wait for it"),
            format!("add {quoted:?} to depends_on"),
        ),
        Standing::Unknown => {
            let known = view.edges.ids.keys().map(String::as_str);
            let otherwise = || "name a step that this one waits for".to_owned();
            (
                "lua_step_not_found",
                format!("steps[{quoted:?}] is nil: there is no such step"),
                findings.did_you_mean(name, known, otherwise),
            )
        }
    };
    Some(site.warning(Check::Templates, code, field, message).suggest(suggestion))
}
