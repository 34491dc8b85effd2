//! The signature on the provider's events: `Stripe-Signature: t=<unix s>,v1=<hex HMAC-SHA256>`, over `<t>.<body>`, as
//! webhooks of Stripe's carry it.

use secrecy::SecretString;

use crate::webhook::{KeyForm, MacKind, Signed};
use store::sender::Sender;
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::{Error, Result, text};

/// What an event carries to show who sent it.
#[derive(Debug)]
pub struct Signature(Signed);

impl Signature {
    /// From the header.
    pub fn read(header: &str) -> Self {
        let named = |name: &str| (name == "stripe-signature").then_some(header);
        Self(Signed::read(Sender::Stripe, named, ""))
    }

    /// Refuses what cannot be the provider's, whatever its body is: no signature, or one that is not of now.
    ///
    /// # Errors
    /// As [`check_event`].
    pub fn precheck(&self, now: Timestamp) -> Result<()> {
        self.0.precheck(now).map_err(|_| invalid())
    }

    /// Whether it is one of this body under one of these secrets, and of now.
    fn is_of(&self, secrets: &[SecretString], body: &[u8], now: Timestamp) -> bool {
        self.0.check(secrets, body, now).is_ok()
    }
}

/// Checks that an event is the provider's, by one of these secrets.
///
/// # Errors
/// Unreadable `INVALID_SIGNATURE`, with the same words whatever is wrong.
pub fn check_event(
    secrets: &[SecretString],
    signature: &Signature,
    body: &[u8],
    now: Timestamp,
) -> Result<()> {
    if signature.is_of(secrets, body, now) {
        return Ok(());
    }
    Err(invalid())
}

fn invalid() -> Error {
    let message = "Stripe-Signature: is not of this body, or not of now.";
    Error::new(Kind::Unreadable, ErrorCode::InvalidSignature, message)
}

/// The header for a body, for senders.
pub fn sign(secret: &SecretString, at: Timestamp, body: &[u8]) -> String {
    let stamp = at.as_seconds();
    let mac = MacKind::Sha256.of(KeyForm::Text, secret, &[format!("{stamp}.").as_bytes(), body].concat());
    format!("t={stamp},v1={}", text::hex(&mac.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn seconds(count: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + count * 1000)
    }

    #[test]
    fn a_signature_of_the_body_and_of_now_is_the_senders() {
        let (one, other): (SecretString, SecretString) = ("whsec_1".into(), "whsec_2".into());
        let secrets = [one.clone(), other.clone()];
        let header = sign(&one, NOW, b"{}");
        let known = "t=1790000000,v1=";
        assert!(header.starts_with(known) && header.len() == known.len() + 64, "{header}");
        let is = |header: &str, body: &[u8], now| Signature::read(header).is_of(&secrets, body, now);
        assert!(is(&header, b"{}", NOW));
        assert!(is(&sign(&other, NOW, b"{}"), b"{}", NOW));
        assert!(is(&header, b"{}", seconds(300)) && is(&header, b"{}", seconds(-300)));
        assert!(!is(&header, b"{}", seconds(301)) && !is(&header, b"{}", seconds(-301)));
        assert!(!is(&header, b"{} ", NOW));
        assert!(!is(&sign(&"whsec_3".into(), NOW, b"{}"), b"{}", NOW));
    }

    #[test]
    fn one_good_signature_among_several_is_enough_and_other_versions_are_none() {
        let secret: SecretString = "whsec_1".into();
        let header = sign(&secret, NOW, b"{}");
        let (stamp, good) = header.split_once(",v1=").unwrap();
        let is = |header: &str| Signature::read(header).is_of(std::slice::from_ref(&secret), b"{}", NOW);
        assert!(is(&format!("{stamp},v1={},v1={good}", "0".repeat(64))));
        for bad in [
            format!("{stamp},v0={good}"),
            format!("v1={good}"),
            format!("t=+1790000000,v1={good}"),
            format!("t=1790000001,v1={good}"),
            stamp.to_owned(),
            String::new(),
        ] {
            assert!(!is(&bad), "{bad}");
        }
        assert!(!Signature::read(&header).is_of(&[], b"{}", NOW));
    }
}
