//! Path and query parameters. A path that cannot name a thing names none: 404, as for a thing of another's.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::error::Kind;

/// Path parameters, by position.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let names = RawPathParams::from_request_parts(parts, state).await;
                let names = names
                    .map(|all| all.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>().join(", "));
                let message = format!("Nothing is here: {} cannot be read.", names.unwrap_or_default());
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
        axum::extract::Query::<T>::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(|error| {
            let why = error.to_string();
            let why = why.trim_start_matches("Failed to deserialize query string: ");
            let why = why.replace("invalid digit found in string", "must be a whole number, 0 or more");
            Error::invalid(format!("The query: {why}."))
        })
    }
}
