//! Logs: one JSON object a line, with the ids of the request, tenant, run and step that it is about.

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// What is logged of libraries at most, whatever the configuration asks for: rmcp writes down what servers say, and the
/// others below `info` whole requests and addresses, with the credentials in them.
const CAPS: [(&str, LevelFilter); 11] = [
    ("rmcp", LevelFilter::OFF),
    ("aws_config", LevelFilter::INFO),
    ("aws_runtime", LevelFilter::INFO),
    ("aws_sdk", LevelFilter::INFO),
    ("aws_sigv4", LevelFilter::INFO),
    ("aws_smithy", LevelFilter::INFO),
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("reqwest", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
    ("sse_stream", LevelFilter::OFF),
];

/// Whether something of a library, or of us, may be logged at this level.
fn is_under_cap(target: &str, level: Level) -> bool {
    CAPS.iter().all(|(prefix, cap)| !target.starts_with(prefix) || level <= *cap)
}

/// Starts logging to standard error, at the level of `LOG_LEVEL` or else at `default`: a level, or levels by module
/// (`warn,worker=debug`). A second call changes nothing.
pub fn init(default: &str) {
    use tracing_subscriber::util::SubscriberInitExt;
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| default.to_owned());
    // The SDK's own subscriber, or a test's, may be there first.
    let _ = lines(&level, default, std::io::stderr).try_init();
}

/// What is logged at this level, or at the default where it cannot be read, as lines for this writer. Each has the ids
/// of what it is about in its `spans`: a request's (`request_id`, `tenant_id`, `run_id`, `trace_id`) or a message's
/// (`message_id` instead of the first), and within the latter a step's (`step_id`, `attempt_key`).
pub fn lines<W>(level: &str, default: &str, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // Not `EnvFilter`, which can tell spans by their fields and brings regular expressions for it.
    let levels = |text: &str| text.parse::<Targets>().ok();
    let levels = levels(level).or_else(|| levels(default)).unwrap_or_default();
    let capped = filter_fn(|metadata| is_under_cap(metadata.target(), *metadata.level()));
    let all = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::TRACE);
    all.with_writer(writer).finish().with(levels).with(capped)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn rmcp_is_never_logged_whatever_the_level() {
        for level in
            ["info", "trace", "rmcp=trace", "trace,rmcp=trace,rmcp::transport::worker=trace", "nonsense=="]
        {
            let sink = Sink::default();
            let writer = sink.clone();
            tracing::subscriber::with_default(lines(level, "info", move || writer.clone()), || {
                tracing::error!(target: "rmcp::transport::worker", "s3cret");
                tracing::info!(target: "rmcp::service", "s3cret");
                tracing::trace!(target: "reqwest::async_impl::client", "s3cret");
                tracing::debug!(target: "hyper_util::client", "s3cret");
                tracing::debug!(target: "aws_smithy_runtime::client", "s3cret");
                tracing::error!(target: "rmcp", "s3cret");
                tracing::error!("ours");
            });
            let logged = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
            assert!(!logged.contains("s3cret"), "{level}: {logged}");
            assert_eq!(logged.contains("ours"), !level.starts_with("rmcp"), "{level}: {logged}");
        }
    }
}
