//! Providers of models, and the names that graphs give to models.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most characters of a model's name: an ARN of Bedrock fits.
const LONGEST_MODEL: usize = 512;

/// Who serves a model.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// OpenAI.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google, with an API key of Gemini.
    Google,
    /// AWS Bedrock.
    Bedrock,
    /// Whoever speaks OpenAI's chat completions: vLLM, Ollama, gateways.
    OpenaiCompatible,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Openai, Self::Anthropic, Self::Google, Self::Bedrock, Self::OpenaiCompatible];

    /// The provider as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Google => "google",
            Self::Bedrock => "bedrock",
            Self::OpenaiCompatible => "openai_compatible",
        }
    }

    /// The provider written as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == text)
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Openai => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Google => "Google",
            Self::Bedrock => "Bedrock",
            Self::OpenaiCompatible => "OpenAI-compatible server",
        }
    }

    /// Where it answers when a key does not say: Bedrock's depends on the region, and whatever is compatible is
    /// somewhere.
    pub const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::Google => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Bedrock | Self::OpenaiCompatible => None,
        }
    }

    /// The names of all of them, for messages.
    pub fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `direct.<provider>.<model>`; the model is the provider's own name for it and may hold dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    /// Who serves it.
    pub provider: Provider,
    /// The provider's name for it.
    pub model: String,
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "direct.{}.{}", self.provider, self.model)
    }
}

/// Why a text is no [`ModelRef`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadModelRef {
    /// It has another form.
    #[error("a model_ref has the form direct.<provider>.<model>")]
    Form,
    /// There is no such provider.
    #[error("there is no provider {0:?}")]
    Provider(String),
    /// The model cannot be a name.
    #[error("the model must be 1 to {LONGEST_MODEL} characters without spaces")]
    Model,
}

impl BadModelRef {
    /// What would mend it.
    pub fn suggestion(&self) -> String {
        match self {
            Self::Form => "write for example direct.openai.gpt-4.1".to_owned(),
            Self::Provider(_) => format!("use one of {}", Provider::names()),
            Self::Model => "write the provider's own name of the model".to_owned(),
        }
    }
}

impl FromStr for ModelRef {
    type Err = BadModelRef;

    fn from_str(text: &str) -> Result<Self, BadModelRef> {
        let (provider, model) =
            text.strip_prefix("direct.").and_then(|rest| rest.split_once('.')).ok_or(BadModelRef::Form)?;
        let known = Provider::parse(provider);
        let provider = known.ok_or_else(|| BadModelRef::Provider(provider.chars().take(64).collect()))?;
        check_model(model)?;
        Ok(Self { provider, model: model.to_owned() })
    }
}

/// Whether a text can be a model's name.
///
/// # Errors
/// When it cannot.
pub fn check_model(model: &str) -> Result<(), BadModelRef> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    match (1..=LONGEST_MODEL).contains(&model.chars().count()) && model.chars().all(plain) {
        true => Ok(()),
        false => Err(BadModelRef::Model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_ref_names_a_provider_and_its_model_which_may_hold_dots() {
        for (text, provider, model) in [
            ("direct.openai.gpt-4.1", Provider::Openai, "gpt-4.1"),
            (
                "direct.bedrock.anthropic.claude-3-haiku-20240307-v1:0",
                Provider::Bedrock,
                "anthropic.claude-3-haiku-20240307-v1:0",
            ),
            (
                "direct.openai_compatible.meta-llama/Llama-3.3",
                Provider::OpenaiCompatible,
                "meta-llama/Llama-3.3",
            ),
        ] {
            let read: ModelRef = text.parse().unwrap();
            assert_eq!((read.provider, read.model.as_str()), (provider, model));
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_model_ref_says_what_is_missing() {
        for text in ["", "gpt-4.1", "openai.gpt-4.1", "direct.openai", "indirect.openai.gpt"] {
            assert_eq!(text.parse::<ModelRef>(), Err(BadModelRef::Form), "{text}");
        }
        let unknown = "direct.opnai.gpt-4.1".parse::<ModelRef>().unwrap_err();
        assert_eq!(unknown, BadModelRef::Provider("opnai".to_owned()));
        assert!(unknown.suggestion().contains("openai_compatible"));
        for text in ["direct.openai.", "direct.openai.a b", "direct.openai.a\n"] {
            assert_eq!(text.parse::<ModelRef>(), Err(BadModelRef::Model), "{text:?}");
        }
    }
}
