//! A function's routes, which are listed once and serve or are described: a function that starts on Lambda makes no OpenAPI
//! document, which would be a third of its start, and has none of it in its program.

use axum::Router;
use axum::routing::MethodRouter;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::openapi::document;
use crate::state::AppState;

/// What becomes of routes: a [`Router`] that serves them, or the [`OpenApi`] document that describes them.
pub trait Routes {
    /// Without routes.
    fn none() -> Self;

    /// With a path's handlers, which the macro [`routes!`](crate::routes) names.
    #[must_use]
    fn with(self, route: Route<impl FnOnce() -> UtoipaMethodRouter<AppState>>) -> Self;
}

/// The handlers of a path.
#[derive(Debug)]
pub struct Route<D> {
    path: String,
    handlers: MethodRouter<AppState>,
    describe: D,
}

impl<D: FnOnce() -> UtoipaMethodRouter<AppState>> Route<D> {
    /// For the macro [`routes!`](crate::routes).
    pub const fn new(path: String, handlers: MethodRouter<AppState>, describe: D) -> Self {
        Self { path, handlers, describe }
    }
}

impl Routes for Router<AppState> {
    fn none() -> Self {
        Self::new()
    }

    fn with(self, route: Route<impl FnOnce() -> UtoipaMethodRouter<AppState>>) -> Self {
        self.route(&route.path, route.handlers)
    }
}

impl Routes for OpenApi {
    fn none() -> Self {
        document()
    }

    fn with(self, route: Route<impl FnOnce() -> UtoipaMethodRouter<AppState>>) -> Self {
        OpenApiRouter::with_openapi(self).routes((route.describe)()).into_openapi()
    }
}

/// A path's handlers for [`Routes::with`]: `routes!(list::list_runs, create::create_run)`. Each has `#[utoipa::path]`, and all
/// have the same path.
#[macro_export]
macro_rules! routes {
    ($($($handler:ident)::+),+ $(,)?) => {{
        use $crate::http::utoipa_axum::PathItemExt;
        let handlers = axum::routing::MethodRouter::new();
        $(
            let path = $crate::http::utoipa_axum::routes!(@path [path()] of $($handler)::+);
            let handlers = $crate::http::utoipa_axum::routes!(@path [methods()] of $($handler)::+)
                .into_iter()
                .fold(handlers, |handlers, method| handlers.on(method.to_method_filter(), $($handler)::+));
        )+
        $crate::http::Route::new(path, handlers, || $crate::http::utoipa_axum::routes!($($($handler)::+),+))
    }};
}
