//! What Twilio signs: the address that it calls, followed by the fields of the form that it sends, sorted, without
//! anything between them; or, for a body that is no form, the address alone, whose query has the body's SHA-256.
//!
//! Only Twilio knows exactly which address it calls; what arrives has passed proxies. So the addresses that can be meant
//! are tried, as Twilio's own libraries do: with and without the port, and in both schemes, because a proxy that ends TLS
//! need not say so.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::form;
use types::text::hex;

const BODY_HASH: &str = "bodySHA256=";

/// What a request of Twilio's was sent to.
#[derive(Debug)]
pub(super) struct Target {
    urls: BTreeSet<String>,
    /// Of the body, as the signed address has it.
    body_sha256: Option<String>,
    is_form: bool,
}

impl Target {
    /// From a request's headers and its path and query.
    pub(super) fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, target: &str) -> Self {
        let hosts = [header("host"), header("x-forwarded-host")].into_iter().flatten();
        let urls = hosts.flat_map(|host| urls(host, target)).collect();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let body_sha256 = query.split('&').find_map(|pair| pair.strip_prefix(BODY_HASH)).map(str::to_owned);
        Self { urls, body_sha256, is_form: header("content-type").is_some_and(form::is_form) }
    }

    /// The texts one of which is signed; none when the body is not what the signature can be of.
    pub(super) fn signed_texts(&self, body: &[u8]) -> Vec<Vec<u8>> {
        let fields = match &self.body_sha256 {
            Some(expected) => {
                let actual = hex(&Sha256::digest(body));
                let same = actual.as_bytes().ct_eq(expected.to_ascii_lowercase().as_bytes());
                bool::from(same).then(String::new)
            }
            // Without a hash nothing but a form is signed.
            None if self.is_form => form::fields(body).map(sorted),
            None => None,
        };
        let Some(fields) = fields else { return Vec::new() };
        self.urls.iter().map(|url| format!("{url}{fields}").into_bytes()).collect()
    }
}

/// A name that comes several times is written with each of its values, each value once.
fn sorted(fields: Vec<(String, String)>) -> String {
    let mut sorted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in fields {
        sorted.entry(name).or_default().insert(value);
    }
    let mut text = String::new();
    for (name, values) in &sorted {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

fn urls(host: &str, target: &str) -> impl Iterator<Item = String> {
    // The brackets of an address of IPv6 hold colons of their own.
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let each = |scheme: &str, port: &str| {
        [host.to_owned(), bare.to_owned(), format!("{bare}:{port}")]
            .map(|host| format!("{scheme}://{host}{target}"))
    };
    each("https", "443").into_iter().chain(each("http", "80"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(headers: &[(&str, &str)], target: &str, body: &str) -> BTreeSet<String> {
        let header = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let texts = Target::read(header, target).signed_texts(body.as_bytes());
        texts.into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");

    #[test]
    fn a_form_is_signed_behind_the_address() {
        let signed = texts(&[("host", "a.example"), FORM], "/hook?x=1", "To=%2B1&Body=a+b&A=2&A=1&A=2&Z=");
        assert_eq!(
            signed,
            BTreeSet::from([
                "https://a.example/hook?x=1A1A2Bodya bTo+1Z".to_owned(),
                "https://a.example:443/hook?x=1A1A2Bodya bTo+1Z".to_owned(),
                "http://a.example/hook?x=1A1A2Bodya bTo+1Z".to_owned(),
                "http://a.example:80/hook?x=1A1A2Bodya bTo+1Z".to_owned(),
            ])
        );
        let with_port = texts(&[("host", "a.example:8443"), FORM], "/hook", "");
        assert!(
            with_port.contains("https://a.example:8443/hook") && with_port.contains("https://a.example/hook")
        );
        let forwarded = texts(&[("host", "10.0.0.1"), ("x-forwarded-host", "a.example"), FORM], "/hook", "");
        assert!(forwarded.contains("https://a.example/hook"));
    }

    #[test]
    fn a_body_that_no_signature_covers_is_not_signed() {
        let json = ("content-type", "application/json");
        assert!(texts(&[("host", "a"), json], "/hook", "{}").is_empty());
        assert!(texts(&[("host", "a")], "/hook", "{}").is_empty());
        assert!(texts(&[("host", "a"), FORM], "/hook", "a=%ff").is_empty());
        let hash = hex(&Sha256::digest(b"{}"));
        let target = format!("/hook?x=1&bodySHA256={hash}");
        assert!(texts(&[("host", "a"), json], &target, "{}").contains(&format!("https://a{target}")));
        assert!(texts(&[("host", "a"), json], &target, "{ }").is_empty());
        assert!(texts(&[("host", "a"), FORM], &target, "a=1").is_empty());
    }
}
