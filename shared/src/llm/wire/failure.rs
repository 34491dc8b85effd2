//! What a provider's refusal means: whether another attempt may pass, how long to wait, and why, in its own words.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{NoAnswer, Resolved};
use crate::clock::Timestamp;
use crate::outbound_http::retry_after;

/// No wait that is asked for is kept longer (engine.md, *Retries*).
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How many characters of a provider's reason are kept.
const REASON_SHOWN: usize = 500;
/// Limits of OpenAI and Anthropic that say when they are filled up again.
const LIMITED: [&str; 5] = ["requests", "tokens", "input-tokens", "output-tokens", "project-tokens"];

/// The failure that an answer with this status is.
pub(super) fn refused(
    resolved: &Resolved,
    model: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> NoAnswer {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let kind = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(':').next().unwrap_or(kind));
    let why = match (reason(&body), kind) {
        (Some(reason), Some(kind)) => format!("{kind}: {reason}"),
        (Some(reason), None) => reason,
        (None, Some(kind)) => kind.to_owned(),
        (None, None) => "without a reason".to_owned(),
    };
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            format!(" The key is {:?} ({}).", resolved.key.name, resolved.key.id)
        }
        _ => String::new(),
    };
    let why = why.trim_end_matches('.');
    let may_pass = matches!(status.as_u16(), 408 | 409 | 425 | 429 | 500..=599);
    NoAnswer {
        message: format!(
            "{} ({model}) answered {}: {why}.{hint}",
            resolved.provider.title(),
            status.as_u16()
        ),
        may_pass,
        retry_after: wait(headers, &body, now).filter(|_| may_pass).map(|wait| wait.min(LONGEST_WAIT)),
        timed_out: false,
    }
}

/// The reason in a body, wherever providers put it.
pub(super) fn reason(body: &Value) -> Option<String> {
    // Gemini's OpenAI-compatible side answers with a list.
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error");
    let inside = error.and_then(|error| error.get("message").or(Some(error)));
    let text = [inside, body.get("message"), body.get("Message"), body.get("detail")]
        .into_iter()
        .flatten()
        .find_map(Value::as_str)?;
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    let shown = match text.char_indices().nth(REASON_SHOWN) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    };
    Some(shown).filter(|text| !text.is_empty())
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
            json!({ "message": "why" }),
            json!({ "detail": " w\u{7}hy" }),
        ] {
            assert!(reason(&body).unwrap().replace(' ', "").contains("why"), "{body}");
        }
        for body in [json!(null), json!("text"), json!({ "error": { "code": 5 } }), json!({ "message": "" })]
        {
            assert_eq!(reason(&body), None, "{body}");
        }
        assert!(reason(&json!({ "message": "x".repeat(9000) })).unwrap().chars().count() <= REASON_SHOWN + 1);
    }
}
