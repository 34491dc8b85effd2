//! Every use of a credential outside leaves a trace, with whose it is and where it goes. What a caller does leaves an entry
//! each time. What runs do, whose events say it already, leaves one an hour for a credential and host, whichever process
//! and however many steps: the budget of a step has no room for more.

use std::time::Duration;

use crate::auth::Caller;
use crate::state::AppState;
use platform::boxed;
use store::{Actor, AuditRecord, CredentialUse, StoreError};
use types::Result;
use types::clock::Timestamp;
use types::ids::{AuditId, Place};

const ACTION: &str = "credential.send";
const HOUR: Duration = Duration::from_secs(3600);

/// On whose behalf a credential leaves.
#[derive(Debug)]
pub enum Sender<'a> {
    /// A caller, who does this.
    Caller(&'a Caller, &'static str),
    /// A step of a run: the key of its attempt.
    Step(&'a str),
}

/// Notes that a credential is sent out, or with a refusal's status that it is not.
///
/// # Errors
/// When the database does not answer: what cannot be noted is not sent.
#[boxed]
pub async fn note_sending(
    state: &AppState,
    place: &Place,
    sender: &Sender<'_>,
    sent: CredentialUse,
    status: u16,
) -> Result<()> {
    let now = state.clock.now();
    let (actor, target) = match sender {
        Sender::Caller(caller, what) => (Actor::from(*caller), (*what).to_owned()),
        Sender::Step(key) => (Actor { pat_id: None, member_id: None, role: None }, format!("step {key}")),
    };
    let mut record = AuditRecord::new(now, place, actor, ACTION, &target);
    record.end(status);
    if matches!(sender, Sender::Caller(..)) {
        record.sent = Some(sent);
        return Ok(state.store.keep_trace(&record).await?);
    }
    record.id = of_hour(now, place, &sent, status);
    if state.noted_uses.has(record.id) {
        return Ok(());
    }
    let id = record.id;
    record.sent = Some(sent);
    match state.store.keep_new_trace(&record).await {
        Ok(()) | Err(StoreError::Conflict) => state.noted_uses.add(id),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The entry that stands for all uses of a credential at a host in this hour.
fn of_hour(now: Timestamp, place: &Place, sent: &CredentialUse, status: u16) -> AuditId {
    let hour = i64::try_from(HOUR.as_millis()).unwrap_or(1);
    let begin = Timestamp::from_millis(now.as_millis().div_euclid(hour) * hour);
    let credential = sent.connection_id.map(|id| id.to_string()).or_else(|| sent.provider_key_id.clone());
    let (tenant, project) = (place.tenant_id.as_str(), place.project_id.as_str());
    let status = status.to_string();
    AuditId::of_time(
        begin,
        &[tenant, project, credential.as_deref().unwrap_or_default(), &sent.host, &status],
    )
}
