//! What a provider's refusal means: whether another attempt may pass, how long to wait, and why, in its own words.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::received::Received;
use super::text::{shown, text_in};
use crate::llm::answer::{CompletionError, FinishReason};
use crate::llm::resolved::Resolved;
use platform::outbound_http::{is_transient_status, retry_after};
use types::clock::Timestamp;

/// No wait that is asked for is kept longer (engine.md, *Retries*).
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Limits of OpenAI and Anthropic that say when they are filled up again.
const LIMITED: [&str; 5] = ["requests", "tokens", "input-tokens", "output-tokens", "project-tokens"];

/// Words in a provider's codes that mean that another attempt may pass.
const TRANSIENT: [&str; 17] = [
    "ratelimit",
    "toomanyrequests",
    "throttl",
    "resourceexhausted",
    "overload",
    "capacity",
    "unavailable",
    "timeout",
    "timedout",
    "deadlineexceeded",
    "servererror",
    "internal",
    "apierror",
    "badgateway",
    "tryagain",
    "networkerror",
    "insufficientsystemresource",
];
/// Where providers put a code.
const CODES: [&str; 5] = ["code", "status", "status_code", "type", "__type"];
/// Where providers put a reason, the most telling first.
const REASONS: [&str; 12] = [
    "message",
    "Message",
    "error",
    "errors",
    "detail",
    "msg",
    "error_description",
    "errorMessage",
    "error_message",
    "reason",
    "description",
    "title",
];
/// Where an error stands that is shown as it came when it has no reason in a known place. Not `message`: it is also what
/// answers of other interfaces are in.
const AS_IT_CAME: [&str; 3] = ["error", "errors", "detail"];
/// How deep a reason lies at most.
const MAX_REASON_DEPTH: usize = 5;
/// How many of several reasons are shown.
const MAX_REASONS: usize = 3;

/// The failure that an answer with this status is.
pub(super) fn refused(
    resolved: &Resolved,
    model: &str,
    status: StatusCode,
    (headers, error_type): (&HeaderMap, Option<&str>),
    body: &Received,
    now: Timestamp,
) -> CompletionError {
    let kind = error_type.map(|kind| shown(kind.split(':').next().unwrap_or(kind)));
    let why = match (reason(body.json()).or_else(|| body.words()), kind) {
        (Some(reason), Some(kind)) => format!("{kind}: {reason}"),
        (Some(reason), None) => reason,
        (None, Some(kind)) => kind,
        (None, None) => "without a reason".to_owned(),
    };
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!(" The key is {:?} ({}).", resolved.key.name, resolved.key.id)
        }
        _ => String::new(),
    };
    let why = why.trim_end_matches('.');
    let may_pass = is_transient_status(status.as_u16());
    CompletionError {
        message: format!(
            "{} ({model}) answered {}: {why}.{hint}",
            resolved.provider.title(),
            status.as_u16()
        ),
        may_pass,
        retry_after: asked_wait(headers, body.json(), now).filter(|_| may_pass),
        timed_out: false,
    }
}

/// The failure that an error within an answer is; none when there is nothing in it. `ended` is how the answer says that
/// it ended: where the error has no code, that decides whether another attempt may pass.
pub(super) fn stated(error: &Value, ended: &FinishReason) -> Option<FinishReason> {
    let is_nothing = match error {
        Value::Null | Value::Bool(_) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    };
    if is_nothing {
        return None;
    }
    let codes = codes(error);
    // What a gateway was answered itself.
    let raw = error.get("metadata").and_then(|metadata| text_in(metadata, "raw"));
    let message = message_in(error, 0).or_else(|| says_something(error).then(|| error.to_string()));
    let reason = match (message, raw) {
        (Some(message), Some(raw)) => Some(format!("{message}: {raw}")),
        (message, _) => message,
    };
    let reason = match (reason, codes.first()) {
        (Some(reason), Some(code)) => {
            format!("{} (code {})", shown(&reason).trim_end_matches('.'), shown(code))
        }
        (Some(reason), None) => shown(&reason),
        (None, Some(code)) => format!("code {}", shown(code)),
        (None, None) => "without a reason".to_owned(),
    };
    let may_pass =
        is_transient(&codes).unwrap_or(matches!(ended, FinishReason::Error { may_pass: true, .. }));
    Some(FinishReason::Error { reason, may_pass, retry_after: None })
}

