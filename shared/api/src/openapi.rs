//! The frame of the OpenAPI document; the functions' routers fill it.

use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Content, RefOr, Required, Schema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "AgentRuntime on Lambda",
        description = "Workflows of steps for AI agents: describe them, publish versions, start runs, read what \
                       happened.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("pat" = []))
)]
struct Frame;

/// A document without routes, for functions to add theirs to.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let pat = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("pat_…").build();
    document.components.get_or_insert_default().add_security_scheme("pat", SecurityScheme::Http(pat));
    document
}

/// The document of all routes, with what their handlers share and no annotation says: an absent body reads as `{}`, so
/// that a body whose fields are all optional is optional itself.
pub fn completed(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = document.components.take().unwrap_or_default();
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.post, &mut item.put, &mut item.patch].into_iter().flatten() {
            relax_body(operation, &components);
        }
    }
    document.components = Some(components);
    document
}

fn relax_body(operation: &mut Operation, components: &Components) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let names_it = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(named)), .. }) => {
            named.ref_location.rsplit('/').next().map(str::to_owned)
        }
        _ => None,
    };
    let needs_nothing = |name: String| match components.schemas.get(&name) {
        Some(RefOr::T(Schema::Object(object))) => object.required.is_empty(),
        _ => false,
    };
    if body.content.values().all(|content| names_it(content).is_some_and(needs_nothing)) {
        body.required = Some(Required::False);
    }
}
