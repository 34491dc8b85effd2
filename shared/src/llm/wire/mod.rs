//! What leaves for each provider and what comes back, over the guarded client.

mod anthropic;
mod bedrock;
mod failure;
mod google;
mod openai;
mod sign;

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::chat::{Chat, End, NoAnswer, Said};
use super::keys::Credential;
use super::resolve::api_key;
use super::{Provider, Resolved};
use crate::json_numbers;
use crate::outbound_http::{Limits, OutboundError};
use crate::run::Tokens;
use crate::state::AppState;
use crate::strict::Whole;

/// The most bytes of an answer: a result takes 1 MiB, and its text may be escaped.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// A request, but for the values that give access.
#[derive(Debug)]
struct Written {
    /// Behind the base URL.
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Value,
}

/// Asks a provider.
pub(super) async fn ask(
    state: &AppState,
    resolved: &Resolved,
    credential: &Credential,
    chat: &Chat,
    call_key: &str,
    time: Duration,
) -> Result<Said, NoAnswer> {
    let never = |why: String| NoAnswer {
        message: format!("{} ({}): {why}.", resolved.provider.title(), chat.model),
        may_pass: false,
        retry_after: None,
        timed_out: false,
    };
    let request = request(state, resolved, credential, chat, call_key).await.map_err(never)?;
    let limits = Limits { time, bytes: LARGEST_ANSWER };
    let unanswered = |error: OutboundError| NoAnswer {
        may_pass: error.may_pass(),
        timed_out: matches!(error, OutboundError::Timeout(_)),
        ..never(error.to_string())
    };
    let answer = state.outbound.send(request, limits).await.map_err(unanswered)?;
    let (status, headers) = (answer.status, answer.headers.clone());
    let bytes = answer.bytes().await.map_err(unanswered)?;
    let body: Option<Value> = json_numbers::from_slice(&bytes).ok();
    if !status.is_success() {
        return Err(failure::refused(resolved, &chat.model, status, &headers, &bytes, state.clock.now()));
    }
    let said = body.as_ref().and_then(|body| match resolved.provider {
        Provider::Openai | Provider::OpenaiCompatible => openai::read(body),
        Provider::Anthropic => anthropic::read(body),
        Provider::Google => google::read(body),
        Provider::Bedrock => bedrock::read(body),
    });
    said.ok_or_else(|| match body.as_ref().and_then(failure::reason) {
        Some(reason) => never(format!("the answer holds an error: {reason}")),
        None => never("the answer is none that this provider gives; look at the key's base_url".to_owned()),
    })
}

async fn request(
    state: &AppState,
    resolved: &Resolved,
    credential: &Credential,
    chat: &Chat,
    call_key: &str,
) -> Result<http::Request<Vec<u8>>, String> {
    let written = match resolved.provider {
        Provider::Openai => openai::write(chat, true, resolved.key.organization.as_deref()),
        Provider::OpenaiCompatible => openai::write(chat, false, resolved.key.organization.as_deref()),
        Provider::Anthropic => anthropic::write(chat),
        Provider::Google => google::write(chat),
        Provider::Bedrock => bedrock::write(chat),
    };
    let region = resolved.key.region.as_deref().unwrap_or_default();
    let base = match (&resolved.key.base_url, resolved.provider.base_url()) {
        (Some(base), _) => base.clone(),
        (None, Some(base)) => base.to_owned(),
        (None, None) => bedrock::base_url(region),
    };
    let uri = format!("{}{}", base.trim_end_matches('/'), written.path);
    let body = serde_json::to_vec(&written.body)
        .map_err(|error| format!("the question cannot be written: {error}"))?;
    let mut request = http::Request::post(&uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json");
    for (name, value) in written.headers {
        request = request.header(name, value);
    }
    if resolved.provider != Provider::Bedrock {
        request = request.header("idempotency-key", call_key);
    }
    if let Some(key) = api_key(credential) {
        let (name, value) = match resolved.provider {
            Provider::Anthropic => (HeaderName::from_static("x-api-key"), key.expose_secret().to_owned()),
            Provider::Google => (HeaderName::from_static("x-goog-api-key"), key.expose_secret().to_owned()),
            Provider::Openai | Provider::OpenaiCompatible | Provider::Bedrock => {
                (header::AUTHORIZATION, format!("Bearer {}", key.expose_secret()))
            }
        };
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| "the key cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let mut request =
        request.body(body).map_err(|error| format!("the request cannot be written: {error}"))?;
    if resolved.provider == Provider::Bedrock {
        sign::sign(state, &mut request, credential, region).await?;
    }
    Ok(request)
}

/// Puts a field into a body when there is something to put.
fn put(body: &mut Map<String, Value>, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

/// A list, unless it is empty.
fn list(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| Value::from(texts.to_vec()))
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => path.push(char::from(byte)),
            false => {
                let _ = write!(path, "%{byte:02X}");
            }
        }
        path
    })
}

/// A count of tokens; servers that give none have none.
fn count(usage: &Value, fields: &[&str]) -> u64 {
    let number = |field: &&str| {
        let count = usage.get(field)?;
        count.as_u64().or_else(|| match Whole::of(count.as_f64()?)? {
            Whole::Unsigned(count) => Some(count),
            Whole::Negative(_) => None,
        })
    };
    fields.iter().filter_map(number).fold(0, u64::saturating_add)
}
