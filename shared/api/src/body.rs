//! Request bodies: JSON of at most 1 MiB, read into a type that refuses what it does not know.

use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::{Map, Value};

use platform::boxed;
use services::config::BODY_DEADLINE;
use types::error::{ErrorCode, Kind};
use types::json_numbers::unrepresentable;
use types::limits::LARGEST_BODY;
use types::strict::Strict;
use types::suggest::cut;
use types::text::{SHOWN_OF_NAME, in_json_words, shown_path};
use types::{Error, Result};

/// A JSON body. An absent one reads as `{}`, so that routes whose fields are all optional need none.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let (parts, body) = request.into_parts();
        // Routes with a permit have it in memory by now.
        let bytes = read_bytes(&parts.headers, body, BODY_DEADLINE).await?;
        let bytes = if bytes.is_empty() { b"{}" } else { &bytes[..] };
        read(bytes).map(Self)
    }
}

/// A field of a patch in which null means something else than absence; for `deserialize_with`.
///
/// # Errors
/// When it is not what the field holds.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads named arguments that came in another way than a body, as a body is read.
///
/// # Errors
/// Invalid, naming the argument.
pub fn read_arguments<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Error> {
    serde_path_to_error::deserialize(Strict(Value::Object(arguments))).map_err(|error| {
        let place = shown_path(error.path()).unwrap_or_else(|| "arguments".to_owned());
        Error::invalid(format!("{place}: {}.", in_json_words(&error.inner().to_string())))
    })
}

/// The bytes of a body, whatever they are.
///
/// # Errors
/// Of an unsupported encoding; those of [`collect_body`], over [`LARGEST_BODY`]; unreadable when it is compressed.
#[boxed]
pub async fn read_bytes(headers: &HeaderMap, body: axum::body::Body, deadline: Duration) -> Result<Bytes> {
    plain(headers)?;
    let bytes = collect_body(body, LARGEST_BODY, deadline).await?;
    if bytes.starts_with(&GZIP) {
        return Err(unreadable(
            "The body looks compressed with gzip, which is not read here; send it plain, as JSON, with \
             'Content-Type: application/json' and without Content-Encoding.",
        ));
    }
    Ok(bytes)
}

/// The bytes of a body of at most `max`, if they come in time.
///
/// # Errors
/// Too large, before anything is read when the body says so itself; timed out; unreadable when it breaks off.
#[boxed]
pub async fn collect_body(body: axum::body::Body, max: usize, deadline: Duration) -> Result<Bytes> {
    let too_large = || {
        let message = format!("The body is larger than {} KiB ({max} bytes).", max / 1024);
        Error::new(Kind::TooLarge, ErrorCode::TooLarge, message)
    };
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(deadline, Limited::new(body, max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            Err(unreadable("The body broke off; send it again.").with_context(error.to_string()))
        }
        Err(_) => {
            let message =
                format!("The body did not arrive within {} s; send it again.", deadline.as_secs_f64());
            Err(Error::new(Kind::TimedOut, ErrorCode::BodyTimeout, message))
        }
    }
}

/// Refuses encoded bodies: a small one could unfold to any size.
fn plain(headers: &HeaderMap) -> Result<()> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let mut encodings = values.iter().flat_map(|value| value.split(',')).map(str::trim);
    match encodings.find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")) {
        None => Ok(()),
        Some(encoding) => {
            let message = format!(
                "Content-Encoding: bodies encoded with {:?} are not read; send the body plain, without this header.",
                cut(encoding, SHOWN_OF_NAME)
            );
            Err(Error::new(Kind::UnsupportedEncoding, ErrorCode::UnsupportedEncoding, message))
        }
    }
}

/// What gzip begins with, and no JSON.
const GZIP: [u8; 2] = [0x1f, 0x8b];

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if let Some(number) = unrepresentable(bytes) {
        return Err(Error::invalid(format!("{}: {number}.", what(&number.path))));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut deserializer)).map_err(|error| {
        let what = what(&shown_path(error.path()).unwrap_or_default());
        let inner = error.into_inner();
        match inner.classify() {
            Category::Data => Error::invalid(format!("{what}: {}.", in_json_words(&inner.to_string()))),
            // serde_json calls it syntax when one of several words was expected and a value of another kind came.
            Category::Syntax if serde_json::from_slice::<Value>(bytes).is_ok() => {
                Error::invalid(format!("{what}: is of the wrong type."))
            }
            Category::Syntax if inner.to_string().starts_with("recursion limit exceeded") => {
                unreadable("The body is nested too deeply: at most 127 levels can be read.")
            }
            Category::Syntax | Category::Eof | Category::Io => {
                unreadable(&format!("The body is not JSON: {inner}."))
            }
        }
    })?;
    deserializer.end().map_err(|error| unreadable(&format!("The body is not one JSON value: {error}.")))?;
    Ok(value)
}

/// What of the body is wrong.
fn what(path: &str) -> String {
    if path.is_empty() { "The body".to_owned() } else { format!("The body's field {path}") }
}

fn unreadable(message: &str) -> Error {
    Error::new(Kind::Unreadable, ErrorCode::Unreadable, message)
}
