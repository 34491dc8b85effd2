//! Where and with what a provider is called, as callers send it.

use secrecy::SecretString;
use serde::Deserialize;
use shared::services::llm::manage::GivenAccess;
use shared::types::text::secret;
use utoipa::ToSchema;

/// Where and with what a provider is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// The key: of OpenAI, Anthropic, Google, Bedrock (a Bedrock API key), or of a compatible server that asks for
    /// one.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, max_length = 8192)]
    pub api_key: Option<SecretString>,
    /// For Bedrock instead of `api_key`: the id of an access key.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    pub access_key_id: Option<SecretString>,
    /// The access key.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    pub secret_access_key: Option<SecretString>,
    /// With temporary access keys.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    pub session_token: Option<SecretString>,
    /// Where the provider answers: required for `openai_compatible`, such as `http://localhost:11434/v1`; otherwise
    /// instead of its usual address.
    #[schema(max_length = 2048, example = "https://llm.example.com/v1")]
    pub base_url: Option<String>,
    /// Bedrock's region; required there.
    #[schema(example = "eu-central-1")]
    pub region: Option<String>,
    /// The organization that OpenAI is to bill.
    pub organization: Option<String>,
}

impl From<Values> for GivenAccess {
    fn from(values: Values) -> Self {
        let Values {
            api_key,
            access_key_id,
            secret_access_key,
            session_token,
            base_url,
            region,
            organization,
        } = values;
        Self { api_key, access_key_id, secret_access_key, session_token, base_url, region, organization }
    }
}
