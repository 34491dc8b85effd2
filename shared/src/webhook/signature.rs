//! Signatures over the raw bytes of a body, in the two forms that senders use.
//!
//! Checking one takes the same work whatever is wrong: each valid secret makes one HMAC over the body, also when no
//! signature came or its time has passed, and each signature is compared with each of them in constant time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use secrecy::SecretString;
use subtle::{Choice, ConstantTimeEq};

use super::signing::{of_bytes, of_text};
use crate::clock::Timestamp;

/// By how many seconds the sender's clock may differ from ours.
const TOLERANCE: u64 = 300;
/// The most signatures of one delivery that are looked at.
const MOST_SIGNATURES: usize = 10;

/// What a delivery carries to show who sent it.
#[derive(Debug, Clone, Default)]
pub struct Signed {
    form: Form,
    /// What is signed before the body.
    prefix: String,
    timestamp: Stamp,
    signatures: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    /// `X-Agentruntime-Signature: sha256=<hex>` over the body, or over `<timestamp>.<body>`.
    #[default]
    Own,
    /// `webhook-signature: v1,<base64> …` over `<id>.<timestamp>.<body>`.
    Standard,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stamp {
    #[default]
    Absent,
    Unreadable,
    At(u64),
}

/// Why a delivery is not its sender's; for the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Missing,
    Time,
    Signature,
}

impl Signed {
    /// From a delivery's headers, looked up by their names in lower case.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = |name: &str| header(name).map(str::trim);
        if let (Some(signature), Some(id)) = (text("webhook-signature"), text("webhook-id")) {
            let timestamp = text("webhook-timestamp").unwrap_or_default();
            let signatures = signature
                .split(' ')
                .filter_map(|each| each.strip_prefix("v1,"))
                .filter_map(|each| STANDARD.decode(each).ok())
                .take(MOST_SIGNATURES)
                .collect();
            let prefix = format!("{id}.{timestamp}.");
            return Self { form: Form::Standard, prefix, timestamp: stamp(timestamp), signatures };
        }
        let signature = text("x-agentruntime-signature").and_then(|each| each.strip_prefix("sha256="));
        let timestamp = text("x-agentruntime-timestamp");
        Self {
            form: Form::Own,
            prefix: timestamp.map(|timestamp| format!("{timestamp}.")).unwrap_or_default(),
            timestamp: timestamp.map_or(Stamp::Absent, stamp),
            signatures: signature.and_then(from_hex).into_iter().collect(),
        }
    }

    /// Whether one of the signatures is one of this body under one of these secrets, and is of now.
    pub(super) fn check(&self, secrets: &[SecretString], body: &[u8], now: Timestamp) -> Result<(), Wrong> {
        let mut signed = Choice::from(0);
        for secret in secrets {
            let key = match self.form {
                Form::Own => of_text(secret),
                Form::Standard => of_bytes(secret),
            };
            let Some(mut mac) = key else { continue };
            mac.update(self.prefix.as_bytes());
            mac.update(body);
            let expected = mac.finalize().into_bytes();
            for signature in &self.signatures {
                signed |= expected.as_slice().ct_eq(signature);
            }
        }
        let in_time = match self.timestamp {
            Stamp::Absent => true,
            Stamp::Unreadable => false,
            Stamp::At(at) => u64::try_from(now.as_seconds()).unwrap_or(0).abs_diff(at) <= TOLERANCE,
        };
        match (bool::from(signed), in_time) {
            (true, true) => Ok(()),
            (true, false) => Err(Wrong::Time),
            (false, _) if self.signatures.is_empty() => Err(Wrong::Missing),
            (false, _) => Err(Wrong::Signature),
        }
    }
}

/// Digits only: `+5` and ` 5` would be other texts for one time.
fn stamp(text: &str) -> Stamp {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_or(Stamp::Unreadable, Stamp::At) } else { Stamp::Unreadable }
}

