//! Subscriptions: made, changed, given another secret, deleted.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::view::DeliveryView;
use super::{Extras, signing};
use crate::auth::PlainToken;
use crate::custody::{Deposit, deposit, destroy};
use crate::quotas::within;
use crate::run::check_steps;
use crate::state::AppState;
use platform::boxed;
use platform::secrets::SecretKind;
use store::sender::Sender;
use store::{Counted, Listed, PatRecord, QuotaGuard, SigningKey, StoreError, SubscriptionRecord};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{PatId, Place, SecretVersion, SubscriptionId, WorkflowId};
use types::role::Role;
use types::scope::Permission;
use types::{Error, Result};

/// How long the secret before is valid after a rotation that does not say.
pub const USUAL_GRACE: Duration = Duration::from_secs(24 * 3600);
/// The longest that it can be.
pub const LONGEST_GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The most secrets of a subscription that are valid at once.
const MOST_SECRETS: usize = 5;
/// How often a change is tried while others change the same subscription.
const MOST_TRIES: usize = 5;

/// What a new subscription is made from; its name was checked.
#[derive(Debug)]
pub struct NewSubscription {
    /// The workflow it starts.
    pub workflow_id: WorkflowId,
    /// Its name.
    pub name: String,
    /// The token with which its deliveries start runs, and which its senders carry where that is required.
    pub automation_pat_id: Option<PatId>,
    /// The same, as text.
    pub automation_bearer: Option<SecretString>,
    /// What its runs are started with.
    pub extras: Extras,
    /// Who sends.
    pub sender: Sender,
    /// Whether deliveries carry the token; as its sender can, when absent.
    pub require_bearer: Option<bool>,
    /// What its sender signs with, when that is not ours to choose.
    pub signing_secret: Option<SecretString>,
}

/// What to change of a subscription; its name was checked.
#[derive(Debug)]
pub struct SubscriptionChange {
    /// Its name.
    pub name: Option<String>,
    /// Whether it takes deliveries.
    pub enabled: Option<bool>,
    /// What its runs are started with, whole.
    pub extras: Option<Extras>,
    /// Who sends.
    pub sender: Option<Sender>,
    /// Whether deliveries carry the token; as its sender can, when absent and the sender is another.
    pub require_bearer: Option<bool>,
    /// What its sender signs with from now on; every earlier secret ends.
    pub signing_secret: Option<SecretString>,
}

/// A new subscription with its secret, which is shown this once.
#[derive(Debug)]
pub struct Created {
    /// The subscription.
    pub record: SubscriptionRecord,
    /// What its senders sign with; none when its sender has issued it.
    pub signing_secret: Option<SecretString>,
}

/// A subscription with its new secret, which is shown this once.
#[derive(Debug)]
pub struct Rotated {
    /// The subscription.
    pub record: SubscriptionRecord,
    /// What its senders sign with from now on; none when its sender has issued it.
    pub signing_secret: Option<SecretString>,
    /// Until when the secret before is valid; none when it has ended.
    pub previous_valid_until: Option<Timestamp>,
}

