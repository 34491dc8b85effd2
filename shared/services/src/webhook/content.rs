//! From the bytes of a delivery that is proven to the input of a run: decoded as its headers say, and read as its sender
//! writes it.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use super::form;
use store::sender::Sender;
use types::error::{ErrorCode, Kind};
use types::json_numbers;
use types::{Error, Result};

/// The most bytes of a body that was compressed.
const MAX_DECODED: usize = 1024 * 1024;

/// What gzip begins with, and neither JSON nor a form in UTF-8.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a delivery says.
#[derive(Debug, PartialEq)]
pub(super) enum Content {
    /// It starts a run with this.
    Input(Map<String, Value>),
    /// The same, and it came as a form.
    Form(Map<String, Value>),
    /// It asks whether anybody is here, and wants this text for an answer.
    Challenge(String),
}

/// A delivery's body without its compression.
///
/// # Errors
/// Unreadable, saying what was expected; too large when it is more than 1 MiB once it is decoded.
pub(super) fn plain<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    let decoded = decoded(text(headers, CONTENT_ENCODING), body)?;
    if decoded.is_none() && body.starts_with(&GZIP) {
        return Err(unreadable(
            "The body looks compressed with gzip, and no header says so; send it with 'Content-Encoding: gzip'.",
        ));
    }
    Ok(decoded.map_or(Cow::Borrowed(body), Cow::Owned))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("not a text"))
}

/// What a body without compression says.
///
/// # Errors
/// Unreadable, saying what was expected.
pub(super) fn read(sender: Sender, headers: &HeaderMap, body: &[u8]) -> Result<Content> {
    // `curl -d` calls JSON a form; no form begins like an object, and none reads as another value.
    let bare = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let looks_like_json = bare.trim_ascii_start().first() == Some(&b'{')
        || serde_json::from_slice::<serde::de::IgnoredAny>(bare).is_ok();
    let is_json = looks_like_json && sender != Sender::Twilio;
    let is_form = text(headers, CONTENT_TYPE).is_some_and(form::is_form) && !is_json;
    let object = if is_form { from_form(sender, body)? } else { from_json(body)? };
    Ok(match challenge(sender, &object) {
        Some(challenge) => Content::Challenge(challenge),
        None if is_form => Content::Form(object),
        None => Content::Input(object),
    })
}

/// What Slack asks before it uses an address: an event's, and a command's.
fn challenge(sender: Sender, object: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    match sender {
        Sender::Slack if text("type") == Some("url_verification") => text("challenge").map(str::to_owned),
        Sender::Slack if text("ssl_check") == Some("1") => Some(String::new()),
        _ => None,
    }
}

fn from_json(body: &[u8]) -> Result<Map<String, Value>> {
    json_numbers::from_slice(body).map_err(|error| {
        unreadable("The body must be a JSON object, in UTF-8 and nested at most 128 levels deep.")
            .with_context(format!("{:?} at line {}", error.classify(), error.line()))
    })
}

fn from_form(sender: Sender, body: &[u8]) -> Result<Map<String, Value>> {
    let not_utf8 = || unreadable("The body must be a form in UTF-8: a name or a value is not.");
    let fields = form::fields(body).ok_or_else(not_utf8)?;
    let Some(name) = sender.json_field() else { return Ok(form::object(fields)) };
    match fields.iter().find(|(field, _)| field == name) {
        Some((_, json)) => from_json(json.as_bytes()).map_err(|error| Error {
            message: format!("The form's field '{name}' must be a JSON object."),
            ..error
        }),
        // Slack's commands are plain forms.
        None if sender == Sender::Slack => Ok(form::object(fields)),
        None => Err(unreadable(&format!("The form must have the field '{name}', a JSON object."))),
    }
}

/// The body without its compression; none when it has none.
fn decoded(encoding: Option<&str>, body: &[u8]) -> Result<Option<Vec<u8>>> {
    let encoding = encoding.unwrap_or("identity").trim().to_ascii_lowercase();
    let decoded = match encoding.as_str() {
        "identity" | "" => return Ok(None),
        "gzip" | "x-gzip" => inflate(MultiGzDecoder::new(body)),
        // By the standard with the header of zlib, which some senders leave out.
        "deflate" if has_zlib_header(body) => inflate(ZlibDecoder::new(body)),
        "deflate" => inflate(DeflateDecoder::new(body)),
        _ => {
            return Err(unreadable(
                "Content-Encoding: the body can be read as gzip, deflate, or without an encoding only.",
            ));
        }
    };
    let decoded = decoded.map_err(|error| {
        let message = format!("The body is not what its Content-Encoding says, {encoding}.");
        unreadable(&message).with_context(error.to_string())
    })?;
    if decoded.len() > MAX_DECODED {
        let message = "The body is larger than 1 MiB (1048576 bytes) once it is decoded.";
        return Err(Error::new(Kind::TooLarge, ErrorCode::TooLarge, message));
    }
    Ok(Some(decoded))
}

/// At most a byte more than is allowed.
fn inflate(decoder: impl Read) -> std::io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder.take(MAX_DECODED as u64 + 1).read_to_end(&mut decoded)?;
    Ok(decoded)
}

/// RFC 1950: the method is 8, and both bytes together are a multiple of 31.
fn has_zlib_header(body: &[u8]) -> bool {
    match body {
        [first, second, ..] => first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0,
        _ => false,
    }
}