/// The 32 bytes that 64 hexadecimal digits, of either case, stand for.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    // `from_str_radix` alone would take `+3` for a byte.
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    // What others signed: `printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$WHSEC"`, and the reference library
    // standardwebhooks 1.1.0 (PyPI) for the message msg_1 at 1790000000.
    const OF_OPENSSL: &str = "c099c424a9b1b8577ee8ceb05d62525f1f2d35ba5d6aa8d4112de7885e36b37e";
    const OF_LIBRARY: &str = "v1,qgFwkNsxPgj01ELEfb+IEvkojpshT6Rge/kjWY+t4vU=";
    const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
    const BODY: &[u8] = br#"{"order_id": "12345"}"#;

    fn read(pairs: &[(&str, &str)]) -> Signed {
        Signed::read(|wanted| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value))
    }

    fn check(pairs: &[(&str, &str)], body: &[u8]) -> Result<(), Wrong> {
        read(pairs).check(&[WHSEC.to_owned().into()], body, NOW)
    }

    fn hmac(key: &str, text: &str) -> String {
        let mut mac = of_text(&key.to_owned().into()).unwrap();
        mac.update(text.as_bytes());
        crate::text::hex(&mac.finalize().into_bytes())
    }

    fn standard(id: &str, at: &str, body: &str) -> String {
        let mut mac = of_bytes(&WHSEC.to_owned().into()).unwrap();
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    fn body() -> String {
        String::from_utf8(BODY.to_vec()).unwrap()
    }

    #[test]
    fn what_others_signed_is_accepted() {
        let own = format!("sha256={OF_OPENSSL}");
        assert_eq!(check(&[("x-agentruntime-signature", &own)], BODY), Ok(()));
        let standard =
            [("webhook-id", "msg_1"), ("webhook-timestamp", "1790000000"), ("webhook-signature", OF_LIBRARY)];
        assert_eq!(check(&standard, BODY), Ok(()));
    }

    #[test]
    fn the_whole_secret_signs_the_bytes_of_the_body() {
        let good = format!("sha256={}", hmac(WHSEC, &body()));
        assert_eq!(check(&[("x-agentruntime-signature", &good)], BODY), Ok(()));
        let upper = format!("sha256={}", hmac(WHSEC, &body()).to_uppercase());
        assert_eq!(check(&[("x-agentruntime-signature", &upper)], BODY), Ok(()));
        let again_serialised = br#"{"order_id":"12345"}"#;
        let wrong = Err(Wrong::Signature);
        assert_eq!(check(&[("x-agentruntime-signature", &good)], again_serialised), wrong);
        let other = format!("sha256={}", hmac("whsec_other", &body()));
        assert_eq!(check(&[("x-agentruntime-signature", &other)], BODY), wrong);
        // The byte `03`, written as no digits are.
        let signed = format!("sha256={}", "+3".repeat(32));
        for none in
            ["", "sha256=", "sha1=00", &good[7..], &good[..70], "sha256=zz", &format!("{good}0"), &signed]
        {
            assert_eq!(check(&[("x-agentruntime-signature", none)], BODY), Err(Wrong::Missing), "{none}");
        }
        assert_eq!(check(&[], BODY), Err(Wrong::Missing));
    }

    #[test]
    fn a_timestamp_is_signed_with_the_body_and_must_be_of_now() {
        let with = |at: &str, signed_at: &str| {
            let good = format!("sha256={}", hmac(WHSEC, &format!("{signed_at}.{}", body())));
            check(&[("x-agentruntime-signature", &good), ("x-agentruntime-timestamp", at)], BODY)
        };
        for at in ["1790000000", "1789999700", "1790000300"] {
            assert_eq!(with(at, at), Ok(()), "{at}");
        }
        for at in ["1789999699", "1790000301", "0", "", "-1", "+1790000000", "1790000000.0", "now"] {
            assert_eq!(with(at, at), Err(Wrong::Time), "{at}");
        }
        assert_eq!(with("1790000001", "1790000000"), Err(Wrong::Signature));
        let bare = format!("sha256={}", hmac(WHSEC, &body()));
        let stripped =
            check(&[("x-agentruntime-signature", &bare), ("x-agentruntime-timestamp", "1790000000")], BODY);
        assert_eq!(stripped, Err(Wrong::Signature));
    }

    #[test]
    fn the_headers_of_standard_webhooks_sign_with_the_bytes_behind_the_prefix() {
        let at = "1790000000";
        let good = standard("msg_1", at, &body());
        let send = |id: &str, at: &str, signatures: &str| {
            let headers = [("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signatures)];
            check(&headers, BODY)
        };
        assert_eq!(send("msg_1", at, &good), Ok(()));
        let among = format!("v1,AAAA v1a,{} v2,x {good}", &good[3..]);
        assert_eq!(send("msg_1", at, &among), Ok(()));
        assert_eq!(send("msg_2", at, &good), Err(Wrong::Signature));
        assert_eq!(send("msg_1", "1790000001", &good), Err(Wrong::Signature));
        let old = standard("msg_1", "1789999699", &body());
        assert_eq!(send("msg_1", "1789999699", &old), Err(Wrong::Time));
        assert_eq!(send("msg_1", at, &good[3..]), Err(Wrong::Missing));
        let late = std::iter::repeat_n("v1,AAAA", 10).chain([good.as_str()]).collect::<Vec<_>>().join(" ");
        assert_eq!(send("msg_1", at, &late), Err(Wrong::Signature), "the eleventh is not looked at");
    }

    #[test]
    fn every_valid_secret_counts() {
        let good = format!("sha256={}", hmac(WHSEC, &body()));
        let signed = read(&[("x-agentruntime-signature", &good)]);
        let other: SecretString = "whsec_other".to_owned().into();
        assert_eq!(signed.check(&[other.clone(), WHSEC.to_owned().into()], BODY, NOW), Ok(()));
        assert_eq!(signed.check(&[other], BODY, NOW), Err(Wrong::Signature));
        assert_eq!(signed.check(&[], BODY, NOW), Err(Wrong::Signature));
    }
}
