//! The public side: whether a delivery is one of its subscription's, and the run that it starts.
//!
//! Nothing is read of a delivery whose head shows already that it cannot be proven. Whatever else is wrong with its proof,
//! the answer has the same words and the work before it is the same: the token that is compared is the subscription's own,
//! not the one that was sent, so that no look-up depends on what came; every comparison is made, and made in constant
//! time; and only then is anything decided.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::HeaderMap;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::content::{self, Content};
use super::manage::may_start;
use super::signature::{Proven, Signed, Wrong};
use super::{Extras, REPLAY_SEEN_FOR, SEEN_FOR};
use crate::auth::bearer;
use crate::limits::Allowance;
use crate::memory::room_for;
use crate::run::{Origin, StartCommand, start};
use crate::state::AppState;
use engine::RunStatus;
use platform::boxed;
use platform::metrics::Metric;
use store::sender::Sender;
use store::{Receipt, SubscriptionRecord};
use types::error::{ErrorCode, Kind};
use types::ids::{RunId, RunRef, SubscriptionId};
use types::retry::Backoff;
use types::scope::Permission;
use types::text::hex;
use types::{Error, Result};

/// The most bytes of a delivery's body, as it is sent.
pub const MAX_BODY: usize = 256 * 1024;
/// The most characters of a key that a delivery is known by.
const MAX_KEY: usize = 255;
/// How often a delivery is tried while another with its key is just being kept.
const MAX_TRIES: u32 = 6;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(320));
/// The headers by which any sender may name a delivery; they are of one space.
const KEY_HEADERS: [&str; 2] = ["webhook-id", "idempotency-key"];

/// What came, but for its body.
#[derive(Debug)]
pub struct Delivery<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The path and query that were called.
    pub target: &'a str,
    /// What is left to the subscription, once the sender has proven to be its.
    pub allowance: OnceLock<Allowance>,
}

impl Delivery<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What its sender calls it.
    fn ids(&self, sender: Sender) -> Vec<String> {
        let text = |name: &&str| {
            self.headers.get(*name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let of_any = KEY_HEADERS.iter().filter_map(text);
        of_any.chain(sender.id_headers().iter().find_map(text)).collect()
    }
}

/// What a delivery is answered with.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The run that it started.
    Run(Received),
    /// The same, and the sender wants to read nothing of it.
    Quiet(Received),
    /// The text that its sender wants to see before it uses the address.
    Challenge(String),
}

/// What came of a delivery that was accepted, now or before.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// The run that it started.
    pub run_id: RunId,
    /// Where that stands.
    pub status: RunStatus,
    /// Whether this delivery started it.
    pub is_new: bool,
}

/// A delivery that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The run that it started, or that its first delivery did.
    #[schema(value_type = uuid::Uuid)]
    run_id: RunId,
    /// Where the run stands.
    status: RunStatus,
    /// The subscription.
    #[schema(value_type = uuid::Uuid)]
    subscription_id: SubscriptionId,
}

impl Accepted {
    /// The answer to a delivery to this subscription.
    pub fn new(received: Received, subscription_id: SubscriptionId) -> Self {
        Self { run_id: received.run_id, status: received.status, subscription_id }
    }
}

/// Takes a delivery. When this returns a run, the run will be carried out whatever crashes. The body is asked for only
/// when the head may be that of a delivery.
///
/// # Errors
/// Not found when the subscription is unknown or disabled; unauthenticated, in the same words whatever is wrong;
/// too large; unreadable; unavailable when a store does not answer, and then nothing was started; what the body's
/// future fails with; and what [`start`] refuses.
#[boxed]
pub async fn receive<'a>(
    state: &'a AppState,
    id: SubscriptionId,
    delivery: &'a Delivery<'_>,
    body: BoxFuture<'a, Result<Bytes>>,
) -> Result<Reply> {
    let Some(record) = state.webhooks.subscription(state, id).await? else {
        state.metrics.count(Metric::IngressRefusals, &[("reason", "UNKNOWN")]);
        return Err(unknown());
    };
    tracing::Span::current().record("tenant_id", record.place.tenant_id.as_str());
    match accept(state, &record, delivery, body).await {
        Ok(reply) => {
            if let Reply::Run(received) | Reply::Quiet(received) = &reply {
                tracing::Span::current().record("run_id", tracing::field::display(received.run_id));
            }
            Ok(reply)
        }
        Err(Refused { reason, error }) => {
            if !matches!(error.kind, Kind::Unavailable { .. } | Kind::Internal) {
                state.metrics.count(Metric::IngressRefusals, &[("reason", reason)]);
                note_refusal(state, &record, reason).await;
            }
            Err(error)
        }
    }
}

