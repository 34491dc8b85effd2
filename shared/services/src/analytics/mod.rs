//! What workspaces see of how their runs go, from counters that are kept while runs finish: no query reads runs.
//!
//! [`Tally`] is the part of a run's state that remembers what the counters do not know of it yet. Whoever writes the
//! run takes the difference out of it as [`Counts`] and writes both in one transaction, so that each run counts once,
//! whatever crashes and however often messages come. [`Range`] says which buckets a query reads, [`Figures`] adds
//! them up, and the `*View`s are the answers.

mod view;

pub use view::{
    CreditsView, DurationView, LiveRunsView, RunsCountView, RunsPoint, RunsSeriesView, StepTypeView,
    StepsSummaryView, StepsView, SuccessRateView, UsagePoint, UsageSeriesView,
};

use crate::state::AppState;
use engine::RunStatus;
use engine::analytics::{Figures, Range};
use types::ids::Place;
use types::{Error, Result};

/// The sum over a range.
///
/// # Errors
/// When the database does not answer.
pub async fn total(state: &AppState, place: &Place, range: &mut Range) -> Result<Figures> {
    let mut sum = Figures::default();
    for (_, figures) in series(state, place, range).await? {
        sum += &figures;
    }
    Ok(sum)
}

/// The figures of each bucket of a range, oldest first; those in which nothing ended are there, too. A range over all
/// there is begins with the first bucket then.
///
/// # Errors
/// When the database does not answer; invalid when there would be too many points.
pub async fn series(
    state: &AppState,
    place: &Place,
    range: &mut Range,
) -> Result<Vec<(types::clock::Timestamp, Figures)>> {
    let mut counted = state.store.counters(place, range).await?;
    range.begin_with(counted.keys().next().copied());
    let buckets = range.buckets()?;
    Ok(buckets.into_iter().map(|at| (at, counted.remove(&at).unwrap_or_default())).collect())
}

/// The runs that are under way, by status.
///
/// # Errors
/// When the database does not answer.
pub async fn live(state: &AppState, place: &Place) -> Result<LiveRunsView> {
    let live = state.store.live_runs(place).await?;
    let count = |status: RunStatus| {
        let count = live.get(status.as_str()).copied().unwrap_or(0);
        u64::try_from(count).map_err(|_| Error::internal(format!("{count} runs are {}", status.as_str())))
    };
    LiveRunsView::of(count)
}
