//! Logs: one JSON object a line, with the ids of the request, tenant, run and step that it is about.

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error, at the level of `LOG_LEVEL` or else at `default`. A second call changes
/// nothing.
pub fn init(default: &str) {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter);
    // The SDK's own subscriber, or a test's, may be there first.
    let _ = subscriber.with_writer(std::io::stderr).try_init();
}
