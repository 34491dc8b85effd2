//! All functions' routes as one service, and the OpenAPI document of all of them.

use axum::Router;
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::router::OpenApiRouter;

fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .merge(onboarding::routes())
        .merge(workflows::routes())
        .merge(runs::routes())
        .merge(tasks::routes())
        .merge(pats::routes())
        .merge(llm::routes())
        .merge(platform_mcp::routes())
        .merge(analytics::routes())
        .merge(billing::routes())
        .merge(connections::routes())
        .merge(inbound_webhooks::routes())
        .merge(webhook_ingress::routes())
        .merge(mcp_servers::routes())
}

/// Every route of the product.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}

/// The description of every route of the product.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
