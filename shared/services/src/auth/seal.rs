//! Text that is kept in the database and may hold a secret: sealed with XChaCha20-Poly1305 under a key that is
//! derived from the token key, which only the secret store has.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRng;

use super::TokenKey;
use types::{Error, Result};

const NONCE: usize = 24;
/// What the key of sealed answers is derived with.
const LABEL: &str = "answers kept under an idempotency key";

impl TokenKey {
    /// Seals bytes; only with the same `about` are they opened again.
    ///
    /// # Errors
    /// Internal, when the system gives no randomness.
    pub fn seal(&self, bytes: &[u8], about: &str) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE];
        let failed = |what: &dyn std::fmt::Display| Error::internal(format!("cannot seal: {what}"));
        rand::rngs::SysRng.try_fill_bytes(&mut nonce).map_err(|error| failed(&error))?;
        let payload = Payload { msg: bytes, aad: about.as_bytes() };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|error| failed(&error))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`Self::seal`] sealed; none when it was sealed with another key, about another thing, or is
    /// damaged.
    pub fn open(&self, sealed: &[u8], about: &str) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: rest, aad: about.as_bytes() };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.mac(LABEL).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_it_and_only_for_the_same_thing() {
        let key = TokenKey::new("k1".to_owned().into());
        let sealed = key.seal(b"pat_secret", "request 1").unwrap();
        assert_eq!(key.open(&sealed, "request 1").unwrap(), b"pat_secret");
        assert!(!sealed.windows(10).any(|window| window == b"pat_secret"));
        assert_ne!(sealed, key.seal(b"pat_secret", "request 1").unwrap());
        assert_eq!(key.open(&sealed, "request 2"), None);
        assert_eq!(TokenKey::new("k2".to_owned().into()).open(&sealed, "request 1"), None);
        assert_eq!(key.open(&sealed[..sealed.len() - 1], "request 1"), None);
        assert_eq!(key.open(b"short", "request 1"), None);
    }
}
