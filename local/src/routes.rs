//! All functions' routes as one service, and the OpenAPI document of all of them.

use axum::Router;
use shared::AppState;
use shared::http::{completed, document, finish};
use utoipa_axum::router::OpenApiRouter;

/// The routes of each function.
fn functions() -> [OpenApiRouter<AppState>; 13] {
    [
        onboarding::routes(),
        workflows::routes(),
        runs::routes(),
        tasks::routes(),
        pats::routes(),
        llm::routes(),
        platform_mcp::routes(),
        analytics::routes(),
        billing::routes(),
        connections::routes(),
        inbound_webhooks::routes(),
        webhook_ingress::routes(),
        mcp_servers::routes(),
    ]
}

fn routes() -> OpenApiRouter<AppState> {
    functions().into_iter().fold(OpenApiRouter::with_openapi(document()), OpenApiRouter::merge)
}

/// Every route of the product.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}

/// The description of every route of the product.
pub fn openapi() -> utoipa::openapi::OpenApi {
    completed(routes().into_openapi())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_in_the_document_is_of_one_thing() {
        let mut known = BTreeMap::new();
        for function in functions() {
            let schemas = function.into_openapi().components.unwrap_or_default().schemas;
            for (name, schema) in schemas {
                let schema = serde_json::to_value(schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "two functions describe different things as {name}");
            }
        }
        assert!(known.len() > 50);
    }
}
