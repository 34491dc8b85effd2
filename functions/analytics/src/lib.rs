//! How a project's runs go: counts, rates, durations and usage, from counters that were kept while runs finished.

mod credits_consumed;
mod execution_duration;
mod live_runs;
mod query;
mod runs_count;
mod runs_timeseries;
mod steps_executed;
mod steps_summary;
mod success_rate;
mod usage_timeseries;

shared::function! {
    routes!(CanReadAnalytics: live_runs::live_runs),
    routes!(CanReadAnalytics: success_rate::success_rate),
    routes!(CanReadAnalytics: execution_duration::execution_duration),
    routes!(CanReadAnalytics: runs_count::runs_count),
    routes!(CanReadAnalytics: steps_executed::steps_executed),
    routes!(CanReadAnalytics: credits_consumed::credits_consumed),
    routes!(CanReadAnalytics: steps_summary::steps_summary),
    routes!(CanReadAnalytics: runs_timeseries::runs_timeseries),
    routes!(CanReadAnalytics: usage_timeseries::usage_timeseries),
}
