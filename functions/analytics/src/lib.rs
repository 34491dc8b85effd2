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

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(live_runs::live_runs))
        .routes(routes!(success_rate::success_rate))
        .routes(routes!(execution_duration::execution_duration))
        .routes(routes!(runs_count::runs_count))
        .routes(routes!(steps_executed::steps_executed))
        .routes(routes!(credits_consumed::credits_consumed))
        .routes(routes!(steps_summary::steps_summary))
        .routes(routes!(runs_timeseries::runs_timeseries))
        .routes(routes!(usage_timeseries::usage_timeseries))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