/// Makes a subscription.
///
/// # Errors
/// Invalid when there is no such workflow or the token cannot start its runs; unavailable when a store does not
/// answer, and then nothing was made.
#[boxed]
pub async fn create(state: &AppState, place: &Place, new: NewSubscription) -> Result<Created> {
    check_extras(state, place, new.workflow_id, &new.extras).await?;
    let automation_pat_id = check_token(state, place, &new).await?;
    let issued = check_secret(new.sender, new.signing_secret.as_ref())?;
    let now = state.clock.now();
    let id = SubscriptionId::new(now);
    let record = SubscriptionRecord {
        id,
        place: place.clone(),
        workflow_id: new.workflow_id,
        name: new.name,
        enabled: true,
        extras: new.extras.write()?,
        automation_pat_id,
        sender: new.sender,
        require_bearer: new.require_bearer.unwrap_or(new.sender.requires_bearer()),
        signing: Vec::new(),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let make = |guard| kept(state, record.clone(), issued.as_ref(), guard);
    within(state, Counted::Webhooks(place.clone()), make).await
}

async fn kept(
    state: &AppState,
    mut record: SubscriptionRecord,
    issued: Option<&SecretString>,
    guard: QuotaGuard,
) -> Result<Created> {
    let (place, id) = (&record.place.clone(), record.id);
    let (deposit, signing_secret) = put_secret(state, place, id, issued).await?;
    record.signing = vec![SigningKey { version: deposit.secret().version, valid_until: None }];
    match state.store.create_subscription(&record, guard).await {
        Ok(()) => Ok(Created { record, signing_secret }),
        Err(error) => {
            deposit.abandon(state).await;
            if !matches!(error, StoreError::Conflict) || state.store.subscription(place, id).await?.is_none()
            {
                return Err(error.into());
            }
            // A request that is carried out again after a crash finds what it has made: the same id, of the same
            // request. Nobody has seen that one's secret, so another takes its place.
            let rotated = replace_secret(state, place, id, issued, Duration::ZERO).await?;
            Ok(Created { record: rotated.record, signing_secret: rotated.signing_secret })
        }
    }
}

/// Puts the secret that the sender has issued; or one of ours, which is answered.
async fn put_secret(
    state: &AppState,
    place: &Place,
    id: SubscriptionId,
    issued: Option<&SecretString>,
) -> Result<(Deposit, Option<SecretString>)> {
    let generated = match issued {
        Some(_) => None,
        None => Some(signing::generate()?),
    };
    let Some(secret) = issued.or(generated.as_ref()).cloned() else {
        return Err(Error::internal("a subscription without a secret"));
    };
    let deposit = deposit(state, place, SecretKind::Webhook, id.into(), secret).await?;
    Ok((deposit, generated))
}

fn check_secret(sender: Sender, issued: Option<&SecretString>) -> Result<Option<SecretString>> {
    issued.map(|secret| sender.check_secret(secret)).transpose()
}

/// Steps are looked for in the version that is published now; one that comes later may lack them, and then
/// deliveries are refused and say so.
async fn check_extras(state: &AppState, place: &Place, id: WorkflowId, extras: &Extras) -> Result<()> {
    extras.check()?;
    let workflow =
        state.store.workflow(place, id).await?.ok_or_else(|| {
            Error::invalid(format!("workflow_id: there is no workflow {id} in this project."))
        })?;
    if workflow.latest_version == 0 {
        return Ok(());
    }
    let plan = state.plans.get(&state.store, place, id, workflow.latest_version).await?;
    check_steps(&plan, &extras.clone().params(serde_json::Map::new())).map_err(|mut error| {
        error.message = format!("extras.{}", error.message);
        error
    })
}

/// The token that senders will carry: it must be able to start runs here, and be the one that was pasted.
async fn check_token(state: &AppState, place: &Place, new: &NewSubscription) -> Result<PatId> {
    let pasted = new.automation_bearer.as_ref().map(|text| {
        PlainToken::parse(text.expose_secret().trim())
            .ok_or_else(|| Error::invalid("automation_bearer: is not a token; paste the whole 'pat_…'."))
    });
    let pasted = pasted.transpose()?;
    let id = match (new.automation_pat_id, &pasted) {
        (None, None) => {
            return Err(Error::invalid(
                "automation_pat_id: name the token that senders will carry, or paste it as automation_bearer.",
            ));
        }
        (Some(id), Some(token)) if token.id() != id => {
            return Err(Error::invalid("automation_bearer: is not the token that automation_pat_id names."));
        }
        (Some(id), _) => id,
        (None, Some(token)) => token.id(),
    };
    let field = if new.automation_pat_id.is_some() { "automation_pat_id" } else { "automation_bearer" };
    // A token of another place does not exist here.
    let row = state.store.pat(id).await?.filter(|row| row.place == *place);
    let row =
        row.ok_or_else(|| Error::invalid(format!("{field}: there is no such token in this project.")))?;
    if let Some(token) = &pasted
        && !state.auth.key().await?.matches(token, &row.secret_hash)
    {
        return Err(Error::invalid("automation_bearer: is not a token of this project."));
    }
    may_start(&row, state.clock.now()).map_err(|why| Error::invalid(format!("{field}: the token {why}.")))?;
    Ok(id)
}

/// Whether deliveries with this token may start runs; else why not, as the end of a sentence.
pub(super) fn may_start(row: &PatRecord, now: Timestamp) -> Result<(), &'static str> {
    if row.expires_at_time.is_some_and(|end| end <= now) {
        return Err("has expired");
    }
    if row.role < Role::ProjectContributor {
        return Err("belongs to a viewer, who may not start runs");
    }
    if !Permission::WorkflowRun.is_granted_by(&row.scopes) {
        return Err("lacks the scope workflow:run");
    }
    Ok(())
}

