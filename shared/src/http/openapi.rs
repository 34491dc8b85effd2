//! The frame of the OpenAPI document; the functions' routers fill it.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

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
