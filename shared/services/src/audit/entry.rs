//! An entry is written: when its act begins, with it, and when it has ended.

use crate::auth::Caller;
use crate::state::AppState;
use platform::boxed;
use store::{Actor, AuditOutcome, AuditRecord, StoreError};
use types::Result;
use types::ids::Place;

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self { pat_id: Some(caller.pat_id), member_id: Some(caller.member_id), role: Some(caller.role) }
    }
}

/// Whose act it is, and where.
#[derive(Debug)]
pub struct Author {
    place: Place,
    actor: Actor,
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        Self { place: caller.place.clone(), actor: caller.into() }
    }
}

/// An entry whose act has begun.
#[derive(Debug)]
pub enum Entry {
    /// It is in the trail.
    Written(AuditRecord),
    /// It comes into the trail together with what the act does, or when the act is refused.
    Riding(AuditRecord),
}

impl Entry {
    /// Whether it is in the trail.
    pub const fn is_written(&self) -> bool {
        matches!(self, Self::Written(_))
    }
}

/// An entry for the transaction of its act.
pub type Riding = Box<AuditRecord>;

fn entry(state: &AppState, author: &Author, action: &str, target: &str, request_id: &str) -> AuditRecord {
    let now = state.clock.now();
    let mut record = AuditRecord::new(now, &author.place, author.actor.clone(), action, target);
    request_id.clone_into(&mut record.request_id);
    record
}

/// Notes that an act begins.
///
/// # Errors
/// When the database does not answer: what cannot be noted is not done.
#[boxed]
pub async fn begin(
    state: &AppState,
    author: &Author,
    action: &str,
    target: &str,
    request_id: &str,
) -> Result<Entry> {
    let record = entry(state, author, action, target, request_id);
    state.store.keep_trace(&record).await?;
    Ok(Entry::Written(record))
}

/// An entry that is written by the act itself, as done.
pub fn ride(
    state: &AppState,
    author: &Author,
    action: &str,
    target: &str,
    request_id: &str,
) -> (Entry, Riding) {
    let record = entry(state, author, action, target, request_id);
    let mut riding = Box::new(record.clone());
    riding.outcome = AuditOutcome::Done;
    riding.status = Some(200);
    (Entry::Riding(record), riding)
}

/// Notes how an act ended, and what it made.
#[boxed]
pub async fn end(state: &AppState, entry: Entry, status: u16, made: Option<String>) {
    match entry {
        Entry::Written(mut record) => {
            record.made = made;
            record.end(status);
            if let Err(error) = state.store.end_trace(&record).await {
                tracing::warn!(%error, audit_id = %record.id, "the outcome of a request could not be written");
            }
        }
        Entry::Riding(mut record) => {
            record.end(status);
            match state.store.keep_new_trace(&record).await {
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(%error, "a refused request could not be noted in the audit trail");
                }
            }
        }
    }
}
