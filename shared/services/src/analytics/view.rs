//! The answers.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use engine::analytics::figures::ENDS;

use engine::RunStatus;
use engine::analytics::Figures;
use engine::analytics::{Granularity, Range};
use types::Result;
use types::clock::Timestamp;

/// With fewer finished runs than this a rate says nothing.
const LEAST_FOR_A_RATE: u64 = 3;
const LIVE: [RunStatus; 4] = [RunStatus::Pending, RunStatus::Running, RunStatus::Paused, RunStatus::Draining];

/// The time that an answer is about: whole hours or days in UTC.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct RangeView {
    /// From here on.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Until before this.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
}

impl From<&Range> for RangeView {
    fn from(range: &Range) -> Self {
        Self { from: range.from().unwrap_or_else(|| range.last()), to: range.to() }
    }
}

/// Runs that are not over, now.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiveRunsView {
    /// All of them.
    live_runs: u64,
    /// By status.
    by_status: BTreeMap<&'static str, u64>,
}

impl LiveRunsView {
    pub(super) fn of(count: impl Fn(RunStatus) -> Result<u64>) -> Result<Self> {
        let by_status: BTreeMap<_, _> =
            LIVE.into_iter().map(|status| Ok((status.as_str(), count(status)?))).collect::<Result<_>>()?;
        Ok(Self { live_runs: by_status.values().sum(), by_status })
    }
}

/// How many of the runs that ended have completed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuccessRateView {
    #[serde(flatten)]
    range: RangeView,
    /// From 0 to 1; null when fewer than three runs have ended.
    success_rate: Option<f64>,
    /// Runs that ended.
    finished: u64,
    /// Runs that completed.
    completed: u64,
    /// Runs that failed.
    failed: u64,
    /// Runs that somebody stopped.
    stopped: u64,
}

impl SuccessRateView {
    /// Of these figures.
    #[allow(clippy::cast_precision_loss, reason = "counts")]
    pub(super) fn new(range: &Range, figures: &Figures) -> Self {
        let (finished, completed) = (figures.finished(), figures.runs(RunStatus::Completed));
        Self {
            range: range.into(),
            success_rate: (finished >= LEAST_FOR_A_RATE).then(|| completed as f64 / finished as f64),
            finished,
            completed,
            failed: figures.runs(RunStatus::Failed),
            stopped: figures.runs(RunStatus::Stopped),
        }
    }
}

/// How long the runs took that ended, from their start to their end.
#[derive(Debug, Serialize, ToSchema)]
pub struct DurationView {
    #[serde(flatten)]
    range: RangeView,
    /// Runs that ended.
    count: u64,
    /// The mean, in milliseconds; null when there are none.
    average_ms: Option<u64>,
    /// Half of them took no longer; within 2 %.
    p50_ms: Option<u64>,
    /// 95 % of them took no longer; within 2 %.
    p95_ms: Option<u64>,
    /// 99 % of them took no longer; within 2 %.
    p99_ms: Option<u64>,
}

impl DurationView {
    /// Of these figures.
    pub(super) fn new(range: &Range, figures: &Figures) -> Self {
        let (count, durations) = (figures.finished(), figures.run_durations());
        Self {
            range: range.into(),
            count,
            average_ms: figures.run_millis().checked_div(count),
            p50_ms: durations.quantile(0.5),
            p95_ms: durations.quantile(0.95),
            p99_ms: durations.quantile(0.99),
        }
    }
}

/// How many runs ended, and how.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunsCountView {
    #[serde(flatten)]
    range: RangeView,
    /// All of them.
    count: u64,
    /// By status: `completed`, `failed`, `stopped`.
    by_status: BTreeMap<&'static str, u64>,
}

impl RunsCountView {
    /// Of these figures.
    pub(super) fn new(range: &Range, figures: &Figures) -> Self {
        let by_status = ENDS.into_iter().map(|status| (status.as_str(), figures.runs(status))).collect();
        Self { range: range.into(), count: figures.finished(), by_status }
    }
}

/// How many step attempts succeeded.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepsView {
    #[serde(flatten)]
    range: RangeView,
    /// All of them; skipped steps are none, and of loops only their inner steps.
    count: u64,
}

