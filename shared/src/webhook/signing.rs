//! Signing secrets: `whsec_` and 44 characters of base64, which are 33 random bytes. Senders of the original product
//! take the whole text as their key; libraries of Standard Webhooks take the bytes behind the prefix. A length that
//! needs no padding leaves nothing that they could read differently.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit};
use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::{Error, Result};

const PREFIX: &str = "whsec_";

/// HMAC-SHA256 under some key.
pub(super) type Mac256 = Hmac<Sha256>;

/// A new secret.
///
/// # Errors
/// When the system gives no randomness.
pub(super) fn generate() -> Result<SecretString> {
    let mut bytes = [0_u8; 33];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Error::internal(format!("no randomness: {error}")))?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)).into())
}

/// With the whole text as the key, as `openssl dgst -hmac` takes it.
pub(super) fn of_text(secret: &SecretString) -> Option<Mac256> {
    Mac256::new_from_slice(secret.expose_secret().as_bytes()).ok()
}

/// With the bytes behind the prefix as the key, as Standard Webhooks has it.
pub(super) fn of_bytes(secret: &SecretString) -> Option<Mac256> {
    let encoded = secret.expose_secret().strip_prefix(PREFIX)?;
    Mac256::new_from_slice(&STANDARD.decode(encoded).ok()?).ok()
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
        assert!(of_text(&one).is_some() && of_bytes(&one).is_some());
        assert!(!format!("{one:?}").contains(&text[6..]));
    }
}
