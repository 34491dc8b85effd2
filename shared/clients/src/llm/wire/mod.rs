//! What leaves for each provider and what comes back, over the guarded client.

mod anthropic;
mod bedrock;
mod body;
mod failure;
mod google;
mod openai;
mod received;
mod sign;
mod text;
mod written;

use http::{HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use serde_json::Value;

use self::body::Unexpected;
use self::received::Received;
use super::answer::{Completion, CompletionError, FinishReason};
use super::question::Call;
use super::resolved::api_key;
use platform::outbound_http::{Limits, Outbound, OutboundError};
use platform::secrets::Mask;
use types::json_cost::cost;
use workflow::model::Provider;

/// The most bytes of an answer: a result takes 1 MiB, and its text may be escaped.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Asks a provider.
pub(super) async fn ask(call: Call<'_>) -> Result<Completion, CompletionError> {
    let Call { world, resolved, credential, chat, time, .. } = call;
    let title = resolved.provider.title();
    let failed = |why: String, may_pass: bool| CompletionError {
        message: format!("{title} ({}): {}.", chat.model, why.trim_end_matches('.')),
        may_pass,
        retry_after: None,
        timed_out: false,
    };
    let mut mask = Mask::default();
    credential.note(&mut mask);
    let request = request(call, &mut mask).await.map_err(|why| failed(why, false))?;
    let limits = Limits { time, bytes: LARGEST_ANSWER };
    let unanswered = |error: OutboundError| CompletionError {
        timed_out: matches!(error, OutboundError::Timeout(_)),
        ..failed(mask.text(&error.to_string()).into_owned(), error.may_pass())
    };
    let answer = world.outbound.send(request, limits).await.map_err(unanswered)?;
    let (status, headers) = (answer.status, answer.headers.clone());
    let bytes = answer.bytes().await.map_err(unanswered)?;
    // As it came, and masked; what is taken out of it is text.
    let _room = world.outbound.memory().answer(cost(&bytes).saturating_mul(2)).await;
    let received = Received::read(&bytes, &mask);
    let now = world.clock.now();
    if !status.is_success() {
        let error_type = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
        let error_type = error_type.map(|kind| mask.text(kind));
        let headers = (&headers, error_type.as_deref());
        return Err(failure::refused(resolved, &chat.model, status, headers, &received, now));
    }
    if let Some((why, may_pass)) = received.describe(&headers) {
        return Err(failed(why, may_pass));
    }
    let body = received.json();
    let retry_after = failure::asked_wait(&headers, body, now);
    match completion(resolved.provider, body) {
        Ok(mut completion) => {
            if let FinishReason::Error { may_pass: true, retry_after: asked, .. } = &mut completion.finish {
                *asked = retry_after;
            }
            Ok(completion)
        }
        Err(NoCompletion::Error { reason, may_pass }) => Err(CompletionError {
            retry_after: retry_after.filter(|_| may_pass),
            ..failed(format!("the answer holds an error: {reason}"), may_pass)
        }),
        Err(NoCompletion::Unexpected(field)) => Err(failed(
            format!("the answer is none that this provider gives; look at the key's base_url. {field}"),
            false,
        )),
    }
}

/// Why a body of JSON is no answer.
enum NoCompletion {
    /// It is an error.
    Error { reason: String, may_pass: bool },
    /// It is something else.
    Unexpected(Unexpected),
}

fn completion(provider: Provider, body: &Value) -> Result<Completion, NoCompletion> {
    let read = match provider {
        _ if !body.is_object() => Err(Unexpected::new("", "an object", Some(body))),
        Provider::Openai | Provider::OpenaiCompatible => openai::read(body),
        Provider::Anthropic => anthropic::read(body),
        Provider::Google => google::read(body),
        Provider::Bedrock => bedrock::read(body),
    };
    let ended = read.as_ref().map_or(FinishReason::Stop, |completion| completion.finish.clone());
    // Some answer with a list that holds it.
    let error = body.get("error").or_else(|| body.get(0)?.get("error"));
    match (read, error.and_then(|error| failure::stated(error, &ended))) {
        (Ok(completion), Some(error)) => Ok(Completion { finish: error, ..completion }),
        (Ok(completion), None) => Ok(completion),
        (Err(_), Some(FinishReason::Error { reason, may_pass, .. })) => {
            Err(NoCompletion::Error { reason, may_pass })
        }
        (Err(unexpected), _) => Err(match failure::message(body) {
            Some(reason) => {
                NoCompletion::Error { reason: format!("{reason} ({unexpected})"), may_pass: false }
            }
            None => NoCompletion::Unexpected(unexpected),
        }),
    }
}

async fn request(call: Call<'_>, mask: &mut Mask) -> Result<http::Request<Vec<u8>>, String> {
    let Call { world, resolved, credential, chat, .. } = call;
    let written = match resolved.provider {
        Provider::Openai => openai::write(chat, true, resolved.key.organization.as_deref()),
        Provider::OpenaiCompatible => openai::write(chat, false, resolved.key.organization.as_deref()),
        Provider::Anthropic => anthropic::write(chat),
        Provider::Google => google::write(chat),
        Provider::Bedrock => bedrock::write(chat),
    };
    let region = resolved.key.region.as_deref().unwrap_or_default();
    let uri = address(world.outbound, resolved.provider, &resolved.base_url(), &written.path)?;
    let body = serde_json::to_vec(&written.body)
        .map_err(|error| format!("the question cannot be written: {error}"))?;
    let mut request = http::Request::post(&uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json");
    for (name, value) in written.headers {
        request = request.header(name, value);
    }
    if resolved.provider != Provider::Bedrock {
        request = request.header("idempotency-key", call.key);
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
        sign::sign(world.clock, &mut request, credential, region, mask).await?;
    }
    Ok(request)
}

/// Where a request goes: behind the base URL, as a parser of URLs writes it (a host in another script, blanks around that
/// an older version kept).
fn address(outbound: &Outbound, provider: Provider, base: &str, path: &str) -> Result<String, String> {
    let base = outbound.url(base.trim()).map_err(|error| format!("base_url: {error}"))?;
    let base = base.as_str().trim_end_matches('/');
    // The version is in Anthropic's paths, and in the base URLs of its compatible servers' manuals.
    let base = match provider {
        Provider::Anthropic => base.strip_suffix("/v1").unwrap_or(base),
        _ => base,
    };
    Ok(format!("{base}{path}"))
}

#[cfg(test)]
mod tests;
