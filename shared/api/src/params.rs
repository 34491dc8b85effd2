//! Path and query parameters. A path that cannot name a thing names none: 404, as for a thing of another's.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use types::Error;
use types::error::{ErrorCode, Kind};
use types::strict::QueryText;
use types::text::with_short_name;

/// Path parameters, by position.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let message = match RawPathParams::from_request_parts(parts, state).await {
                    Ok(all) => {
                        let names: Vec<&str> = all.iter().map(|(name, _)| name).collect();
                        format!("Nothing is here: {} cannot be read.", names.join(", "))
                    }
                    Err(_) => "Nothing is here: the path's escapes are not UTF-8.".to_owned(),
                };
                Err(Error::new(Kind::NotFound, ErrorCode::NotFound, message)
                    .with_context(rejection.to_string()))
            }
        }
    }
}

/// Query parameters, read into a type that refuses what it does not know.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let pairs = pairs.map(|(name, text)| (name.into_owned(), QueryText(text.into_owned())));
        let query = MapDeserializer::<_, serde::de::value::Error>::new(pairs);
        serde_path_to_error::deserialize(query).map(Self).map_err(|error| {
            let why = with_short_name(&error.to_string())
                .replace("invalid digit found in string", "must be a whole number, 0 or more")
                .replace("expected usize", "expected a whole number, 0 or more");
            Error::invalid(format!("The query: {why}."))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        limit: Option<usize>,
        q: Option<String>,
        deep: Option<bool>,
    }

    async fn read(query: &str) -> Result<Asked, Error> {
        let request = http::Request::get(format!("/v1/things?{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        Query::from_request_parts(&mut parts, &()).await.map(|Query(asked)| asked)
    }

    #[tokio::test]
    async fn parameters_are_read_as_they_are_escaped() {
        let asked = |limit, q: Option<&str>, deep| Asked { limit, q: q.map(str::to_owned), deep };
        for (query, expected) in [
            ("", asked(None, None, None)),
            ("limit=5&deep=true", asked(Some(5), None, Some(true))),
            ("q=a%26b+c%3D1", asked(None, Some("a&b c=1"), None)),
            // Text stays text, whatever it looks like.
            ("q=007", asked(None, Some("007"), None)),
            ("q=", asked(None, Some(""), None)),
        ] {
            assert_eq!(read(query).await.unwrap(), expected, "{query}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        for (query, named) in [
            ("limt=5", "limt"),
            ("limit=five", "whole number"),
            ("limit=-1", "whole number"),
            ("limit=1&limit=2", "limit"),
            ("deep=perhaps", "deep: "),
        ] {
            let error = read(query).await.unwrap_err();
            assert_eq!(error.kind, Kind::Invalid);
            assert!(
                error.message.starts_with("The query:") && error.message.contains(named),
                "{query}: {error:?}"
            );
        }
    }
}