/// Why a delivery starts nothing: for the log, and for the sender.
struct Refused {
    reason: &'static str,
    error: Error,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { reason: error.code.as_str(), error }
    }
}

fn refused(reason: &'static str, error: Error) -> Refused {
    Refused { reason, error }
}

async fn accept(
    state: &AppState,
    record: &SubscriptionRecord,
    delivery: &Delivery<'_>,
    body: BoxFuture<'_, Result<Bytes>>,
) -> Result<Reply, Refused> {
    if !record.enabled {
        return Err(refused("DISABLED", unknown()));
    }
    let signed = Signed::read(record.sender, |name| delivery.header(name), delivery.target);
    signed.precheck(state.clock.now()).map_err(|wrong| refused(wrong.reason(), unproven()))?;
    state.limits.arrivals.take(record.id).check("The sender")?;
    let body = body.await?;
    let proof = prove(state, record, delivery, &signed, &body).await?;
    let proven = proof.map_err(|reason| refused(reason, unproven()))?;
    // Only now: others must not be able to use up what is the sender's.
    let allowance = state.limits.subscriptions.take(record.id);
    let _ = delivery.allowance.set(allowance);
    allowance.check("The sender")?;
    let unreadable = |error: Error| match error.kind {
        Kind::Unreadable => refused("BODY_UNREADABLE", error),
        _ => error.into(),
    };
    let plain = content::plain(delivery.headers, &body).map_err(unreadable)?;
    // Held until the run is kept.
    let _room = room_for(state, &plain, false).await?;
    let content = content::read(record.sender, delivery.headers, &plain).map_err(unreadable)?;
    // Slack sends what people do as forms, and shows them what it is answered.
    let is_quiet = record.sender == Sender::Slack && matches!(content, Content::Form(_));
    let input = match content {
        Content::Challenge(text) => return Ok(Reply::Challenge(text)),
        Content::Input(input) | Content::Form(input) => input,
    };
    let names = keys(record.sender, delivery, &input)?;
    let has_signed_name = record.sender.id_in(&input).is_some();
    let receipt = receipt(state, record, &signed, &proven, &names, has_signed_name);
    let received = begin(state, record, &receipt, input).await?;
    Ok(if is_quiet { Reply::Quiet(received) } else { Reply::Run(received) })
}

/// Whether the sender is the subscription's; the outer error is of a store that does not answer.
async fn prove(
    state: &AppState,
    record: &SubscriptionRecord,
    delivery: &Delivery<'_>,
    signed: &Signed,
    body: &[u8],
) -> Result<Result<Proven, &'static str>> {
    let now = state.clock.now();
    let key = state.auth.key().await?;
    let token = state.auth.row(&state.store, record.automation_pat_id).await?;
    let secrets = valid_secrets(state, record).await?;

    let signature = signed.check(&secrets, body, now).map_err(Wrong::reason);
    // A token that is gone is compared all the same, with the hash of none.
    let none = "0".repeat(64);
    let hash = token.as_ref().map_or(none.as_str(), |row| row.secret_hash.as_str());
    let same = key.matches_text(bearer(delivery.headers).unwrap_or_default(), hash);
    let token = match &token {
        None => Err("TOKEN_REVOKED"),
        Some(row) => may_start(row, now).map_err(|_| "TOKEN_MAY_NOT"),
    };
    let presented = if same || !record.require_bearer { Ok(()) } else { Err("TOKEN_WRONG") };
    Ok(token.and(presented).and(signature))
}

/// What is kept of a delivery with the run that it starts.
///
/// A signature without a time holds for good, and what a sender calls its delivery is not signed: so that whoever has
/// seen one cannot start another run with it, it is known by what is signed, too. Where the token is required a caller
/// has shown more than what was signed, and may deliver the same bytes again. A known sender's delivery without a name
/// in its body is known by what is signed in any case: names in headers are anybody's.
fn receipt(
    state: &AppState,
    record: &SubscriptionRecord,
    signed: &Signed,
    proven: &Proven,
    names: &[String],
    has_signed_name: bool,
) -> Receipt {
    let is_known = record.sender != Sender::Generic;
    let holds_for_good = !signed.is_timed() && (is_known || !record.require_bearer);
    let mut keys: Vec<String> = names.iter().map(|name| hex(&Sha256::digest(name.as_bytes()))).collect();
    if holds_for_good || (is_known && !has_signed_name) {
        // No header has a NUL in it: no name is such a key.
        keys.push(hex(&Sha256::digest(format!("signed\0{}", proven.digest))));
    }
    // A transaction writes each row once.
    keys.sort_unstable();
    keys.dedup();
    Receipt {
        place: record.place.clone(),
        subscription: record.id,
        keys,
        known_for: if holds_for_good { REPLAY_SEEN_FOR } else { SEEN_FOR },
        at: state.clock.now(),
    }
}

