//! Logs: one JSON object a line, with the ids of the request, tenant, run and step that it is about.

use tracing_subscriber::EnvFilter;

/// Libraries whose own debug output would drown ours.
const QUIET: &str = "aws_config=info,aws_runtime=info,aws_sdk_dynamodb=info,aws_sdk_secretsmanager=info,\
                     aws_sdk_sqs=info,aws_smithy_http_client=info,aws_smithy_runtime=info,\
                     aws_smithy_runtime_api=info,h2=info,hyper=info,hyper_util=info,rustls=info";

/// What is never logged: this library writes down whole messages with the headers they came with, and warns of each
/// mistake of a caller.
const SILENT: &str = "rmcp=error";

/// Starts logging to standard error, at the level of `LOG_LEVEL` or else at `default`: a level, or directives as
/// `tracing` knows them (`warn,run_step_worker=debug`). A second call changes nothing.
pub fn init(default: &str) {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| default.to_owned());
    let directives = match level.as_str() {
        "debug" | "trace" => format!("{level},{QUIET},{SILENT}"),
        _ => format!("{level},{SILENT}"),
    };
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter);
    // The SDK's own subscriber, or a test's, may be there first.
    let _ = subscriber.with_writer(std::io::stderr).try_init();
}
