//! Path and query parameters. A path that cannot name a thing names none: 404, as for a thing of another's.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use types::Error;
use types::error::Kind;
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
                Err(Error::new(Kind::NotFound, "NOT_FOUND", message).with_context(rejection.to_string()))
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
                .replace("invalid digit found in string", "must be a whole number, 0 or more");
            Error::invalid(format!("The query: {why}."))
        })
    }
}
