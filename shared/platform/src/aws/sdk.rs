//! The clients of AWS's services, each with its time limits and with what it does when an attempt fails.

use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// How long an attempt may take, its connection included. DynamoDB answers in milliseconds, the largest transactions in
/// a fraction of a second: what takes longer has come to a machine that is gone.
const DYNAMODB_ATTEMPT: Duration = Duration::from_secs(3);
#[cfg(feature = "lambda")]
const SECRETS_ATTEMPT: Duration = Duration::from_secs(3);
#[cfg(feature = "lambda")]
const SECRETS_ATTEMPTS: u32 = 3;

/// DynamoDB. The store sends again what was refused, by rules of its own, so that the SDK does not.
pub fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(sdk)
        .retry_config(RetryConfig::disabled())
        .timeout_config(attempt_timeout(DYNAMODB_ATTEMPT));
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// Secrets Manager.
#[cfg(feature = "lambda")]
pub fn secrets_manager(sdk: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::config::Builder::from(sdk)
        .retry_config(RetryConfig::standard().with_max_attempts(SECRETS_ATTEMPTS))
        .timeout_config(attempt_timeout(SECRETS_ATTEMPT));
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

/// Attempts may take so long, their connection included.
pub(crate) fn attempt_timeout(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(attempt).build()
}
