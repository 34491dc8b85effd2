//! All functions' routes as one service, and the OpenAPI document of all of them.

use axum::Router;
use shared::AppState;
use shared::http::{completed, document, finish};
use utoipa::openapi::OpenApi;

/// Every route of the product.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
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
        .merge(mcp_servers::routes());
    finish(routes, state)
}

/// The description of the routes of each function.
fn functions() -> [OpenApi; 13] {
    [
        onboarding::openapi(),
        workflows::openapi(),
        runs::openapi(),
        tasks::openapi(),
        pats::openapi(),
        llm::openapi(),
        platform_mcp::openapi(),
        analytics::openapi(),
        billing::openapi(),
        connections::openapi(),
        inbound_webhooks::openapi(),
        webhook_ingress::openapi(),
        mcp_servers::openapi(),
    ]
}

/// The description of every route of the product.
pub fn openapi() -> OpenApi {
    let mut whole = document();
    functions().into_iter().for_each(|function| whole.merge(function));
    completed(whole)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_in_the_document_is_of_one_thing() {
        let mut known = BTreeMap::new();
        for function in functions() {
            for (name, schema) in function.components.unwrap_or_default().schemas {
                let schema = serde_json::to_value(schema).unwrap();
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "two functions describe different things as {name}");
            }
        }
        assert!(known.len() > 50);
    }
}
