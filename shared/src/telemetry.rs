//! Logs: one JSON object a line, with the ids of the request, tenant, run and step that it is about.

use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// Libraries whose own debug output would drown ours.
const QUIET: &str = "aws_runtime=info,aws_sdk_dynamodb=info,aws_sdk_secretsmanager=info,\
                     aws_sdk_sqs=info,aws_smithy_runtime=info,\
                     aws_smithy_runtime_api=info,hyper=info,hyper_util=info,reqwest=info,rustls=info";

/// What is never logged: this library writes down whole messages with the headers they came with, and warns of each
/// mistake of a caller.
const SILENT: &str = "rmcp=error";

/// Starts logging to standard error, at the level of `LOG_LEVEL` or else at `default`: a level, or levels by module
/// (`warn,run_step_worker=debug`). A second call changes nothing.
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
    let directives = match level {
        "debug" | "trace" => format!("{level},{QUIET},{SILENT}"),
        _ => format!("{level},{SILENT}"),
    };
    // Not `EnvFilter`, which can tell spans by their fields and brings regular expressions for it.
    let levels = |text: &str| text.parse::<Targets>().ok();
    let levels = levels(&directives).or_else(|| levels(default)).unwrap_or_default();
    let all = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::TRACE);
    all.with_writer(writer).finish().with(levels)
}
