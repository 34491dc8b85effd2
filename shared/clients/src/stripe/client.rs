//! Calls of the provider: form-encoded, with a pinned version, tried again while that may help.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::keys::Keys;
use billing::plans::PlanSettings;
use platform::outbound_http::{Answer, Limits, Outbound, OutboundError, Url};
use types::clock::Clock;
use types::error::{ErrorCode, Kind};
use types::ids::TenantId;
use types::retry::Backoff;
use types::text::hex;
use types::{Error, Result};

/// The version of Stripe's API that objects are read in.
const VERSION: &str = "2025-03-31.basil";
/// What one call may take.
const LIMITS: Limits = Limits { time: Duration::from_secs(8), bytes: 1024 * 1024 };
/// No further try begins after this: the caller waits, and its own time is bounded.
const LONGEST: Duration = Duration::from_secs(12);
const MOST_TRIES: u32 = 4;
const LONGEST_WAIT: Duration = Duration::from_secs(3);
const WAITS: Backoff = Backoff::new(Duration::from_millis(250), LONGEST_WAIT);

/// A field of a form.
pub(super) type Field<'a> = (&'a str, String);

/// What a call that changes something is known by: whoever makes it again under the same key gets the first answer.
#[derive(Debug, Clone)]
pub struct Key {
    scope: String,
    by_body: bool,
}

impl Key {
    /// Of a change of a tenant's plan, by its number. Its calls are told apart by what they ask for.
    pub fn of_change(table: &str, tenant: &TenantId, number: u64) -> Self {
        Self { scope: format!("{table}\n{tenant}\nchange {number}"), by_body: true }
    }

    /// Of the one call of a tenant that this names: to ask for something else under it is refused.
    pub fn of_call(table: &str, tenant: &TenantId, name: &str) -> Self {
        Self { scope: format!("{table}\n{tenant}\ncall {name}"), by_body: false }
    }

    fn text(&self, path: &str, body: &str) -> String {
        let body = if self.by_body { body } else { "" };
        hex(&Sha256::digest(format!("{}\n{path}\n{body}", self.scope)))
    }
}

/// The provider, with the deployment's keys.
#[derive(Debug)]
pub struct Provider<'a> {
    pub(super) plans: &'a PlanSettings,
    pub(super) clock: &'a Clock,
    outbound: &'a Outbound,
    keys: Arc<Keys>,
}

/// What Stripe says of an error.
#[derive(Debug, Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: Reason,
}

#[derive(Debug, Default, Deserialize)]
struct Reason {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// How a try ended that gave no object.
enum Failed {
    /// Worth another, after this long if the provider says so.
    MayPass(String, Option<Duration>),
    /// For good; the status, when there was one.
    Final(Error),
}

impl<'a> Provider<'a> {
    /// With these keys.
    pub fn new(keys: Arc<Keys>, plans: &'a PlanSettings, outbound: &'a Outbound, clock: &'a Clock) -> Self {
        Self { plans, clock, outbound, keys }
    }

    /// The secrets that events are signed with.
    pub fn webhook_secrets(&self) -> &[secrecy::SecretString] {
        &self.keys.webhook_secrets
    }

    /// An object; none when there is none of this id.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[Field<'_>],
    ) -> Result<Option<T>> {
        self.call("GET", &format!("{path}?{}", encode(fields)?), "", None).await
    }

