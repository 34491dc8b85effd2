//! Signatures over the raw bytes of a body, in the forms that senders use.
//!
//! What a delivery's head says is read first: [`Signed::precheck`] tells whether there is a signature at all and whether
//! its time is of now, so that nothing is read of a delivery that cannot be proven. Checking one takes the same work
//! whatever is wrong: each valid secret makes one HMAC over what is signed, and each signature is compared with each of
//! them in constant time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::signing::{KeyForm, MacKind};
use super::twilio;
use store::sender::Sender;
use types::clock::Timestamp;
use types::text::hex;

/// By how many seconds the sender's clock may differ from ours.
const TOLERANCE: u64 = 300;
/// The most signatures of one delivery that are looked at.
const MAX_SIGNATURES: usize = 10;

/// What a delivery carries to show who sent it.
#[derive(Debug)]
pub(crate) struct Signed {
    content: Content,
    key: KeyForm,
    mac: MacKind,
    time: SignedTime,
    signatures: Vec<Vec<u8>>,
}

/// What is signed.
#[derive(Debug)]
enum Content {
    /// This, and the body.
    Prefixed(String),
    /// The address that was called, and the fields of the form.
    Twilio(twilio::Target),
}

/// When the delivery was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignedTime {
    /// It was not said, or not signed.
    Absent,
    Unreadable,
    At(u64),
}

/// Why a delivery is not its sender's; for the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Missing,
    Time,
    Signature,
    /// No secret of the subscription is one of Standard Webhooks, so that no such signature can hold.
    Secret,
}

impl Wrong {
    /// As the log has it.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "SIGNATURE_MISSING",
            Self::Time => "TIMESTAMP_OUT_OF_WINDOW",
            Self::Signature => "SIGNATURE_WRONG",
            Self::Secret => "SECRET_NOT_BASE64",
        }
    }
}

/// A delivery that is its sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proven {
    /// The SHA-256 of what is signed, in hexadecimal: all deliveries of one signature have it.
    pub digest: String,
}

impl Signed {
    /// From a delivery's headers, looked up by their names in lower case, and the path and query that were called.
    pub(crate) fn read<'a>(sender: Sender, header: impl Fn(&str) -> Option<&'a str>, target: &str) -> Self {
        let text = |name: &str| header(name).map(str::trim);
        match sender {
            Sender::Generic => match (text("webhook-signature"), text("webhook-id")) {
                (Some(signature), Some(id)) => {
                    standard(signature, id, text("webhook-timestamp").unwrap_or_default())
                }
                _ => own(text("x-agentruntime-signature"), text("x-agentruntime-timestamp")),
            },
            Sender::Github => {
                let signature = text("x-hub-signature-256").and_then(|each| each.strip_prefix("sha256="));
                untimed(signature.and_then(from_hex))
            }
            Sender::Stripe => stamped(text("stripe-signature").unwrap_or_default()),
            Sender::Slack => {
                let at = text("x-slack-request-timestamp").unwrap_or_default();
                let signature = text("x-slack-signature").and_then(|each| each.strip_prefix("v0="));
                let signatures = signature.and_then(from_hex).into_iter().collect();
                timed(format!("v0:{at}:"), read_time(at), signatures)
            }
            Sender::Shopify => {
                let signature = text("x-shopify-hmac-sha256").or_else(|| text("shopify-hmac-sha256"));
                untimed(signature.and_then(|each| from_base64(each, MacKind::Sha256)))
            }
            Sender::Twilio => {
                let signature = text("x-twilio-signature");
                let signature = signature.and_then(|each| from_base64(each, MacKind::Sha1));
                let content = Content::Twilio(twilio::Target::read(text, target));
                Self { content, mac: MacKind::Sha1, ..untimed(signature) }
            }
        }
    }

    /// Whether there is a signature at all, and its time is of now.
    pub(crate) fn precheck(&self, now: Timestamp) -> Result<(), Wrong> {
        if self.signatures.is_empty() {
            return Err(Wrong::Missing);
        }
        match self.time {
            SignedTime::Absent => Ok(()),
            SignedTime::At(at) if u64::try_from(now.as_seconds()).unwrap_or(0).abs_diff(at) <= TOLERANCE => {
                Ok(())
            }
            SignedTime::At(_) | SignedTime::Unreadable => Err(Wrong::Time),
        }
    }

    /// Whether the signature holds for 300 s only; else it holds for good.
    pub(super) fn is_timed(&self) -> bool {
        self.time != SignedTime::Absent
    }

    /// Whether one of the signatures is one of this body under one of these secrets, and is of now.
    pub(crate) fn check(
        &self,
        secrets: &[SecretString],
        body: &[u8],
        now: Timestamp,
    ) -> Result<Proven, Wrong> {
        let texts = match &self.content {
            Content::Prefixed(prefix) => vec![[prefix.as_bytes(), body].concat()],
            Content::Twilio(target) => target.signed_texts(body),
        };
        let (mut proven, mut has_key) = (None, self.key == KeyForm::Text);
        for secret in secrets {
            for text in &texts {
                let Some(expected) = self.mac.of(self.key, secret, text) else { continue };
                has_key = true;
                let mut same = Choice::from(0);
                for signature in &self.signatures {
                    same |= expected.as_slice().ct_eq(signature);
                }
                if bool::from(same) {
                    proven = Some(text);
                }
            }
        }
        self.precheck(now)?;
        let text = proven.ok_or(if has_key { Wrong::Signature } else { Wrong::Secret })?;
        Ok(Proven { digest: hex(&Sha256::digest(text)) })
    }
}

