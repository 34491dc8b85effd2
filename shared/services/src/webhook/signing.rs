//! Signing secrets: `whsec_` and 44 characters of base64, which are 33 random bytes. Senders of the original product
//! take the whole text as their key; libraries of Standard Webhooks take the bytes behind the prefix. A length that
//! needs no padding leaves nothing that they could read differently. In secrets that others have issued the prefix and
//! the padding may be absent, as those libraries allow it.

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{Engine, alphabet};
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;

use types::{Error, Result};

const PREFIX: &str = "whsec_";

/// Reads secrets with their padding or without.
const UNPADDED: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A new secret.
///
/// # Errors
/// When the system gives no randomness.
pub(super) fn generate() -> Result<SecretString> {
    let mut bytes = [0_u8; 33];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Error::internal("no randomness").with_source(error))?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)).into())
}

/// How a secret's text is the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// The whole text, as `openssl dgst -hmac` takes it.
    Text,
    /// The bytes that it has in base64, behind the prefix if there is one, as Standard Webhooks has it.
    Base64,
}

/// With which hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MacKind {
    Sha256,
    /// Twilio's.
    Sha1,
}

impl MacKind {
    /// How many bytes it has.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha1 => 20,
        }
    }

    /// The HMAC of a text; none when the secret is no key of this form.
    pub(crate) fn of(self, form: KeyForm, secret: &SecretString, text: &[u8]) -> Option<Vec<u8>> {
        let secret = secret.expose_secret();
        match form {
            KeyForm::Text => self.with_key(secret.as_bytes(), text),
            KeyForm::Base64 => {
                let key = UNPADDED.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok()?;
                self.with_key(&key, text)
            }
        }
    }

    fn with_key(self, key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
            let mac = <M as KeyInit>::new_from_slice(key).ok()?;
            Some(mac.chain_update(text).finalize().into_bytes().to_vec())
        }
        match self {
            Self::Sha256 => hmac::<Hmac<Sha256>>(key, text),
            Self::Sha1 => hmac::<Hmac<Sha1>>(key, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_plain_text_without_padding_and_each_is_another() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        let text = one.expose_secret();
        assert_eq!(text.len(), 6 + 44);
        assert!(text.starts_with(PREFIX) && !text.contains('='));
        assert_ne!(text, other.expose_secret());
        for form in [KeyForm::Text, KeyForm::Base64] {
            assert!(MacKind::Sha256.of(form, &one, b"").is_some());
        }
        assert!(!format!("{one:?}").contains(&text[6..]));
    }

    #[test]
    fn a_secret_in_base64_needs_no_prefix_and_no_padding() {
        let of = |secret: &str| MacKind::Sha256.of(KeyForm::Base64, &secret.to_owned().into(), b"text");
        let whole = of("whsec_AAECAwQFBgcICQ==");
        assert!(whole.is_some());
        for same in ["AAECAwQFBgcICQ==", "whsec_AAECAwQFBgcICQ", "AAECAwQFBgcICQ"] {
            assert_eq!(of(same), whole, "{same}");
        }
        for none in ["It's a Secret to Everybody", "whsec_not-base64", "whsec_whsec_AAECAwQFBgcICQ"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