fn codes(error: &Value) -> Vec<String> {
    let written = |code: &Value| match code {
        Value::Number(code) => Some(code.to_string()),
        Value::String(code) if !code.trim().is_empty() => Some(code.trim().to_owned()),
        _ => None,
    };
    match error {
        Value::Object(fields) => CODES.iter().filter_map(|field| written(fields.get(*field)?)).collect(),
        Value::Number(_) => written(error).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether another attempt may pass by what a code's word says.
pub(super) fn is_transient_word(code: &str) -> bool {
    let plain = code.to_ascii_lowercase().replace(['_', '-', ' ', '.'], "");
    TRANSIENT.iter().any(|word| plain.contains(word))
}

/// Whether another attempt may pass by these codes: by a number if there is one, else by what the words say.
fn is_transient(codes: &[String]) -> Option<bool> {
    let number = codes.iter().find_map(|code| code.parse::<u64>().ok());
    let by_words = || codes.iter().any(|code| is_transient_word(code));
    match number {
        Some(number) => Some(u16::try_from(number).is_ok_and(is_transient_status)),
        None => (!codes.is_empty()).then(by_words),
    }
}

/// The reason in a body, wherever providers put it, or else its code.
fn reason(body: &Value) -> Option<String> {
    let code = || codes(body.get("error").unwrap_or(body)).first().map(|code| shown(&format!("code {code}")));
    message(body).or_else(code)
}

/// What a body says in words.
pub(super) fn message(body: &Value) -> Option<String> {
    // Gemini's OpenAI-compatible side answers with a list.
    let found = if body.is_string() {
        None
    } else {
        message_in(body, 0).or_else(|| as_it_came(body)).or_else(|| base_resp(body))
    };
    found.map(|text| shown(&text)).filter(|text| !text.is_empty())
}

/// An error that has no reason in any place known here: all of it, since its author will know it.
fn as_it_came(body: &Value) -> Option<String> {
    let error = AS_IT_CAME.iter().filter_map(|field| body.get(*field)).find(|error| says_something(error))?;
    Some(error.to_string())
}

/// Whether there are words in a value; its codes are shown as such.
fn says_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| !CODES.contains(&name.as_str()) && says_something(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// MiniMax's reason, which comes with the status 200. Its code 0 means that all is well.
fn base_resp(body: &Value) -> Option<String> {
    let told = body.get("base_resp")?;
    let is_well = told.get("status_code").and_then(Value::as_u64) == Some(0);
    text_in(told, "status_msg").filter(|_| !is_well).map(str::to_owned)
}

fn message_in(value: &Value, depth: usize) -> Option<String> {
    match value {
        _ if depth > MAX_REASON_DEPTH => None,
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Array(items) => {
            let all: Vec<String> =
                items.iter().filter_map(|item| message_in(item, depth + 1)).take(MAX_REASONS).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(fields) => {
            let found = REASONS.iter().find_map(|field| message_in(fields.get(*field)?, depth + 1))?;
            // FastAPI says where in the request it is.
            let place: Vec<String> =
                fields.get("loc").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
            Some(if place.is_empty() { found } else { format!("{}: {found}", place.join(".")) })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How long the provider asks to wait, as far as it is waited.
pub(super) fn asked_wait(headers: &HeaderMap, body: &Value, now: Timestamp) -> Option<Duration> {
    wait(headers, body, now).map(|wait| wait.min(LONGEST_WAIT))
}

/// How long the provider asks to wait, in whichever way.
fn wait(headers: &HeaderMap, body: &Value, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<u32>().ok()) {
        return Some(Duration::from_millis(millis.into()));
    }
    if let Some(asked) = retry_after(headers, now) {
        return Some(asked);
    }
    // Google: a detail of the error, such as "34.5s".
    let details = body.get("error").and_then(|error| error.get("details")?.as_array());
    let delay = details.into_iter().flatten().find_map(|detail| detail.get("retryDelay")?.as_str());
    if let Some(delay) = delay.and_then(span) {
        return Some(delay);
    }
    let exhausted = LIMITED.iter().filter_map(|what| {
        let openai = (format!("x-ratelimit-remaining-{what}"), format!("x-ratelimit-reset-{what}"));
        let anthropic =
            (format!("anthropic-ratelimit-{what}-remaining"), format!("anthropic-ratelimit-{what}-reset"));
        [openai, anthropic].into_iter().find_map(|(remaining, reset)| {
            let reset = text(&reset).filter(|_| text(&remaining) == Some("0"))?;
            span(reset).or_else(|| Some(reset.parse::<Timestamp>().ok()?.since(now)))
        })
    });
    exhausted.max()
}

/// A span such as `1s`, `6m0s`, `120ms`, `34.5s`.
fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut whole = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..end)?.parse().ok()?;
        rest = rest.get(end..)?;
        let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let seconds = match rest.get(..unit)? {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        whole += Duration::try_from_secs_f64(number * seconds).ok()?;
        rest = rest.get(unit..)?;
    }
    (!text.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::text::REASON_SHOWN;
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_wait_that_is_asked_for_is_found_in_each_providers_way() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let none = Value::Null;
        let google = json!({ "error": { "details": [{ "@type": "x" }, { "retryDelay": "34.5s" }] } });
        for (given, body, seconds) in [
            (headers(&[("retry-after", "7")]), &none, Some(7.0)),
            (headers(&[("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT")]), &none, Some(9.0)),
            (headers(&[("retry-after", "7"), ("retry-after-ms", "1500")]), &none, Some(1.5)),
            (headers(&[]), &google, Some(34.5)),
            (
                headers(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m2s")]),
                &none,
                Some(62.0),
            ),
            (
                headers(&[("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-reset-tokens", "6m0s")]),
                &none,
                None,
            ),
            (
                headers(&[
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:30Z"),
                ]),
                &none,
                Some(30.0),
            ),
            (headers(&[("retry-after", "soon")]), &none, None),
        ] {
            assert_eq!(wait(&given, body, now), seconds.map(Duration::from_secs_f64), "{given:?}");
        }
    }

    #[test]
    fn the_reason_is_found_wherever_providers_put_it() {
        for body in [
            json!({ "error": { "message": "why" } }),
            json!([{ "error": { "message": "why" } }]),
            json!({ "error": "why" }),
            json!({ "error": ["why"] }),
            json!({ "error": { "message": { "detail": "why" } } }),
            json!({ "error": { "error": { "message": "why" } } }),
            json!({ "errors": [{ "message": "why" }] }),
            json!({ "message": "why" }),
            json!({ "Message": "why" }),
            json!({ "message": "", "detail": "why" }),
            json!({ "detail": ["why"] }),
            json!({ "detail": { "error": "why" } }),
            json!({ "detail": [{ "msg": "why" }] }),
            json!({ "title": "why" }),
            json!({ "error": { "code": null, "errorMessage": "why" } }),
            json!({ "detail": " w\u{7}hy" }),
        ] {
            assert_eq!(reason(&body).unwrap().replace(' ', ""), "why", "{body}");
        }
        let fast_api = json!({ "detail": [{ "loc": ["body", "stop", 0], "msg": "too long", "type": "x" }] });
        assert_eq!(reason(&fast_api).as_deref(), Some("body.stop.0: too long"));
        assert_eq!(reason(&json!({ "error": { "code": 5 } })).as_deref(), Some("code 5"));
        for (body, said) in [
            (json!({ "detail": { "field": "x" } }), r#"{"field":"x"}"#),
            (json!({ "detail": [{ "problem": "bad" }] }), r#"[{"problem":"bad"}]"#),
            (json!({ "errors": { "amount": ["must be positive"] } }), r#"{"amount":["must be positive"]}"#),
            (json!({ "detail": { "reason": "nope", "field": "x" } }), "nope"),
            (json!({ "reason": "amount" }), "amount"),
            (json!({ "error": { "type": "busy" } }), "code busy"),
            (json!({ "base_resp": { "status_code": 1002, "status_msg": "rate limit" } }), "rate limit"),
        ] {
            assert_eq!(reason(&body).as_deref(), Some(said), "{body}");
        }
        let well = json!({ "base_resp": { "status_code": 0, "status_msg": "success" } });
        assert_eq!(reason(&well), None);
        for body in [json!(null), json!("text"), json!({ "message": "" }), json!({ "x": "y" }), json!([])] {
            assert_eq!(reason(&body), None, "{body}");
        }
        assert!(reason(&json!({ "message": "x".repeat(9000) })).unwrap().chars().count() <= REASON_SHOWN + 1);
    }

    #[test]
    fn an_error_in_an_answer_may_pass_by_its_code() {
        let failed = FinishReason::Error { reason: String::new(), may_pass: true, retry_after: None };
        for (error, may_pass, why) in [
            (json!({ "code": 502, "message": "Upstream died." }), true, "Upstream died (code 502)"),
            (json!({ "code": "429", "message": "m" }), true, "m (code 429)"),
            (json!({ "code": 400, "type": "server_error", "message": "m" }), false, "m (code 400)"),
            (json!({ "code": 403 }), false, "code 403"),
            (json!({ "code": "rate_limit_exceeded", "message": "m" }), true, "m (code rate_limit_exceeded)"),
            (json!({ "type": "overloaded_error", "message": "m" }), true, "m (code overloaded_error)"),
            (json!({ "status": "RESOURCE_EXHAUSTED" }), true, "code RESOURCE_EXHAUSTED"),
            (json!({ "__type": "ThrottlingException" }), true, "code ThrottlingException"),
            (
                json!({ "type": "invalid_request_error", "message": "m" }),
                false,
                "m (code invalid_request_error)",
            ),
            (json!({ "message": "m" }), true, "m"),
            (json!("m"), true, "m"),
            (json!(503), true, "code 503"),
            (
                json!({ "code": 502, "message": "Provider returned error", "metadata": { "raw": "no GPU" } }),
                true,
                "Provider returned error: no GPU (code 502)",
            ),
        ] {
            let FinishReason::Error { reason, may_pass: passes, .. } = stated(&error, &failed).unwrap()
            else {
                panic!("{error}")
            };
            assert_eq!((passes, reason.as_str()), (may_pass, why), "{error}");
        }
        let uncoded = stated(&json!("m"), &FinishReason::Stop);
        assert!(matches!(uncoded, Some(FinishReason::Error { may_pass: false, .. })), "{uncoded:?}");
        for nothing in [json!(null), json!(""), json!(" "), json!({}), json!([]), json!(false)] {
            assert_eq!(stated(&nothing, &failed), None, "{nothing}");
        }
    }
}
