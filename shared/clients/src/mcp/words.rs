//! Servers' own words, as far as errors show them. They were masked where they came in; here they are picked out of
//! whatever they stand in, cut and cleaned.

use serde_json::Value;

use types::text::json_kind;

/// The most characters of a server's own words in an error.
const MAX_QUOTE: usize = 1_000;
/// The most entries of a list of errors that are shown.
const MAX_ENTRIES: usize = 5;
/// Where frameworks for HTTP say what failed, the most telling first.
const FIELDS: [&str; 6] = ["detail", "message", "error_description", "error", "title", "errors"];

/// Somebody else's words, as an error may show them: bounded, on one line, without control characters.
pub fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = plain.clone().take(MAX_QUOTE).collect();
    if plain.count() > MAX_QUOTE {
        shown.push('…');
    }
    shown.trim().to_owned()
}

/// A value as an error may show it.
pub(super) fn shown_value(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// What an answer that reports a failure says of it: JSON-RPC's message, or what frameworks for HTTP write in its place
/// (`detail`, `message`, `error_description`, `error`, `title`, `errors`). What says it in another form is shown as it
/// came. Nothing when it says nothing.
pub(super) fn of_report(report: &Value) -> Option<String> {
    words(report).or_else(|| as_it_came(report))
}

/// A report in a form that is not known here: the part that tells of the failure, or else all of it.
fn as_it_came(report: &Value) -> Option<String> {
    let told = FIELDS.into_iter().filter_map(|field| report.get(field)).find(|value| says_something(value));
    told.or_else(|| says_something(report).then_some(report)).map(shown_value)
}

/// Whether there are words in a value. The version of JSON-RPC is none.
fn says_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name != "jsonrpc" && says_something(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The words of a report in a form that is known.
fn words(report: &Value) -> Option<String> {
    let said = match report {
        Value::String(text) => text.clone(),
        Value::Array(entries) => list(entries),
        Value::Object(_) => object(report)?,
        _ => return None,
    };
    Some(shown(&said)).filter(|said| !said.is_empty())
}

fn object(report: &Value) -> Option<String> {
    if let Some(said) = report.get("msg").and_then(Value::as_str) {
        // An entry of FastAPI's list: where, and what.
        let at = report.get("loc").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let at: Vec<String> = at.iter().map(shown_value).collect();
        return Some(if at.is_empty() { said.to_owned() } else { format!("{}: {said}", at.join(".")) });
    }
    FIELDS.into_iter().find_map(|field| report.get(field).and_then(words))
}

fn list(entries: &[Value]) -> String {
    let said: Vec<String> = entries.iter().filter_map(words).take(MAX_ENTRIES).collect();
    said.join("; ")
}

/// That a field is not what it should be: `result.tools is missing; a list was expected`.
pub(super) fn unexpected(field: &str, found: Option<&Value>, expected: &str) -> String {
    match found {
        None => format!("{field} is missing; {expected} was expected"),
        Some(value) => format!("{field} is {}; {expected} was expected", json_kind(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reports_of_failures_are_found_where_frameworks_put_them() {
        for (report, said) in [
            (json!({ "detail": "title is required" }), Some("title is required")),
            (json!({ "message": "no\nway" }), Some("no way")),
            (json!({ "error": "forbidden" }), Some("forbidden")),
            (json!({ "error": { "code": -32600, "message": "Bad Request" } }), Some("Bad Request")),
            (
                json!({ "error": "invalid_token", "error_description": "it has expired" }),
                Some("it has expired"),
            ),
            (json!({ "type": "about:blank", "title": "Not here", "detail": null }), Some("Not here")),
            (
                json!({ "detail": [{ "loc": ["body", "title"], "msg": "Field required" }, { "msg": "b" }] }),
                Some("body.title: Field required; b"),
            ),
            (json!({ "errors": ["a", { "message": "b" }] }), Some("a; b")),
            (json!("plain"), Some("plain")),
            (json!({ "detail": { "message": "deep" } }), Some("deep")),
            (json!({ "status": 5 }), None),
            (json!(5), None),
            (json!({ "detail": "" }), None),
        ] {
            assert_eq!(of_report(&report).as_deref(), said, "{report}");
        }
        assert_eq!(shown(&"x".repeat(5_000)).chars().count(), MAX_QUOTE + 1);
    }

    #[test]
    fn reports_in_another_form_are_shown_as_they_came() {
        let both = json!({ "reason": "nope", "field": "x" });
        for (report, said) in [
            (json!({ "detail": both }), both.to_string()),
            (json!({ "detail": [{ "problem": "bad" }] }), r#"[{"problem":"bad"}]"#.to_owned()),
            (
                json!({ "errors": { "amount": ["must be positive"] } }),
                r#"{"amount":["must be positive"]}"#.to_owned(),
            ),
            (json!({ "reason": "amount" }), r#"{"reason":"amount"}"#.to_owned()),
            (json!({ "detail": { "trace": "x" }, "message": "no" }), "no".to_owned()),
        ] {
            assert_eq!(of_report(&report), Some(said), "{report}");
        }
        for report in [json!({ "jsonrpc": "2.0", "error": { "code": 5 } }), json!({ "detail": [""] })] {
            assert_eq!(of_report(&report), None, "{report}");
        }
        let long = of_report(&json!({ "reason": "x".repeat(5_000) })).unwrap();
        assert_eq!(long.chars().count(), MAX_QUOTE + 1);
    }
}
