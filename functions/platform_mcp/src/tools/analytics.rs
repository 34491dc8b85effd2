//! Tools that read figures: how a project's runs go, over a range of time.

use shared::api::CanReadAnalytics;

use super::Definition;

/// The tools.
pub const DEFINITIONS: &[Definition] = &[
    figures(
        "analytics_live_runs",
        "Count runs under way",
        "/v1/analytics/live-runs",
        "Counts the project's runs that are not over, by their status, as of now.",
    ),
    figures(
        "analytics_success_rate",
        "Rate of success",
        "/v1/analytics/success-rate",
        "Tells which share of the project's finished runs completed in a range of time; null under three of them.",
    ),
    figures(
        "analytics_execution_duration",
        "How long runs take",
        "/v1/analytics/execution-duration",
        "Tells how long the project's runs took from start to end, in a range of time.",
    ),
    figures(
        "analytics_runs_count",
        "Count runs",
        "/v1/analytics/runs-count",
        "Counts the project's runs in a range of time, by how they ended.",
    ),
    figures(
        "analytics_steps_executed",
        "Count executed steps",
        "/v1/analytics/steps-executed",
        "Counts the steps that the project's runs executed in a range of time.",
    ),
    figures(
        "analytics_credits_consumed",
        "Credits consumed",
        "/v1/analytics/credits-consumed",
        "Sums the credits that the project's runs consumed in a range of time, in microcredits.",
    ),
    figures(
        "analytics_steps_summary",
        "Steps by type",
        "/v1/analytics/steps-summary",
        "Tells by step type how many steps were executed, how long they took (median and 95th percentile) and the \
         tokens they used. Use it to find what is slow or costly.",
    ),
    figures(
        "analytics_runs_timeseries",
        "Runs over time",
        "/v1/analytics/runs-timeseries",
        "Counts the project's runs by hour or day over a range of time.",
    ),
    figures(
        "analytics_usage_timeseries",
        "Usage over time",
        "/v1/analytics/usage-timeseries",
        "Sums the project's steps, credits and tokens by hour or day over a range of time.",
    ),
];

const fn figures(
    name: &'static str,
    title: &'static str,
    path: &'static str,
    description: &'static str,
) -> Definition {
    Definition { allows: CanReadAnalytics::allows, ..Definition::reads(name, title, path, description) }
}
