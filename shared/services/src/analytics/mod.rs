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
use platform::boxed;
use types::clock::Timestamp;
use types::ids::Place;
use types::{Error, Result};

/// A range that moves with the time, as callers name it.
pub type Window = engine::analytics::Window;
/// The width of a bucket, as callers name it.
pub type Granularity = engine::analytics::Granularity;

/// The time that a question is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// The last days of this kind; a month when nothing is said.
    pub window: Option<Window>,
    /// Instead of a window: from this time on.
    pub from: Option<Timestamp>,
    /// Until this time; now when absent.
    pub to: Option<Timestamp>,
    /// How wide the buckets are.
    pub granularity: Option<Granularity>,
}

impl Asked {
    /// The buckets to read.
    ///
    /// # Errors
    /// Invalid, naming the parameter.
    pub(crate) fn range(self, now: Timestamp) -> Result<Range> {
        Range::asked(self.window, (self.from, self.to), self.granularity, now)
    }
}

/// Which part of the runs that ended has completed.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn success_rate(state: &AppState, place: &Place, asked: Asked) -> Result<SuccessRateView> {
    let (range, total) = total(state, place, asked).await?;
    Ok(SuccessRateView::new(&range, &total))
}

/// How long runs took.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn execution_duration(state: &AppState, place: &Place, asked: Asked) -> Result<DurationView> {
    let (range, total) = total(state, place, asked).await?;
    Ok(DurationView::new(&range, &total))
}

/// How many runs ended, and how.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn runs_count(state: &AppState, place: &Place, asked: Asked) -> Result<RunsCountView> {
    let (range, total) = total(state, place, asked).await?;
    Ok(RunsCountView::new(&range, &total))
}

/// How many step attempts succeeded.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn steps_executed(state: &AppState, place: &Place, asked: Asked) -> Result<StepsView> {
    let (range, total) = total(state, place, asked).await?;
    Ok(StepsView::new(&range, &total))
}

/// What the runs that ended have used.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn credits_consumed(state: &AppState, place: &Place, asked: Asked) -> Result<CreditsView> {
    let (range, total) = total(state, place, asked).await?;
    Ok(CreditsView::new(&range, &total))
}

/// What steps were executed, by type.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn steps_summary(state: &AppState, place: &Place, asked: Asked) -> Result<StepsSummaryView> {
    let (range, total) = total(state, place, asked).await?;
    Ok(StepsSummaryView::new(&range, &total))
}

/// Runs that ended, by hour or by day.
///
/// # Errors
/// Invalid, naming the parameter, also when there would be too many points; when the database does not answer.
#[boxed]
pub async fn runs_timeseries(state: &AppState, place: &Place, asked: Asked) -> Result<RunsSeriesView> {
    let (range, series) = series(state, place, asked).await?;
    Ok(RunsSeriesView::new(&range, &series))
}

/// What was used, by hour or by day.
///
/// # Errors
/// Invalid, naming the parameter, also when there would be too many points; when the database does not answer.
#[boxed]
pub async fn usage_timeseries(state: &AppState, place: &Place, asked: Asked) -> Result<UsageSeriesView> {
    let (range, series) = series(state, place, asked).await?;
    Ok(UsageSeriesView::new(&range, &series))
}

/// The runs that are under way, by status. The time asked for is checked, and changes nothing.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn live_runs(state: &AppState, place: &Place, asked: Asked) -> Result<LiveRunsView> {
    asked.range(state.clock.now())?;
    let live = state.store.live_runs(place).await?;
    let count = |status: RunStatus| {
        let count = live.get(status.as_str()).copied().unwrap_or(0);
        u64::try_from(count).map_err(|_| Error::internal(format!("{count} runs are {}", status.as_str())))
    };
    LiveRunsView::of(count)
}

/// The sum over a range.
async fn total(state: &AppState, place: &Place, asked: Asked) -> Result<(Range, Figures)> {
    let (range, series) = series(state, place, asked).await?;
    let mut sum = Figures::default();
    for (_, figures) in &series {
        sum += figures;
    }
    Ok((range, sum))
}

/// The figures of each bucket of a range, oldest first; those in which nothing ended are there, too. A range over all
/// there is begins with the first bucket then.
async fn series(state: &AppState, place: &Place, asked: Asked) -> Result<(Range, Vec<(Timestamp, Figures)>)> {
    let mut range = asked.range(state.clock.now())?;
    let mut counted = state.store.counters(place, &range).await?;
    range.begin_with(counted.keys().next().copied());
    let buckets = range.buckets()?;
    Ok((range, buckets.into_iter().map(|at| (at, counted.remove(&at).unwrap_or_default())).collect()))
}
