//! Reads a standing, changes it, and makes what it owes the ledger.

use std::time::Duration;

use crate::billing::ledger::{Grant, grant, withdraw};
use crate::billing::provider::provider;
use crate::state::AppState;
use billing::plans::Product;
use billing::subscription::{Observed, Seen};
use billing::subscription::{Posting, Standing};
use clients::stripe::{Provider, Subscription};
use platform::boxed;
use store::StoreError;
use types::clock::Timestamp;
use types::error::ErrorCode;
use types::ids::TenantId;
use types::{Error, Result};

/// How often a change tries again when it meets another.
const MOST_TRIES: usize = 10;
/// When a provider that does not answer is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(30 * 60);

/// A tenant's standing as it is written.
///
/// # Errors
/// When the database does not answer.
#[boxed]
pub async fn read(state: &AppState, tenant: &TenantId) -> Result<Standing> {
    let found = state.store.standing(tenant).await?;
    Ok(found.unwrap_or_else(|| Standing::none(tenant.clone())))
}

/// Changes a standing, and makes its postings. What time has done comes before.
///
/// # Errors
/// Those of `apply`; nothing is changed then. Unavailable when a store does not answer.
pub(crate) async fn change<T>(
    state: &AppState,
    tenant: &TenantId,
    mut apply: impl FnMut(&mut Standing, &Product, Timestamp) -> Result<T>,
) -> Result<(Standing, T)> {
    let product = state.config.plans.product()?;
    for _ in 0..MOST_TRIES {
        let before = settled(state, read(state, tenant).await?).await?;
        let now = state.clock.now();
        let mut standing = before.clone();
        standing.pass(product, now);
        let given = apply(&mut standing, product, now)?;
        if let Some(standing) = keep(state, &before, standing).await? {
            return Ok((standing, given));
        }
    }
    Err(busy())
}

/// Asks the provider how a subscription is, and takes it over: the one named, else the tenant's own.
///
/// The row is read before the provider is asked and written only if it still is what was read, so an answer that is
/// older than what another has written is never taken over.
///
/// # Errors
/// When the provider or a store does not answer, or the subscription has a price that the deployment does not know.
#[boxed]
pub async fn ask_provider(
    state: &AppState,
    provider: &Provider<'_>,
    tenant: &TenantId,
    named: Option<&str>,
) -> Result<Standing> {
    for _ in 0..MOST_TRIES {
        let before = settled(state, read(state, tenant).await?).await?;
        let Some(id) = named.or_else(|| before.live().map(|paid| paid.id.as_str())) else {
            return Ok(before);
        };
        let found = provider.subscription(id).await?;
        let mut standing = before.clone();
        take_over(state, &mut standing, id, found.as_ref())?;
        if let Some(standing) = keep(state, &before, standing).await? {
            return Ok(standing);
        }
    }
    Err(busy())
}

fn take_over(
    state: &AppState,
    standing: &mut Standing,
    id: &str,
    found: Option<&Subscription>,
) -> Result<()> {
    let (product, now) = (state.config.plans.product()?, state.clock.now());
    standing.pass(product, now);
    let Some(found) = found else {
        tracing::error!(tenant_id = %standing.tenant_id, subscription = id, "the provider does not know it");
        return Ok(());
    };
    // Whoever names another's subscription learns nothing and changes nothing.
    if standing.customer_id.as_deref() != Some(found.customer()) {
        tracing::warn!(tenant_id = %standing.tenant_id, subscription = id, "it is another customer's");
        return Ok(());
    }
    let observed: Observed<'_> = found.observed(&state.config.plans)?;
    if standing.observe(product, &observed, now) == Seen::Unrelated {
        tracing::warn!(tenant_id = %standing.tenant_id, subscription = id, "it is not this tenant's present one");
    }
    Ok(())
}

/// Does what is due: makes postings that are left, lets time pass, and asks the provider where only it knows.
///
/// # Errors
/// When a store does not answer. A provider that does not is asked again later.
#[boxed]
pub async fn look(state: &AppState, tenant: &TenantId) -> Result<()> {
    let (standing, ()) = change(state, tenant, |_, _, _| Ok(())).await?;
    if !standing.must_ask(state.clock.now()) {
        return Ok(());
    }
    let asked = async {
        let provider = provider(state).await?;
        ask_provider(state, &provider, tenant, None).await
    };
    let Err(error) = asked.await else { return Ok(()) };
    tracing::error!(%error, tenant_id = %tenant, "the payment provider could not be asked; it is again later");
    let later = |standing: &mut Standing, _: &Product, now: Timestamp| {
        standing.ask_again_at = Some(now.plus(AFTER_FAILURE));
        Ok(())
    };
    change(state, tenant, later).await.map(|_| ())
}

/// Writes a standing that has changed, and makes its postings; none when somebody was faster.
async fn keep(state: &AppState, before: &Standing, mut standing: Standing) -> Result<Option<Standing>> {
    if standing == *before {
        return Ok(Some(standing));
    }
    standing.updated_at = state.clock.now();
    match save(state, &mut standing).await {
        Ok(()) => Ok(Some(settled(state, standing).await?)),
        Err(StoreError::Conflict) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn save(state: &AppState, standing: &mut Standing) -> std::result::Result<(), StoreError> {
    let product = state.config.plans.product().map_err(|error| StoreError::Corrupt(error.into()))?;
    let look_at = standing.next_look(product);
    state.store.save_standing(standing, look_at).await
}

/// The standing when its postings are made.
async fn settled(state: &AppState, mut standing: Standing) -> Result<Standing> {
    if standing.postings.is_empty() {
        return Ok(standing);
    }
    for posting in &standing.postings {
        post(state, &standing.tenant_id, posting).await?;
    }
    standing.postings.clear();
    match save(state, &mut standing).await {
        Ok(()) => Ok(standing),
        // Somebody else has made them, too.
        Err(StoreError::Conflict) => read(state, &standing.tenant_id).await,
        Err(error) => Err(error.into()),
    }
}

/// Makes a posting. Making it again has no effect.
///
/// # Errors
/// When the database does not answer.
#[boxed]
pub async fn post(state: &AppState, tenant: &TenantId, posting: &Posting) -> Result<()> {
    let Posting { cause, bucket, grant: granted, expires_at } = posting;
    let made = match granted {
        // Too late to be of any use.
        Some(_) if expires_at.is_some_and(|at| at <= state.clock.now()) => return Ok(()),
        Some(amount) => {
            let new = Grant {
                bucket: *bucket,
                amount: *amount,
                cause: cause.clone(),
                expires_at: *expires_at,
                note: None,
            };
            grant(state, tenant, &new).await
        }
        None => withdraw(state, tenant, *bucket, cause).await,
    };
    match made {
        Ok(_) => Ok(()),
        // The ledger says otherwise, and always will: waiting would hold up all that follows.
        Err(error) if error.code == ErrorCode::CauseInUse => {
            tracing::error!(%error, tenant_id = %tenant, "a posting is left out");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn busy() -> Error {
    Error::unavailable("The database", "a change of a plan met another every time")
}