    /// Changes something; none when there is nothing of this id.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[Field<'_>],
        key: &Key,
    ) -> Result<Option<T>> {
        let body = encode(fields)?;
        let key = key.text(path, &body);
        self.call("POST", path, &body, Some(&key)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<Option<T>> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let (why, asked) = match self.once(method, target, body, key).await {
                Ok(found) => return Ok(found),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::MayPass(why, asked)) => (why, asked),
            };
            let wait = asked.unwrap_or_else(|| WAITS.wait(tries - 1, rand::random()));
            if tries >= MOST_TRIES || wait > LONGEST_WAIT || begun.elapsed() + wait > LONGEST {
                return Err(Error::unavailable("The payment provider", why));
            }
            tracing::warn!(why, tries, "a call of the payment provider is made again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn once<T: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: &str,
        key: Option<&str>,
    ) -> std::result::Result<Option<T>, Failed> {
        let bad =
            |error: http::Error| Failed::Final(Error::internal("a request to Stripe").with_source(error));
        let url = format!("{}{target}", self.plans.stripe_base);
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.keys.secret_key.expose_secret()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("stripe-version", VERSION);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(body.as_bytes().to_vec()).map_err(bad)?;
        let answer = self.outbound.send(request, LIMITS).await.map_err(not_sent)?;
        self.read(answer).await
    }

    async fn read<T: DeserializeOwned>(&self, answer: Answer) -> std::result::Result<Option<T>, Failed> {
        let status = answer.status;
        let should = answer.headers.get("stripe-should-retry").map(|value| value.as_bytes() == b"true");
        let wait = answer.retry_after(self.clock.now());
        let bytes = answer.bytes().await.map_err(not_sent)?;
        if status.is_success() {
            let read = serde_json::from_slice(&bytes).map(Some);
            return read.map_err(|error| {
                Failed::Final(Error::internal("Stripe's answer is of another shape").with_source(error))
            });
        }
        let Refused { error: reason } = serde_json::from_slice(&bytes).unwrap_or_default();
        let told = format!("Stripe: {status} {} {}", reason.kind, reason.code);
        let may_pass = matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
        if should.unwrap_or(may_pass || status.is_server_error()) {
            return Err(Failed::MayPass(told, wait));
        }
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            _ if status.is_server_error() => {
                Err(Failed::Final(Error::unavailable("The payment provider", told)))
            }
            _ => Err(Failed::Final(refused(&reason, told))),
        }
    }
}

/// Whether the provider has refused a call for good.
pub fn is_final(error: &Error) -> bool {
    matches!(error.code, ErrorCode::PaymentDeclined | ErrorCode::BillingProviderRefused)
}

/// Only what is written for whoever pays is passed on; the rest is ours to know.
fn refused(reason: &Reason, told: String) -> Error {
    if reason.kind == "card_error" {
        let message = format!("The payment was declined: {}", reason.message);
        return Error::new(Kind::PaymentRequired, ErrorCode::PaymentDeclined, message).with_context(told);
    }
    if reason.kind == "idempotency_error" {
        let message = "idempotency_key: was used for another request; choose a new one.";
        return Error::conflict(ErrorCode::IdempotencyKeyReused, message).with_context(told);
    }
    let message = "The payment provider refused the request; the request id finds the reason in the logs.";
    let kind = Kind::Unavailable { retry_after: Duration::from_secs(60) };
    Error::new(kind, ErrorCode::BillingProviderRefused, message).with_context(told)
}

fn not_sent(error: OutboundError) -> Failed {
    match error.may_pass() {
        true => Failed::MayPass(error.to_string(), None),
        false => Failed::Final(Error::unavailable("The payment provider", "Stripe").with_source(error)),
    }
}

fn encode(fields: &[Field<'_>]) -> Result<String> {
    let mut url: Url = "http://form".parse().map_err(|_| Error::internal("a form"))?;
    url.query_pairs_mut().extend_pairs(fields);
    Ok(url.query().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_encoded_as_a_form() {
        let fields = [("items[0][price]", "price_1".to_owned()), ("name", "a b&c=ü".to_owned())];
        assert_eq!(encode(&fields).unwrap(), "items%5B0%5D%5Bprice%5D=price_1&name=a+b%26c%3D%C3%BC");
        assert_eq!(encode(&[]).unwrap(), "");
    }

    #[test]
    fn only_what_is_meant_for_payers_is_passed_on() {
        let reason =
            |kind: &str| Reason { kind: kind.to_owned(), code: "c".to_owned(), message: "m".to_owned() };
        let declined = refused(&reason("card_error"), String::new());
        assert_eq!(
            (declined.code, declined.message.as_str()),
            (ErrorCode::PaymentDeclined, "The payment was declined: m")
        );
        let other = refused(&reason("invalid_request_error"), String::new());
        assert!(is_final(&other) && is_final(&declined));
        assert!(other.message.ends_with("in the logs."), "{}", other.message);
    }
}
