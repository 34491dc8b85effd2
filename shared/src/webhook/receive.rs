//! The public side: whether a delivery is one of its subscription's, and the run that it starts.
//!
//! Whatever is wrong with a delivery's proof, the answer has the same words and the work before it is the same: the
//! token that is compared is the subscription's own, not the one that was sent, so that no look-up depends on what
//! came; every comparison is made, and made in constant time; and only then is anything decided.

use std::sync::OnceLock;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::manage::may_start;
use super::signature::Wrong;
use super::{Extras, Signed};
use crate::auth::Permission;
use crate::error::Kind;
use crate::ids::{RunId, RunRef, SubscriptionId};
use crate::json_numbers;
use crate::limits::Allowance;
use crate::metrics::Metric;
use crate::run::{RunStatus, start};
use crate::state::AppState;
use crate::store::{Receipt, SubscriptionRecord};
use crate::text::hex;
use crate::{Error, Result};

/// The most bytes of a delivery's body.
pub const LARGEST_BODY: usize = 256 * 1024;
/// The most characters of a key that a delivery is known by.
const LONGEST_KEY: usize = 255;
/// How often a delivery is tried while another with its key is just being kept.
const MOST_TRIES: u32 = 6;

/// What came.
#[derive(Debug)]
pub struct Delivery {
    /// What it carries as its bearer, whatever that may be.
    pub bearer: String,
    /// Its signatures.
    pub signed: Signed,
    /// The keys that it is known by, as they were sent.
    pub keys: Vec<String>,
    /// Its body; none when it is too large.
    pub body: Option<Vec<u8>>,
    /// What is left to the subscription, once the sender has proven to be its.
    pub allowance: OnceLock<Allowance>,
}

/// A delivery that was accepted, now or before.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// The run that it started.
    pub run_id: RunId,
    /// Where that stands.
    pub status: RunStatus,
    /// Whether this delivery started it.
    pub is_new: bool,
}

/// Takes a delivery. When this returns a run, the run will be carried out whatever crashes.
///
/// # Errors
/// Not found when the subscription is unknown or disabled; unauthenticated, in the same words whatever is wrong;
/// too large; unreadable; unavailable when a store does not answer, and then nothing was started; and what
/// [`start`] refuses.
pub async fn receive(state: &AppState, id: SubscriptionId, delivery: &Delivery) -> Result<Received> {
    let Some(record) = state.webhooks.subscription(state, id).await? else {
        state.metrics.count(Metric::IngressRefusals, &[("reason", "UNKNOWN")]);
        return Err(unknown());
    };
    tracing::Span::current().record("tenant_id", record.place.tenant_id.as_str());
    match accept(state, &record, delivery).await {
        Ok(received) => {
            tracing::Span::current().record("run_id", tracing::field::display(received.run_id));
            Ok(received)
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
        Self { reason: error.code, error }
    }
}

fn refused(reason: &'static str, error: Error) -> Refused {
    Refused { reason, error }
}

async fn accept(
    state: &AppState,
    record: &SubscriptionRecord,
    delivery: &Delivery,
) -> Result<Received, Refused> {
    if !record.enabled {
        return Err(refused("DISABLED", unknown()));
    }
    let body = delivery.body.as_ref().ok_or_else(too_large)?;
    let proof = prove(state, record, delivery, body).await?;
    proof.map_err(|reason| refused(reason, unproven()))?;
    // Only now: others must not be able to use up what is the sender's.
    let allowance = state.limits.subscriptions.take(record.id);
    let _ = delivery.allowance.set(allowance);
    allowance.check("The sender")?;
    let body: Map<String, Value> = json_numbers::from_slice(body).map_err(|error| {
        let error = Error::new(
            Kind::Unreadable,
            "UNREADABLE",
            "The body must be a JSON object, in UTF-8 and nested at most 128 levels deep.",
        )
        .with_context(format!("{:?} at line {}", error.classify(), error.line()));
        refused("BODY_UNREADABLE", error)
    })?;
    let receipt = Receipt {
        place: record.place.clone(),
        subscription: record.id,
        keys: hashed(&delivery.keys)?,
        at: state.clock.now(),
    };
    begin(state, record, &receipt, body).await
}

/// Whether the sender is the subscription's; the outer error is of a store that does not answer.
async fn prove(
    state: &AppState,
    record: &SubscriptionRecord,
    delivery: &Delivery,
    body: &[u8],
) -> Result<Result<(), &'static str>> {
    let now = state.clock.now();
    let key = state.auth.key().await?;
    let token = state.auth.row(&state.store, record.automation_pat_id).await?;
    let secrets = valid_secrets(state, record).await?;

    let signature = delivery.signed.check(&secrets, body, now);
    // A token that is gone is compared all the same, with the hash of none.
    let none = "0".repeat(64);
    let hash = token.as_ref().map_or(none.as_str(), |row| row.secret_hash.as_str());
    let same = key.matches_text(&delivery.bearer, hash);
    let token = match &token {
        None => Err("TOKEN_REVOKED"),
        Some(row) => may_start(row, now).map_err(|_| "TOKEN_MAY_NOT"),
    };
    let signature = signature.map_err(|wrong| match wrong {
        Wrong::Missing => "SIGNATURE_MISSING",
        Wrong::Signature => "SIGNATURE_WRONG",
        Wrong::Time => "TIMESTAMP_OUT_OF_WINDOW",
    });
    let presented = if same { Ok(()) } else { Err("TOKEN_WRONG") };
    Ok(token.and(presented).and(signature))
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
    let mut request = Extras::read(&record.extras)?.request(body);
    request.receipt = Some(receipt.clone());
    let token = state.auth.row(&state.store, record.automation_pat_id).await?;
    request.without_mcp = !token.is_some_and(|row| Permission::McpExecute.is_granted_by(&row.scopes));
    let mut tries = 0;
    loop {
        let error = match start(state, &record.place, record.workflow_id, request.clone()).await {
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
        if tries == MOST_TRIES {
            return Err(Error::unavailable("The database", "a delivery met others with its key").into());
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(1..=10_u64 << tries))).await;
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

/// Senders choose keys; hashed, they are of one length and say nothing.
fn hashed(keys: &[String]) -> Result<Vec<String>> {
    if keys.iter().any(|key| key.is_empty() || key.chars().count() > LONGEST_KEY) {
        let message = format!("Idempotency-Key and webhook-id have 1 to {LONGEST_KEY} characters.");
        return Err(Error::new(Kind::Unreadable, "KEY_UNREADABLE", message));
    }
    let hash = |key: &String| hex(&Sha256::digest(key.as_bytes()));
    let mut hashes: Vec<String> = keys.iter().map(hash).collect();
    hashes.dedup();
    Ok(hashes)
}

fn unknown() -> Error {
    Error::new(Kind::NotFound, "NOT_FOUND", "There is no such webhook, or it is disabled.")
}

fn unproven() -> Error {
    Error::new(
        Kind::Unauthenticated,
        "UNAUTHENTICATED",
        "The delivery is not proven: send the subscription's token as 'Authorization: Bearer pat_…' and a signature \
         of the body's bytes, made within 300 s of now when it has a timestamp.",
    )
}

fn too_large() -> Error {
    Error::new(Kind::TooLarge, "TOO_LARGE", "The body is larger than 256 KiB (262144 bytes).")
}