fn unreadable(message: &str) -> Error {
    Error::new(Kind::Unreadable, ErrorCode::Unreadable, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_whole(sender: Sender, headers: &HeaderMap, body: &[u8]) -> Result<Content> {
        read(sender, headers, &plain(headers, body)?)
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn object(sender: Sender, pairs: &[(&'static str, &str)], body: &[u8]) -> Result<Value> {
        match read_whole(sender, &headers(pairs), body)? {
            Content::Input(object) | Content::Form(object) => Ok(object.into()),
            Content::Challenge(text) => panic!("a challenge: {text}"),
        }
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn forms_are_read_as_their_sender_writes_them() {
        let json = [("content-type", "application/json")];
        let form = [("content-type", FORM)];
        assert_eq!(object(Sender::Generic, &json, b"{\"a\":1}").unwrap(), json!({ "a": 1 }));
        assert_eq!(
            object(Sender::Generic, &form, b"a=1&payload=%7B%7D").unwrap(),
            json!({ "a": "1", "payload": "{}" })
        );
        assert_eq!(
            object(Sender::Generic, &form, b" {\"a\":1}").unwrap(),
            json!({ "a": 1 }),
            "as curl -d sends it"
        );
        for sender in [Sender::Github, Sender::Slack] {
            assert_eq!(object(sender, &form, b"payload=%7B%22a%22%3A1%7D").unwrap(), json!({ "a": 1 }));
            let error = object(sender, &form, b"payload=%5B%5D").unwrap_err();
            assert!(error.message.contains("'payload'"), "{error:?}");
        }
        assert_eq!(
            object(Sender::Slack, &form, b"command=%2Fdeploy&text=a+b").unwrap(),
            json!({ "command": "/deploy", "text": "a b" })
        );
        assert!(object(Sender::Github, &form, b"a=1").unwrap_err().message.contains("'payload'"));
        assert!(object(Sender::Generic, &form, b"a=%ff").unwrap_err().message.contains("UTF-8"));
        assert!(object(Sender::Generic, &json, b"a=1").unwrap_err().message.contains("JSON object"));
    }

    #[test]
    fn slacks_questions_are_challenges() {
        let body = json!({ "type": "url_verification", "token": "t", "challenge": "3eZbrw1a" }).to_string();
        let asked = |sender, pairs: &[(&'static str, &str)], body: &str| {
            read_whole(sender, &headers(pairs), body.as_bytes())
        };
        assert_eq!(asked(Sender::Slack, &[], &body).unwrap(), Content::Challenge("3eZbrw1a".to_owned()));
        let form = [("content-type", FORM)];
        let ssl = asked(Sender::Slack, &form, "ssl_check=1&token=t").unwrap();
        assert_eq!(ssl, Content::Challenge(String::new()));
        for (sender, body) in [
            (Sender::Generic, body),
            (Sender::Slack, json!({ "type": "url_verification", "challenge": 1 }).to_string()),
            (Sender::Slack, json!({ "type": "event_callback", "challenge": "x" }).to_string()),
        ] {
            assert!(matches!(asked(sender, &[], &body).unwrap(), Content::Input(_)), "{body}");
        }
    }

    #[test]
    fn a_body_is_decoded_to_1_mib_at_most() {
        let sized = |bytes: usize| format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes - 10)).into_bytes();
        let at_most = sized(MAX_DECODED);
        for (encoding, body) in
            [("gzip", gzip(&at_most)), ("deflate", zlib(&at_most)), ("deflate", raw_deflate(&at_most))]
        {
            assert!(object(Sender::Generic, &[("content-encoding", encoding)], &body).is_ok(), "{encoding}");
        }
        let bomb = vec![b' '; 64 * MAX_DECODED];
        for (encoding, body) in [
            ("gzip", gzip(&sized(MAX_DECODED + 1))),
            ("gzip", gzip(&bomb)),
            ("deflate", zlib(&bomb)),
            ("deflate", raw_deflate(&bomb)),
        ] {
            let error = object(Sender::Generic, &[("content-encoding", encoding)], &body).unwrap_err();
            assert_eq!((error.kind, error.code), (Kind::TooLarge, ErrorCode::TooLarge), "{encoding}");
        }
    }

    #[test]
    fn what_is_not_as_it_is_encoded_is_refused() {
        let body = gzip(b"{}");
        for (encoding, body) in [
            ("gzip", b"{}".to_vec()),
            ("gzip", body[..body.len() - 1].to_vec()),
            ("gzip", [&body[..], b"garbage"].concat()),
            ("gzip", Vec::new()),
            ("deflate", b"{}".to_vec()),
            ("deflate", Vec::new()),
            ("br", b"{}".to_vec()),
            ("zstd", b"{}".to_vec()),
            ("gzip, gzip", gzip(&body)),
            ("\u{e4}", b"{}".to_vec()),
        ] {
            let error = object(Sender::Generic, &[("content-encoding", encoding)], &body).unwrap_err();
            assert_eq!(error.kind, Kind::Unreadable, "{encoding}");
        }
        let twice = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        let unnamed = object(Sender::Generic, &[], &body).unwrap_err();
        assert!(unnamed.message.contains("'Content-Encoding: gzip'"), "{unnamed:?}");
        for (encoding, body) in
            [("identity", b"{\"a\":1}".to_vec()), (" X-GZIP ", gzip(b"{\"a\":1}")), ("gzip", twice)]
        {
            assert_eq!(
                object(Sender::Generic, &[("content-encoding", encoding)], &body).unwrap(),
                json!({ "a": 1 })
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            body in prop::collection::vec(any::<u8>(), 0..256),
            encoding in prop::sample::select(vec!["identity", "gzip", "deflate"]),
            form in any::<bool>(),
        ) {
            let media = if form { FORM } else { "application/json" };
            for sender in [Sender::Generic, Sender::Github, Sender::Slack, Sender::Twilio] {
                let _ = read_whole(sender, &headers(&[("content-encoding", encoding), ("content-type", media)]), &body);
            }
        }
    }
}
