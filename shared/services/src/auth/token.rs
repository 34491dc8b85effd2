//! Personal access tokens as text: `pat_`, 32 hexadecimal digits of the id, 43 characters of base64url secret
//! (256 bits), 6 characters of checksum. The prefix and the checksum let secret scanners find a token and let
//! us refuse a mistyped one without a look-up; the id finds the row in one read; only a keyed hash of the
//! secret is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use types::ids::PatId;
use types::{Error, text};

const PREFIX: &str = "pat_";
const ID: usize = 32;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;

/// A whole token. It can be shown once, on purpose, and not printed by accident.
#[derive(Debug, Clone)]
pub struct PlainToken {
    id: PatId,
    text: SecretString,
}

impl PlainToken {
    /// A new token for this id.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(id: PatId) -> Result<Self, Error> {
        let mut secret = [0_u8; 32];
        rand::rngs::SysRng
            .try_fill_bytes(&mut secret)
            .map_err(|error| Error::internal("no randomness").with_source(error))?;
        let body = format!("{PREFIX}{}{}", id.to_hex(), URL_SAFE_NO_PAD.encode(secret));
        let text = format!("{body}{}", checksum(&body)).into();
        Ok(Self { id, text })
    }

    /// Reads a token; none when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != PREFIX.len() + ID + SECRET + CHECKSUM
            || !text.is_ascii()
            || !text.starts_with(PREFIX)
        {
            return None;
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM);
        if checksum(body) != sum {
            return None;
        }
        let id = PatId::from_hex(body.get(PREFIX.len()..PREFIX.len() + ID)?)?;
        Some(Self { id, text: text.to_owned().into() })
    }

    /// The public part.
    pub fn id(&self) -> PatId {
        self.id
    }

    /// Its last four characters, by which its owner knows it again; they belong to the checksum.
    pub fn hint(&self) -> String {
        let text = self.text.expose_secret();
        format!("{PREFIX}…{}", text.get(text.len().saturating_sub(4)..).unwrap_or_default())
    }

    /// The token, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        self.text.expose_secret()
    }
}

fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest[..5]).chars().take(CHECKSUM).collect()
}

/// The deployment's key for hashing tokens; it lives in the secret store.
#[derive(Debug, Clone)]
pub struct TokenKey(SecretString);

impl TokenKey {
    /// The key as the secret store holds it.
    pub fn new(key: SecretString) -> Self {
        Self(key)
    }

    /// The hash that is kept of a token, in hexadecimal.
    pub fn hash(&self, token: &PlainToken) -> String {
        self.hex(token.reveal())
    }

    /// Whether this is the token of which `hash` was kept; takes the same time whatever differs.
    pub fn matches(&self, token: &PlainToken, hash: &str) -> bool {
        self.matches_text(token.reveal(), hash)
    }

    /// Whether a text, which may be anything, is the token of which `hash` was kept; takes the same time for each
    /// text of its length.
    pub fn matches_text(&self, text: &str, hash: &str) -> bool {
        self.hex(text).as_bytes().ct_eq(hash.as_bytes()).into()
    }

    /// Whether two texts are equal, in a time that tells nothing about either: their keyed hashes are compared.
    pub fn same(&self, one: &str, other: &str) -> bool {
        self.mac(one).ct_eq(&self.mac(other)).into()
    }

    /// A keyed hash of several parts, in hexadecimal: equal for equal parts, and nobody without the key can guess
    /// at what they were.
    pub fn digest(&self, label: &str, parts: &[&[u8]]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return String::new();
        };
        for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&part.len().to_be_bytes());
            mac.update(part);
        }
        text::hex(&mac.finalize().into_bytes())
    }

    fn hex(&self, text: &str) -> String {
        text::hex(&self.mac(text))
    }

    pub(super) fn mac(&self, text: &str) -> [u8; 32] {
        // HMAC takes keys of every length, so this cannot fail; an empty answer would match nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return [0; 32];
        };
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::clock::Timestamp;

    fn token() -> PlainToken {
        PlainToken::generate(PatId::new(Timestamp::from_millis(1))).unwrap()
    }

    #[test]
    fn a_token_reads_back_and_a_mistyped_one_does_not() {
        let token = token();
        let text = token.reveal().to_owned();
        assert_eq!(PlainToken::parse(&text).unwrap().id(), token.id());
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            assert!(PlainToken::parse(&String::from_utf8(bytes).unwrap()).is_none(), "changed at {at}");
        }
        for bad in ["", "pat_", "Bearer", &text[1..], &format!("{text}a"), &"ä".repeat(42)] {
            assert!(PlainToken::parse(bad).is_none());
        }
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let token = token();
        assert!(!format!("{token:?}").contains(&token.reveal()[36..]));
    }

    #[test]
    fn a_hash_matches_only_its_token_under_its_key() {
        let (one, other) = (token(), token());
        let key = TokenKey::new("k1".to_owned().into());
        let hash = key.hash(&one);
        assert!(key.matches(&one, &hash));
        assert!(!key.matches(&other, &hash));
        assert!(!TokenKey::new("k2".to_owned().into()).matches(&one, &hash));
    }
}
