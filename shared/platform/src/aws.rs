//! AWS as functions reach it: by the settings and credentials that Lambda puts into their environment.
//!
//! `aws-config` would look in files, at metadata services and at STS as well, and the SDK's own HTTP client speaks HTTP/2, to
//! services that are content with less: both together were a tenth of each function and more of its start.

mod call;
mod client;
mod sdk;

pub use call::Call;
pub use client::{http_client, https_client_builder};
#[cfg(feature = "lambda")]
pub(crate) use sdk::attempt_timeout;
pub use sdk::dynamodb;
#[cfg(feature = "lambda")]
pub use sdk::secrets_manager;

use std::env;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// What the SDK's clients are told: the region, the credentials, and where services are (`AWS_ENDPOINT_URL`,
/// `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`), when that is not the usual place.
pub fn sdk_config() -> SdkConfig {
    let is_true = |name| text(name).map(|text| text.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(text("AWS_REGION").map(Region::new))
        .service_config(Environment)
        .http_client(http_client());
    config.set_endpoint_url(text("AWS_ENDPOINT_URL"));
    config.set_use_fips(is_true("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"));
    config.set_credentials_provider(credentials().map(SharedCredentialsProvider::new));
    config.build()
}

/// The credentials of the function's role; an environment ends before they do.
pub fn credentials() -> Option<Credentials> {
    let (id, secret) = (text("AWS_ACCESS_KEY_ID")?, text("AWS_SECRET_ACCESS_KEY")?);
    Some(Credentials::new(id, secret, text("AWS_SESSION_TOKEN"), None, "environment"))
}

/// Settings of one service.
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        text(&variable(key.env(), key.service_id()))
    }
}

/// The variable that holds a setting for one service, as the SDKs name it.
fn variable(setting: &str, service_id: &str) -> String {
    format!("{setting}_{}", service_id.to_uppercase().replace(' ', "_"))
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_setting_has_a_variable_of_its_own() {
        assert_eq!(variable("AWS_ENDPOINT_URL", "Secrets Manager"), "AWS_ENDPOINT_URL_SECRETS_MANAGER");
        assert_eq!(variable("AWS_ENDPOINT_URL", "DynamoDB"), "AWS_ENDPOINT_URL_DYNAMODB");
    }
}
