//! A table that does not answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::{Store, StoreError};
use platform::aws::{dynamodb, http_client};
use platform::patience::Patience;
use types::clock::{Clock, Timestamp};

/// Settings for services at a server that takes connections and never answers.
fn silent() -> (TcpListener, SdkConfig) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let credentials = Credentials::new("id", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-central-1"))
        .endpoint_url(format!("http://{}", server.local_addr().unwrap()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client());
    (server, config.build())
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_given_up_in_seconds() {
    let (_server, config) = silent();
    let begun = Instant::now();
    let dynamodb = Store::new(dynamodb(&config), "table", Clock::manual(Timestamp::default()));
    let tenant = "acme".parse().unwrap();
    // Nothing is tried again here; how long that goes on is told elsewhere.
    let impatient = Patience::brief(tokio::time::Instant::now());
    let read = impatient.around(dynamodb.account(&tenant)).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
