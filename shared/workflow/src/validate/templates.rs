//! Every template of a graph: its syntax, what it refers to, and whether the input can satisfy it.

use serde_json::Value;

use types::json_numbers::Unrepresentable;

use super::super::fields;
use super::super::schema::KNOWN_FIELDS;
use super::super::steps::StepKind;
use super::super::template::{Condition, Expression, TemplateError, keys_with_template, templates_in};
use super::{
    findings::Findings,
    params::{Inputs, KnownInput, Outlook},
    references::{Place, Problem},
    view::{Site, View},
};
use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::quote;

pub(super) fn check(view: &View<'_>, inputs: &Inputs<'_>, findings: &mut Findings) {
    let unknown = Inputs { run: KnownInput::Unknown, steps: None };
    for site in view.sites() {
        let place = Place::of(view, site);
        let is_unknown = waits_for_entry(&site) && inputs.overlay(site.read.id).is_none();
        let known = if is_unknown { &unknown } else { inputs };
        for (field, value) in site.raw.iter().filter(|(field, _)| is_expanded(&site, field)) {
            texts(&place, &site.path(field), value, known, findings);
            keys(&place, &site.path(field), value, findings);
        }
        for field in fields::IDS {
            if let Some(Value::String(text)) = site.given(field)
                && text.contains("{{")
            {
                let message = format!("{field} is an id and takes no expression");
                let issue = site.error(Check::Templates, "template_not_allowed", field, message);
                findings.push(issue.suggest("write the id itself"));
            }
        }
        conditions(&place, findings);
    }
}

/// A root that waits for a grant gets its entry's data laid over the input, which nobody knows before it is given.
fn waits_for_entry(site: &Site<'_>) -> bool {
    site.step.no_auto_start
}

fn is_expanded(site: &Site<'_>, field: &str) -> bool {
    KNOWN_FIELDS.of_step(site.type_name()).is_some_and(|known| known.contains(field))
        && !KNOWN_FIELDS.common.contains(field)
        && !fields::NOT_EXPANDED.contains(&field)
}

fn texts(place: &Place<'_, '_>, path: &str, value: &Value, known: &Inputs<'_>, findings: &mut Findings) {
    for (field, template) in templates_in(value) {
        let path = json_path::join(path, &field);
        match template {
            Err(error) => findings.push(syntax("template_syntax", &path, &error).at_step(place.site.read.id)),
            Ok(template) => {
                for expression in template.expressions() {
                    if let Some(number) = &expression.lossy {
                        findings.push(lossy("template_syntax", &path, number).at_step(place.site.read.id));
                    }
                    references(place, &path, expression, findings);
                    input(place, &path, expression, known, findings);
                }
            }
        }
    }
}

/// Keys of objects, which nothing expands.
fn keys(place: &Place<'_, '_>, path: &str, value: &Value, findings: &mut Findings) {
    for field in keys_with_template(value) {
        let message =
            "the key of an object holds {{, and keys are never expanded: it would go out as it stands";
        let issue = Issue::error(Check::Templates, "template_in_key", json_path::join(path, &field), message);
        findings.push(issue.at_step(place.site.read.id).suggest(
            "build the object in a lua_script step, return { labels = { [input.team] = \"yes\" } }, and hand it on with \
             {{ steps.<its id>.result.labels }}",
        ));
    }
}

fn syntax(code: &'static str, path: &str, error: &TemplateError) -> Issue {
    let usual = "an expression is {{ path }} or {{ path | path | literal }}; {{{{ writes a literal {{";
    Issue::error(Check::Templates, code, path, error.to_string())
        .suggest(error.suggestion.as_deref().unwrap_or(usual))
}

/// A number in a literal that would be another one.
fn lossy(code: &'static str, path: &str, number: &Unrepresentable) -> Issue {
    Issue::error(Check::Templates, code, path, format!("a number of the literal cannot be kept: {number}"))
        .suggest("write the number in double quotes, as text")
}

fn conditions(place: &Place<'_, '_>, findings: &mut Findings) {
    let site = place.site;
    condition(place, "condition", site.step.condition.as_deref(), findings);
    condition(place, "skip_when", site.step.skip_when.as_deref(), findings);
    // A loop inside a loop is refused as a whole; its body is not known here.
    if let (StepKind::While(kind), None) = (&site.step.kind, site.inner) {
        condition(&place.after_body(), "while_condition", kind.while_condition.as_deref(), findings);
    }
}

/// A condition: unset is falsy there, so the input is not judged.
fn condition(place: &Place<'_, '_>, field: &'static str, text: Option<&str>, findings: &mut Findings) {
    let Some(text) = text else { return };
    let path = place.site.path(field);
    match Condition::parse(text) {
        Err(error) => {
            let issue = Issue::error(Check::Templates, "condition_syntax", path, error.to_string());
            let usual =
                "a condition is {{ expression }}, or {{ expression }} == literal (or !=, <, <=, >, >=)";
            let suggestion = error.suggestion.as_deref().unwrap_or(usual);
            findings.push(issue.at_step(place.site.read.id).suggest(suggestion));
        }
        Ok(condition) => match condition.expression() {
            Some(expression) => {
                references(place, &path, expression, findings);
                if let Some(number) = condition.lossy() {
                    findings.push(lossy("condition_syntax", &path, number).at_step(place.site.read.id));
                }
                if let Some(problem) = condition.problem() {
                    let issue = Issue::error(Check::Templates, "condition_unordered", path, problem);
                    findings.push(
                        issue.at_step(place.site.read.id).suggest("compare with == or !=, or with a number"),
                    );
                }
            }
            None if text.trim().is_empty() && field == "while_condition" => {}
            None => {
                let message = format!("{:?} holds no expression and is always the same", quote(text));
                let issue = place.site.warning(Check::Templates, "constant_condition", field, message);
                findings.push(issue.suggest("write the path into {{ }}, or use enabled"));
            }
        },
    }
}

fn references(place: &Place<'_, '_>, path: &str, expression: &Expression, findings: &mut Findings) {
    for reference in &expression.paths {
        if let Err(Problem { code, message, suggestion }) = place.check(reference, findings) {
            let issue = Issue::error(Check::Templates, code, path, message);
            findings.push(issue.at_step(place.site.read.id).suggest(suggestion));
        }
    }
}

/// Whether an expression that rests on the input alone can have a value.
fn input(
    place: &Place<'_, '_>,
    path: &str,
    expression: &Expression,
    known: &Inputs<'_>,
    findings: &mut Findings,
) {
    if expression.fallback.is_some() || expression.paths.iter().any(|path| path.root() != "input") {
        return;
    }
    let outlooks = expression.paths.iter().map(|path| known.outlook(place.top_id(), path.rest()));
    let best = outlooks.min().unwrap_or(Outlook::Fine);
    let text = quote(&expression.text);
    let suggestion = "give it in params, as a default in input_schema, or as a last resort in the \
                      expression: {{ … | \"default\" }}";
    let issue = match best {
        Outlook::Fine => return,
        Outlook::MayBeUnset => {
            let message = format!("{{{{ {text} }}}} fails the step when the input leaves it out");
            Issue::warning(Check::Templates, "input_may_be_unset", path, message)
        }
        Outlook::Missing => {
            let message = format!("nothing gives {{{{ {text} }}}} a value");
            Issue::error(Check::Templates, "input_unresolvable", path, message)
        }
    };
    findings.push(issue.at_step(place.site.read.id).suggest(suggestion));
}
