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
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(live_runs::live_runs))
        .with(routes!(success_rate::success_rate))
        .with(routes!(execution_duration::execution_duration))
        .with(routes!(runs_count::runs_count))
        .with(routes!(steps_executed::steps_executed))
        .with(routes!(credits_consumed::credits_consumed))
        .with(routes!(steps_summary::steps_summary))
        .with(routes!(runs_timeseries::runs_timeseries))
        .with(routes!(usage_timeseries::usage_timeseries))
}

/// The routes.
pub fn routes() -> Router<AppState> {
    collect()
}

/// Their description.
pub fn openapi() -> OpenApi {
    collect()
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes(), state)
}
