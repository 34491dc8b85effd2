//! The clients of AWS's services, each with its time limits and with what it does when an attempt fails.

use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// How long an attempt may take, its connection included. DynamoDB answers in milliseconds, the largest transactions in
/// a fraction of a second: what takes longer has come to a machine that is gone.
const DYNAMODB_ATTEMPT: Duration = Duration::from_secs(3);
/// A message that is not sent costs a minute at most, because the sweep sends another.
const SQS_ATTEMPT: Duration = Duration::from_secs(2);
const SQS_ATTEMPTS: u32 = 2;
const SECRETS_ATTEMPT: Duration = Duration::from_secs(3);
const SECRETS_ATTEMPTS: u32 = 3;
/// What an attempt to receive may take beyond the time that it waits for messages.
const BEYOND_WAIT: Duration = Duration::from_secs(5);

/// DynamoDB. The store sends again what was refused, by rules of its own, so that the SDK does not.
pub fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(sdk)
        .retry_config(RetryConfig::disabled())
        .timeout_config(attempt_timeout(DYNAMODB_ATTEMPT));
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// SQS.
pub fn sqs(sdk: &SdkConfig) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(sdk)
        .retry_config(RetryConfig::standard().with_max_attempts(SQS_ATTEMPTS))
        .timeout_config(attempt_timeout(SQS_ATTEMPT));
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// Secrets Manager.
pub fn secrets_manager(sdk: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::config::Builder::from(sdk)
        .retry_config(RetryConfig::standard().with_max_attempts(SECRETS_ATTEMPTS))
        .timeout_config(attempt_timeout(SECRETS_ATTEMPT));
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

/// Settings of a request that waits so long for messages.
pub fn long_poll(wait: Duration) -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().timeout_config(attempt_timeout(wait + BEYOND_WAIT))
}

fn attempt_timeout(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(attempt).build()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
    use aws_smithy_runtime_api::client::result::SdkError;
    use aws_types::region::Region;

    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::patience::Patience;
    use crate::store::{Store, StoreError};

    /// Settings for services at a server that takes connections and never answers.
    fn silent() -> (TcpListener, SdkConfig) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-central-1"))
            .endpoint_url(format!("http://{}", server.local_addr().unwrap()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(super::super::http_client());
        (server, config.build())
    }

    #[tokio::test]
    async fn what_does_not_answer_is_given_up_in_seconds() {
        let (_server, config) = silent();
        let begun = Instant::now();
        let sqs = sqs(&config);
        let dynamodb = Store::new(dynamodb(&config), "table", Clock::manual(Timestamp::default()));
        let tenant = "acme".parse().unwrap();
        // Nothing is tried again here; how long that goes on is told elsewhere.
        let impatient = Patience::brief(tokio::time::Instant::now());
        let (sent, read) = tokio::join!(
            sqs.send_message().queue_url("http://queue/q").message_body("{}").send(),
            impatient.around(dynamodb.account(&tenant)),
        );
        assert!(matches!(sent, Err(SdkError::TimeoutError(_))), "{sent:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