/// What the sender calls a delivery, in its headers and its body.
fn keys(sender: Sender, delivery: &Delivery<'_>, input: &Map<String, Value>) -> Result<Vec<String>> {
    let mut keys = delivery.ids(sender);
    keys.extend(sender.id_in(input).map(str::to_owned));
    if keys.iter().any(|key| key.is_empty() || key.chars().count() > MAX_KEY) {
        let message =
            format!("Idempotency-Key, webhook-id and a sender's own id have 1 to {MAX_KEY} characters.");
        return Err(Error::new(Kind::Unreadable, ErrorCode::KeyUnreadable, message));
    }
    Ok(keys)
}

/// The secrets that senders may sign with now.
async fn valid_secrets(state: &AppState, record: &SubscriptionRecord) -> Result<Vec<SecretString>> {
    let now = state.clock.now();
    let mut secrets = Vec::with_capacity(record.signing.len());
    for key in record.signing.iter().filter(|key| key.is_valid(now)) {
        // One that has just been destroyed is valid no longer.
        secrets.extend(state.secrets.read(&record.secret_ref(key.version)).await?);
    }
    Ok(secrets)
}

/// Starts the run, or finds the one that an earlier delivery of the same keys started.
async fn begin(
    state: &AppState,
    record: &SubscriptionRecord,
    receipt: &Receipt,
    body: Map<String, Value>,
) -> Result<Received, Refused> {
    let params = Extras::read(&record.extras)?.params(body);
    let token = state.auth.row(&state.store, record.automation_pat_id).await?;
    let without_mcp = !token.is_some_and(|row| Permission::McpExecute.is_granted_by(&row.scopes));
    let command = StartCommand { params, origin: Origin::Webhook { receipt: receipt.clone() }, without_mcp };
    let mut tries = 0;
    loop {
        let error = match start(state, &record.place, record.workflow_id, command.clone()).await {
            Ok(started) => {
                return Ok(Received { run_id: started.run_id, status: started.status, is_new: true });
            }
            Err(error) if matches!(error.kind, Kind::Unavailable { .. } | Kind::Internal) => {
                return Err(error.into());
            }
            Err(error) => error,
        };
        // What is refused today may have been accepted before.
        if let Some(run_id) = state.store.run_of_receipt(receipt).await.map_err(Error::from)? {
            return known(state, receipt, run_id).await.map_err(Refused::from);
        }
        tries += 1;
        if error.kind != Kind::Overtaken {
            return Err(error.into());
        }
        // Another delivery with this key is just being kept, or a transaction met another.
        if tries == MAX_TRIES {
            return Err(Error::unavailable("The database", "a delivery met others with its key").into());
        }
        tokio::time::sleep(PAUSES.wait(tries - 1, rand::random())).await;
    }
}

async fn known(state: &AppState, receipt: &Receipt, run_id: RunId) -> Result<Received> {
    let run = state.store.run(&RunRef { place: receipt.place.clone(), run_id }).await?;
    let run = run.ok_or_else(|| Error::internal("a delivery's run is missing"))?.run;
    if let Err(error) = state.store.note_duplicate(receipt, run_id).await {
        tracing::warn!(%error, "a duplicate delivery is not in the log");
    }
    Ok(Received { run_id, status: run.status, is_new: false })
}

async fn note_refusal(state: &AppState, record: &SubscriptionRecord, reason: &'static str) {
    let due = state.webhooks.refusals.note(record.id, reason, state.clock.now());
    for (at, refused) in due {
        if let Err(error) = state.store.note_refusals(&record.place, record.id, &refused, at).await {
            tracing::warn!(%error, subscription_id = %record.id, "refusals are not in the log");
        }
    }
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, ErrorCode::NotFound, "There is no such webhook, or it is disabled.")
}

fn unproven() -> Error {
    Error::new(
        Kind::Unauthenticated,
        ErrorCode::Unauthenticated,
        "Delivery authentication failed: send a valid signature of the body's bytes, made within 300 s of now when it \
         has a time, and, unless the subscription has 'require_bearer': false, its token as 'Authorization: Bearer pat_…'.",
    )
}