/// `X-Agentruntime-Signature`: `sha256=<hex>` over the body, or over `<timestamp>.<body>`; or as the SDKs send it.
fn own(signature: Option<&str>, timestamp: Option<&str>) -> Signed {
    let signature = signature.unwrap_or_default();
    let Some(digits) = signature.strip_prefix("sha256=") else { return stamped(signature) };
    let signatures = from_hex(digits).into_iter().collect();
    match timestamp {
        Some(at) => timed(format!("{at}."), read_time(at), signatures),
        None => timed(String::new(), SignedTime::Absent, signatures),
    }
}

/// `t=<unix s>,v1=<hex>,v1=<hex>` over `<t>.<body>`, as the SDKs and Stripe send it. Other items are no concern of ours.
fn stamped(header: &str) -> Signed {
    let mut times = Vec::new();
    let mut signatures = Vec::new();
    for item in header.split(',') {
        match item.trim().split_once('=') {
            Some(("t", at)) => times.push(at),
            Some(("v1", digits)) if signatures.len() < MAX_SIGNATURES => signatures.extend(from_hex(digits)),
            _ => {}
        }
    }
    // Two times would leave open which of them is signed.
    match times[..] {
        [at] => timed(format!("{at}."), read_time(at), signatures),
        _ => timed(String::new(), SignedTime::Unreadable, signatures),
    }
}

/// Standard Webhooks: `v1,<base64> …` over `<id>.<timestamp>.<body>`.
fn standard(signature: &str, id: &str, timestamp: &str) -> Signed {
    let signatures = signature
        .split(' ')
        .filter_map(|each| each.strip_prefix("v1,"))
        .filter_map(|each| STANDARD.decode(each).ok())
        .take(MAX_SIGNATURES)
        .collect();
    let prefix = format!("{id}.{timestamp}.");
    Signed { key: KeyForm::Base64, ..timed(prefix, read_time(timestamp), signatures) }
}

fn untimed(signature: Option<Vec<u8>>) -> Signed {
    timed(String::new(), SignedTime::Absent, signature.into_iter().collect())
}

fn timed(prefix: String, time: SignedTime, signatures: Vec<Vec<u8>>) -> Signed {
    let content = Content::Prefixed(prefix);
    Signed { content, key: KeyForm::Text, mac: MacKind::Sha256, time, signatures }
}

/// Digits only: `+5` and ` 5` would be other texts for one time.
fn read_time(text: &str) -> SignedTime {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_or(SignedTime::Unreadable, SignedTime::At) } else { SignedTime::Unreadable }
}

/// The 32 bytes that 64 hexadecimal digits, of either case, stand for.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    // `from_str_radix` alone would take `+3` for a byte.
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn from_base64(text: &str, mac: MacKind) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| bytes.len() == mac.length())
}

#[cfg(test)]
mod tests;
