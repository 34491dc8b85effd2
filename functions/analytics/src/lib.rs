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
    routes!(live_runs::live_runs),
    routes!(success_rate::success_rate),
    routes!(execution_duration::execution_duration),
    routes!(runs_count::runs_count),
    routes!(steps_executed::steps_executed),
    routes!(credits_consumed::credits_consumed),
    routes!(steps_summary::steps_summary),
    routes!(runs_timeseries::runs_timeseries),
    routes!(usage_timeseries::usage_timeseries),
}
