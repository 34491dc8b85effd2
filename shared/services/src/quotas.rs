//! Quotas: nobody makes more of something than a deployment lets them. What there may be is in [`types::quotas`], how it is
//! counted in [`store::Counted`].
//!
//! **Live runs** are counted as the counters have them, at most once in some seconds and process; what this process starts
//! meanwhile is added ([`crate::live_runs`]). The project's are read with what a start reads anyway, those of other projects
//! once this one has a hundredth of the quota. So the number is approximate, and what cannot be read admits.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::live_runs::COUNTED_FOR;
use crate::state::AppState;
use store::{Counted, QuotaGuard, StoreError};
use types::error::{ErrorCode, Kind};
use types::ids::{Place, TenantId, seed};
use types::quotas::Quota;
use types::retry::Backoff;
use types::{Error, Result};

/// So many things of a kind are made at the same moment without a guard.
const AT_ONCE: u64 = 50;
/// How often the last places under a quota are asked for while others take them.
const MAX_TRIES: u32 = 16;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(320));
/// Others' live runs are counted once a project has this part of the quota in its own: below it a start reads nothing more.
const OTHERS_MATTER: u64 = 100;
/// Projects of a tenant whose live runs are counted.
const MAX_PROJECTS: usize = 1_000;
/// How many of them at the same time.
const SIDE_BY_SIDE: usize = 16;
/// Runs that were admitted may call others until there are so many times as many: what was begun can go on while new
/// things are refused.
const FOR_CHILDREN: u64 = 2;

/// Makes a thing if there is room for it; `make` writes the guard with it, and is overtaken when the guard does not hold.
///
/// # Errors
/// Conflict `QUOTA_EXCEEDED` when there is none; what `make` fails with.
pub(crate) async fn within<T, F>(state: &AppState, of: Counted, make: impl Fn(QuotaGuard) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let most = state.config.quotas.get(of.quota());
    for tries in 0..MAX_TRIES {
        let mut guard = QuotaGuard::default();
        let mut found = state.store.count_things(&of, most).await?;
        // Far from it no others can be in the way: as many would have to be made at this moment.
        if found < most && (found >= most / 2 || found + AT_ONCE >= most) {
            guard = state.store.quota_guard(&of).await?;
            found = state.store.count_things(&of, most).await?;
        }
        if found >= most {
            return made_before(state, &of, make).await;
        }
        let is_guarded = guard.is_set();
        match make(guard).await {
            Err(error) if is_guarded && error.kind == Kind::Overtaken => {
                tokio::time::sleep(PAUSES.wait(tries, rand::random())).await;
            }
            made => return made,
        }
    }
    Err(StoreError::Conflict.into())
}

/// There is no room; but a request that is carried out again under its idempotency key finds what it has made.
async fn made_before<T, F>(state: &AppState, of: &Counted, make: impl Fn(QuotaGuard) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    if seed::request().is_some()
        && let Ok(made) = make(state.store.no_room(of)?).await
    {
        return Ok(made);
    }
    Err(exceeded(state, of.quota()))
}

/// Refuses when there is no room for one more.
///
/// # Errors
/// Conflict `QUOTA_EXCEEDED`.
pub(crate) async fn check(state: &AppState, of: &Counted) -> Result<()> {
    let most = state.config.quotas.get(of.quota());
    if state.store.count_things(of, most).await? >= most {
        return Err(exceeded(state, of.quota()));
    }
    Ok(())
}

fn exceeded(state: &AppState, quota: Quota) -> Error {
    Error::conflict(ErrorCode::QuotaExceeded, quota.met(state.config.quotas.get(quota)))
}

/// How many live runs the start of a run may find; `is_child` says that a run calls it.
pub(crate) fn max_live_runs(state: &AppState, is_child: bool) -> u64 {
    let most = state.config.quotas.get(Quota::LiveRuns);
    if is_child { most.saturating_mul(FOR_CHILDREN) } else { most }
}

/// Refuses a start while the tenant has as many live runs as it may. `in_project` is how many the project has, where that was
/// read just now; else what is known is gone by.
///
/// # Errors
/// Too many `TENANT_RUN_LIMIT`.
pub(crate) async fn check_live_runs(
    state: &AppState,
    place: &Place,
    is_child: bool,
    in_project: Option<u64>,
) -> Result<()> {
    let admitted = max_live_runs(state, is_child);
    let now = state.clock.now();
    let live = match in_project {
        None => state.live_runs.known(place, admitted, now).unwrap_or(0),
        Some(in_project) => {
            let live = all_live_runs(state, place, in_project).await;
            state.live_runs.counted(place, live, now);
            live
        }
    };
    if live >= admitted {
        return Err(too_many(state.config.quotas.get(Quota::LiveRuns)));
    }
    Ok(())
}

/// The live runs of the whole workspace, once the project has so many that the others matter.
async fn all_live_runs(state: &AppState, place: &Place, in_project: u64) -> u64 {
    let most = state.config.quotas.get(Quota::LiveRuns);
    if in_project.saturating_mul(OTHERS_MATTER) < most {
        return in_project;
    }
    match count_live_runs(state, &place.tenant_id, most.saturating_mul(FOR_CHILDREN)).await {
        Ok(live) => live.max(in_project),
        Err(error) => {
            tracing::warn!(%error, "live runs of other projects could not be counted; they are left out");
            in_project
        }
    }
}

fn too_many(most: u64) -> Error {
    Error::new(
        Kind::TooMany { retry_after: COUNTED_FOR },
        ErrorCode::TenantRunLimit,
        Quota::LiveRuns.met(most),
    )
}

/// The live runs of all projects of a tenant, as far as `most`.
async fn count_live_runs(state: &AppState, tenant: &TenantId, most: u64) -> Result<u64> {
    let projects = state.store.list_projects(tenant, MAX_PROJECTS, None).await?.rows;
    let mut live = 0;
    for some in projects.chunks(SIDE_BY_SIDE) {
        let mut counting = JoinSet::new();
        for project in some {
            let place = Place { tenant_id: tenant.clone(), project_id: project.project_id.clone() };
            let store = state.store.clone();
            counting.spawn(async move { store.live_runs(&place).await });
        }
        while let Some(counted) = counting.join_next().await {
            let by_status = counted.map_err(|error| Error::internal(format!("a count: {error}")))??;
            live += by_status.values().map(|count| u64::try_from(*count).unwrap_or(0)).sum::<u64>();
        }
        if live >= most {
            break;
        }
    }
    Ok(live)
}
