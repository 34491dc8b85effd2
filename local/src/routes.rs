//! All functions' routes as one service, and the OpenAPI document of all of them.

use axum::Router;
use platform_mcp::Api;
use shared::AppState;
use shared::api::{Function, completed, described, finish, served};
use utoipa::openapi::OpenApi;

/// Each function's routes and their description, but for the one whose tools call the others.
const FUNCTIONS: [Function; 12] = [
    (onboarding::routes, onboarding::openapi),
    (workflows::routes, workflows::openapi),
    (runs::routes, runs::openapi),
    (tasks::routes, tasks::openapi),
    (pats::routes, pats::openapi),
    (llm::routes, llm::openapi),
    (analytics::routes, analytics::openapi),
    (billing_routes::routes, billing_routes::openapi),
    (connections::routes, connections::openapi),
    (inbound_webhooks::routes, inbound_webhooks::openapi),
    (webhook_ingress::routes, webhook_ingress::openapi),
    (mcp_servers::routes, mcp_servers::openapi),
];

/// Every route of the product.
pub fn router(state: AppState) -> Router {
    let api = Api::within(finish(served(&FUNCTIONS), state.clone()));
    finish(served(&FUNCTIONS).merge(platform_mcp::routes(api)), state)
}

/// The description of every route of the product.
pub fn openapi() -> OpenApi {
    completed(described(&FUNCTIONS).merge_from(platform_mcp::openapi()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_in_the_document_is_of_one_thing() {
        let mut known = BTreeMap::new();
        let described = FUNCTIONS.map(|(_, openapi)| openapi());
        for openapi in described.into_iter().chain([platform_mcp::openapi()]) {
            for (name, schema) in openapi.components.unwrap_or_default().schemas {
                let schema = serde_json::to_value(schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "two functions describe different things as {name}");
            }
        }
        assert!(known.len() > 50);
    }
}