/// Changes a subscription.
///
/// # Errors
/// Not found; invalid, naming what is wrong with the extras or the secret, or when the new sender issues its secrets
/// itself and none is given; unavailable when a store does not answer, and
/// then nothing was changed.
#[boxed]
pub async fn change(
    state: &AppState,
    place: &Place,
    id: SubscriptionId,
    change: &SubscriptionChange,
) -> Result<SubscriptionRecord> {
    for _ in 0..MOST_TRIES {
        let mut record = find(state, place, id).await?;
        if let Some(extras) = &change.extras {
            check_extras(state, place, record.workflow_id, extras).await?;
            record.extras = extras.write()?;
        }
        if let Some(name) = &change.name {
            record.name.clone_from(name);
        }
        record.enabled = change.enabled.unwrap_or(record.enabled);
        if let Some(sender) = change.sender.filter(|sender| *sender != record.sender) {
            if sender.issues_secret() && change.signing_secret.is_none() {
                return Err(lacks_its_own_secret(
                    sender,
                    "send the one that it shows you together with sender",
                ));
            }
            record.sender = sender;
            record.require_bearer = sender.requires_bearer();
        }
        record.require_bearer = change.require_bearer.unwrap_or(record.require_bearer);
        record.updated_at = state.clock.now();
        let issued = check_secret(record.sender, change.signing_secret.as_ref())?;
        let saved = match &issued {
            None => state.store.save_subscription(&mut record, None, &[]).await.map_err(Error::from),
            Some(_) => save_with_secret(state, &mut record, issued.as_ref(), Duration::ZERO).await.map(drop),
        };
        match saved {
            Ok(()) => return Ok(record),
            Err(error) if error.kind == Kind::Overtaken => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Gives a subscription another secret: the one that its sender has issued, or one of ours. Without `grace` every earlier
/// one ends at once; else the last one is valid for so long, and those before it no longer than that.
///
/// # Errors
/// Not found; invalid when the secret is none, or its sender issues it and none is given; conflict `TOO_MANY_SECRETS`
/// when many are valid already; unavailable when a store does not answer, and then nothing was changed.
#[boxed]
pub async fn rotate(
    state: &AppState,
    place: &Place,
    id: SubscriptionId,
    issued: Option<&SecretString>,
    grace: Duration,
) -> Result<Rotated> {
    let sender = find(state, place, id).await?.sender;
    let issued = check_secret(sender, issued)?;
    if issued.is_none() && sender.issues_secret() {
        return Err(lacks_its_own_secret(sender, "renew it there, then send the new one as signing_secret"));
    }
    replace_secret(state, place, id, issued.as_ref(), grace).await
}

/// No other secret than its own can ever prove its deliveries.
fn lacks_its_own_secret(sender: Sender, remedy: &str) -> Error {
    Error::invalid(format!("signing_secret: {} issues its secrets itself; {remedy}.", sender.as_str()))
}

async fn replace_secret(
    state: &AppState,
    place: &Place,
    id: SubscriptionId,
    issued: Option<&SecretString>,
    grace: Duration,
) -> Result<Rotated> {
    for _ in 0..MOST_TRIES {
        let mut record = find(state, place, id).await?;
        record.updated_at = state.clock.now();
        match save_with_secret(state, &mut record, issued, grace).await {
            Ok(signing_secret) => {
                let previous_valid_until = record.signing.get(1).and_then(|key| key.valid_until);
                return Ok(Rotated { record, signing_secret, previous_valid_until });
            }
            Err(error) if error.kind == Kind::Overtaken => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Saves a subscription with a new secret, and ends those before it. A conflict when its row is not the one that was
/// read.
async fn save_with_secret(
    state: &AppState,
    record: &mut SubscriptionRecord,
    issued: Option<&SecretString>,
    grace: Duration,
) -> Result<Option<SecretString>> {
    let now = state.clock.now();
    let until = now.plus(grace);
    let before = std::mem::take(&mut record.signing);
    let end = |key: &SigningKey| key.valid_until.map_or(until, |end| end.min(until));
    let (kept, ended): (Vec<_>, Vec<_>) =
        before.into_iter().map(|key| (key.version, end(&key))).partition(|(_, end)| now < *end);
    if kept.len() >= MOST_SECRETS {
        return Err(Error::conflict(
            ErrorCode::TooManySecrets,
            format!(
                "{MOST_SECRETS} secrets are valid already; wait for one to end, or send \"grace_s\": 0 to end all of \
                 them."
            ),
        ));
    }
    let (deposit, generated) = put_secret(state, &record.place, record.id, issued).await?;
    let version = deposit.secret().version;
    let kept_keys =
        kept.iter().map(|(version, end)| SigningKey { version: *version, valid_until: Some(*end) });
    record.signing = [SigningKey { version, valid_until: None }].into_iter().chain(kept_keys).collect();
    let ends: Vec<(SecretVersion, Timestamp)> =
        kept.iter().copied().chain(ended.iter().map(|(version, _)| (*version, now))).collect();
    match state.store.save_subscription(record, Some(version), &ends).await {
        Ok(()) => {
            for (version, _) in ended {
                destroy(state, &record.secret_ref(version)).await;
            }
            Ok(generated)
        }
        Err(error) => {
            deposit.abandon(state).await;
            Err(error.into())
        }
    }
}

/// Deletes a subscription. When this returns, no delivery is accepted any more; its secrets are destroyed at once, or
/// by a sweep while the secret store does not answer.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn delete(state: &AppState, place: &Place, id: SubscriptionId) -> Result<()> {
    for _ in 0..MOST_TRIES {
        let record = find(state, place, id).await?;
        match state.store.delete_subscription(&record, state.clock.now()).await {
            Ok(()) => {
                for key in &record.signing {
                    destroy(state, &record.secret_ref(key.version)).await;
                }
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// A subscription of this place.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn find(state: &AppState, place: &Place, id: SubscriptionId) -> Result<SubscriptionRecord> {
    state.store.subscription(place, id).await?.ok_or_else(|| Error::not_found("inbound webhook"))
}

/// The subscriptions of this place, newest first.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    limit: usize,
    after: Option<SubscriptionId>,
) -> Result<Listed<SubscriptionRecord>> {
    Ok(state.store.list_subscriptions(place, limit, after).await?)
}

/// What was delivered to a subscription in the last 30 days, newest first.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn deliveries(
    state: &AppState,
    place: &Place,
    id: SubscriptionId,
    limit: usize,
    after: Option<String>,
) -> Result<Listed<DeliveryView>> {
    find(state, place, id).await?;
    let listed = state.store.list_deliveries(place, id, limit, after, state.clock.now()).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(DeliveryView::new).collect(), next: listed.next })
}

impl super::Webhooks {
    /// A subscription by its id alone.
    pub(super) async fn subscription(
        &self,
        state: &AppState,
        id: SubscriptionId,
    ) -> Result<Option<SubscriptionRecord>> {
        let place = match self.places.get(&id) {
            Some(place) => place,
            None => {
                let Some(place) = state.store.subscription_place(id).await? else { return Ok(None) };
                self.places.insert(id, place.clone());
                place
            }
        };
        Ok(state.store.subscription(&place, id).await?)
    }
}
