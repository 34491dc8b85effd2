//! Who sends: each known sender signs its deliveries in its own way, and names them in its own way.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use types::{Error, Result, text};

const MIN_SECRET: usize = 8;
const MAX_SECRET: usize = 512;

/// Who sends to a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookSender)]
pub enum Sender {
    /// Scripts, the SDKs, and libraries of Standard Webhooks.
    #[default]
    Generic,
    /// `X-Hub-Signature-256`.
    Github,
    /// `Stripe-Signature`.
    Stripe,
    /// `X-Slack-Signature`.
    Slack,
    /// `X-Shopify-Hmac-Sha256`.
    Shopify,
    /// `X-Twilio-Signature`.
    Twilio,
}

impl Sender {
    /// The sender as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Github => "github",
            Self::Stripe => "stripe",
            Self::Slack => "slack",
            Self::Shopify => "shopify",
            Self::Twilio => "twilio",
        }
    }

    /// Whether its deliveries carry the subscription's token unless its owner decides otherwise: the senders with a
    /// signature of their own cannot send one.
    pub const fn requires_bearer(self) -> bool {
        matches!(self, Self::Generic)
    }

    /// Whether it signs only with secrets that it has issued itself.
    pub const fn issues_secret(self) -> bool {
        matches!(self, Self::Stripe | Self::Slack | Self::Shopify | Self::Twilio)
    }

    /// The headers by which it names a delivery, the first that is there.
    pub const fn id_headers(self) -> &'static [&'static str] {
        match self {
            Self::Generic | Self::Stripe | Self::Slack => &[],
            Self::Github => &["x-github-delivery"],
            Self::Shopify => &["x-shopify-webhook-id", "shopify-webhook-id", "x-shopify-event-id"],
            Self::Twilio => &["i-twilio-idempotency-token"],
        }
    }

    /// The field of the body by which it names a delivery.
    pub fn id_in(self, body: &Map<String, Value>) -> Option<&str> {
        let field = match self {
            Self::Stripe => "id",
            Self::Slack => "event_id",
            Self::Generic | Self::Github | Self::Shopify | Self::Twilio => return None,
        };
        body.get(field)?.as_str().filter(|id| !id.is_empty())
    }

    /// The field of a form that holds the body as JSON.
    pub const fn json_field(self) -> Option<&'static str> {
        match self {
            Self::Github | Self::Slack => Some("payload"),
            Self::Generic | Self::Stripe | Self::Shopify | Self::Twilio => None,
        }
    }

    /// Checks a secret that the sender has issued, and takes what was pasted with it from around it.
    ///
    /// # Errors
    /// Invalid, naming what is wrong, never the secret.
    pub fn check_secret(self, secret: &SecretString) -> Result<SecretString> {
        let text = text::credential("signing_secret", secret.expose_secret())?;
        let invalid = |why: &str| Err(Error::invalid(format!("signing_secret: {why}")));
        if !(MIN_SECRET..=MAX_SECRET).contains(&text.chars().count()) {
            return invalid(&format!("must have {MIN_SECRET} to {MAX_SECRET} characters."));
        }
        if self == Self::Stripe && !text.starts_with("whsec_") {
            return invalid(
                "Stripe's signing secret begins with 'whsec_'; it is shown with the webhook endpoint.",
            );
        }
        Ok(text.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sender: Sender, text: &str) -> Result<String> {
        sender.check_secret(&text.to_owned().into()).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn issued_secrets_are_trimmed_and_checked() {
        assert_eq!(check(Sender::Slack, " 8f742231b10e8888\r\n").unwrap(), "8f742231b10e8888");
        assert_eq!(
            check(Sender::Github, "It's a Secret to Everybody").unwrap(),
            "It's a Secret to Everybody"
        );
        assert_eq!(check(Sender::Stripe, "whsec_12345678").unwrap(), "whsec_12345678");
        let long = "x".repeat(513);
        for (sender, bad) in [
            (Sender::Github, ""),
            (Sender::Github, " \n"),
            (Sender::Github, "1234567"),
            (Sender::Github, "two\nlines of it"),
            (Sender::Github, long.as_str()),
            (Sender::Stripe, "sk_live_12345678"),
        ] {
            let error = check(sender, bad).unwrap_err();
            assert!(error.message.starts_with("signing_secret:"), "{error:?}");
            assert!(bad.trim().is_empty() || !error.message.contains(bad), "{error:?}");
        }
    }

    #[test]
    fn names_are_those_that_are_read() {
        for sender in
            [Sender::Generic, Sender::Github, Sender::Stripe, Sender::Slack, Sender::Shopify, Sender::Twilio]
        {
            assert_eq!(serde_json::to_value(sender).unwrap(), sender.as_str());
        }
    }
}