impl StepsView {
    /// Of these figures.
    pub(super) fn new(range: &Range, figures: &Figures) -> Self {
        Self { range: range.into(), count: figures.steps_executed() }
    }
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditsView {
    #[serde(flatten)]
    range: RangeView,
    /// A million of them is a credit.
    microcredits: u64,
}

impl CreditsView {
    /// Of these figures.
    pub(super) fn new(range: &Range, figures: &Figures) -> Self {
        Self { range: range.into(), microcredits: figures.microcredits() }
    }
}

/// What steps were executed, by type.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepsSummaryView {
    #[serde(flatten)]
    range: RangeView,
    /// By type; types of which none was executed are left out.
    steps: Vec<StepTypeView>,
    /// Tokens sent to models.
    tokens_in: u64,
    /// Tokens that models wrote.
    tokens_out: u64,
}

/// Executed steps of a type.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepTypeView {
    /// The type.
    step_type: String,
    /// Attempts that succeeded.
    count: u64,
    /// Half of them took no longer; within 2 %.
    p50_ms: Option<u64>,
    /// 95 % of them took no longer; within 2 %.
    p95_ms: Option<u64>,
    /// Tokens sent to models.
    tokens_in: u64,
    /// Tokens that models wrote.
    tokens_out: u64,
}

impl StepsSummaryView {
    /// Of these figures.
    pub(super) fn new(range: &Range, figures: &Figures) -> Self {
        let of_type = |step_type: &str| {
            let (count, tokens_in, tokens_out) = figures.of_type(step_type);
            let durations = figures.step_durations(step_type);
            StepTypeView {
                step_type: step_type.to_owned(),
                count,
                p50_ms: durations.quantile(0.5),
                p95_ms: durations.quantile(0.95),
                tokens_in,
                tokens_out,
            }
        };
        let (tokens_in, tokens_out) = figures.tokens();
        let steps = figures.step_types().into_iter().map(of_type).collect();
        Self { range: range.into(), steps, tokens_in, tokens_out }
    }
}

/// Runs that ended, over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunsSeriesView {
    #[serde(flatten)]
    range: RangeView,
    /// How long each point lasts.
    granularity: Granularity,
    /// Oldest first, without gaps.
    points: Vec<RunsPoint>,
}

/// Runs that ended in an hour or a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunsPoint {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// All of them.
    count: u64,
    /// Runs that completed.
    completed: u64,
    /// Runs that failed.
    failed: u64,
    /// Runs that somebody stopped.
    stopped: u64,
}

impl RunsSeriesView {
    /// Of these figures.
    pub(super) fn new(range: &Range, series: &[(Timestamp, Figures)]) -> Self {
        let point = |(at, figures): &(Timestamp, Figures)| RunsPoint {
            at: *at,
            count: figures.finished(),
            completed: figures.runs(RunStatus::Completed),
            failed: figures.runs(RunStatus::Failed),
            stopped: figures.runs(RunStatus::Stopped),
        };
        Self {
            range: range.into(),
            granularity: range.granularity(),
            points: series.iter().map(point).collect(),
        }
    }
}

/// What was used, over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageSeriesView {
    #[serde(flatten)]
    range: RangeView,
    /// How long each point lasts.
    granularity: Granularity,
    /// Oldest first, without gaps.
    points: Vec<UsagePoint>,
}

/// What was used in an hour or a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsagePoint {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Step attempts that succeeded.
    steps_executed: u64,
    /// A million of them is a credit.
    microcredits: u64,
    /// Tokens sent to models.
    tokens_in: u64,
    /// Tokens that models wrote.
    tokens_out: u64,
}

impl UsageSeriesView {
    /// Of these figures.
    pub(super) fn new(range: &Range, series: &[(Timestamp, Figures)]) -> Self {
        let point = |(at, figures): &(Timestamp, Figures)| {
            let (tokens_in, tokens_out) = figures.tokens();
            UsagePoint {
                at: *at,
                steps_executed: figures.steps_executed(),
                microcredits: figures.microcredits(),
                tokens_in,
                tokens_out,
            }
        };
        Self {
            range: range.into(),
            granularity: range.granularity(),
            points: series.iter().map(point).collect(),
        }
    }
}
