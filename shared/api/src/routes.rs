//! A function's routes, which are listed once and serve or are described: a function that starts on Lambda makes no OpenAPI
//! document, which would be a third of its start, and has none of it in its program.

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use utoipa::openapi::{HttpMethod, OpenApi};
use utoipa_axum::PathItemExt;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::layers::guard;
use super::openapi::document;
use super::permit::{Access, Shows};
use services::state::AppState;

/// What becomes of routes: a [`Router`] that serves them, or the [`OpenApi`] document that describes them.
pub trait Routes {
    /// Without routes.
    fn none() -> Self;

    /// With a path's handlers, which the macro [`routes!`](crate::routes) names.
    #[must_use]
    fn with(self, route: Route<impl FnOnce() -> UtoipaMethodRouter<AppState>>) -> Self;
}

/// A function's routes, and their description.
pub type Function = (fn() -> Router<AppState>, fn() -> OpenApi);

/// The routes of these functions.
pub fn served(functions: &[Function]) -> Router<AppState> {
    functions.iter().fold(Router::new(), |whole, (routes, _)| whole.merge(routes()))
}

/// The description of their routes.
pub fn described(functions: &[Function]) -> OpenApi {
    functions.iter().fold(document(), |whole, (_, openapi)| whole.merge_from(openapi()))
}

/// The handlers of a path.
#[derive(Debug)]
pub struct Route<D> {
    path: String,
    handlers: MethodRouter<AppState>,
    describe: D,
}

impl<D: FnOnce() -> UtoipaMethodRouter<AppState>> Route<D> {
    /// For the macro [`routes!`](crate::routes), with each handler's path.
    pub fn new(paths: &[String], handlers: Vec<MethodRouter<AppState>>, describe: D) -> Self {
        let path = paths.first().cloned().unwrap_or_default();
        debug_assert!(paths.iter().all(|other| *other == path), "handlers of several paths: {paths:?}");
        Self { path, handlers: merged(handlers), describe }
    }
}

fn merged(handlers: Vec<MethodRouter<AppState>>) -> MethodRouter<AppState> {
    handlers.into_iter().fold(MethodRouter::new(), MethodRouter::merge)
}

/// For the macro [`routes!`](crate::routes): a handler behind the layers that check what it is registered as.
pub fn guarded<P: Access, H, T>(methods: Vec<HttpMethod>, handler: &H) -> MethodRouter<AppState>
where
    H: Handler<T, AppState>,
    T: Shows<P> + 'static,
{
    let on = |handlers: MethodRouter<AppState>, method: HttpMethod| {
        handlers.on(method.to_method_filter(), handler.clone())
    };
    let handlers = methods.into_iter().fold(MethodRouter::new(), on);
    match P::NEEDS {
        Some(needs) => guard(handlers, needs),
        None => handlers,
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

/// A path's handlers for [`Routes::with`], each behind the permission that it asks for:
/// `routes!(CanRead: list::list_workflows, CanWrite: create::create_workflow)`. Each has `#[utoipa::path]`, and all have the
/// same path. A handler without a permission in its signature is [`Open`](crate::Open).
#[macro_export]
macro_rules! routes {
    ($($access:ident: $($handler:ident)::+),+ $(,)?) => {{
        let handlers = vec![$(
            $crate::guarded::<$crate::$access, _, _>(
                $crate::utoipa_axum::routes!(@path [methods()] of $($handler)::+),
                &$($handler)::+,
            )
        ),+];
        let paths = [$($crate::utoipa_axum::routes!(@path [path()] of $($handler)::+)),+];
        $crate::Route::new(&paths, handlers, || $crate::utoipa_axum::routes!($($($handler)::+),+))
    }};
}

/// What a function's library has in common with all others: `function! { routes!(CanRead: list::list_runs), … }` makes `routes`,
/// `openapi` and `router` of its routes.
#[macro_export]
macro_rules! function {
    ($(routes!($($handlers:tt)+)),+ $(,)?) => {
        fn collect<R: $crate::Routes>() -> R {
            R::none()$(.with($crate::routes!($($handlers)+)))+
        }

        /// The routes.
        pub fn routes() -> $crate::StateRouter {
            collect()
        }

        /// Their description.
        pub fn openapi() -> utoipa::openapi::OpenApi {
            collect()
        }

        /// The function as a service.
        pub fn router(state: $crate::State) -> axum::Router {
            $crate::finish(routes(), state)
        }
    };
}

/// The program of a function that answers HTTP, by its router: `function_main!(runs::router);`.
#[macro_export]
macro_rules! function_main {
    ($router:path) => {
        fn main() -> Result<(), lambda_http::Error> {
            $crate::run(|state| lambda_http::run($router(state)))
        }
    };
}

/// What all handlers of a process share.
pub type State = AppState;
/// Routes that still need it.
pub type StateRouter = Router<AppState>;

/// Carries a function's process out: starts its log, and gives `serve` the state around the clients of the AWS account
/// that the environment names. One thread does, as a function has one request at a time.
///
/// # Errors
/// Those of `serve`, and when the process gets no runtime.
#[cfg(feature = "lambda")]
pub fn run<E: From<std::io::Error>, F: Future<Output = Result<(), E>>>(
    serve: impl FnOnce(State) -> F,
) -> Result<(), E> {
    platform::telemetry::init("info");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { serve(AppState::from_env()).await })
}
