//! `Idempotency-Key`: a POST that is sent again with its key and body is answered as it was the first time, for 24
//! hours, without being carried out again. While it is carried out it has an owner; when the owner dies, whoever
//! asks again after a while takes over, with the same ids. Requests without a key cost nothing.
//!
//! Answers may hold a secret that is shown once, so they are sealed before they are kept, and bodies are known by a
//! keyed hash.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::Principal;
use crate::state::AppState;
use platform::boxed;
use store::{Claim, Claimed, KeyedRequest, OWNED_FOR, StoreError, decode_value, encode_value};
use types::error::{ErrorCode, Kind};
use types::ids::seed::Seed;
use types::{Error, Result};

const LONGEST_KEY: usize = 255;
/// When to ask again for what is being carried out.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The headers that belong to an answer; the others belong to one request.
const KEPT_HEADERS: [HeaderName; 4] =
    [http::header::CONTENT_TYPE, http::header::ETAG, http::header::LOCATION, http::header::LINK];

/// A request with an idempotency key.
#[derive(Debug)]
pub struct Asked {
    key: HeaderValue,
    /// Method and path as it is documented.
    route: String,
    /// Path and query.
    target: String,
    body: Bytes,
}

/// A request that is carried out now, by us.
#[derive(Debug)]
pub struct Owned {
    request: KeyedRequest,
    claim: Claim,
}

impl Owned {
    /// What the ids of what it makes follow from, so that whoever takes over makes the same.
    pub fn seed(&self) -> Seed {
        Seed { begun_at: self.claim.begun_at, request: self.request.name.clone() }
    }
}

/// What is to be done about a request with a key.
#[derive(Debug)]
pub enum Turn {
    /// To carry it out.
    Ours(Owned),
    /// To answer it as it was answered before.
    Answered(Answer),
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Of its headers those that are kept.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Asked {
    /// A request with this key, to this route (`POST /v1/…`) and target (its path and query), with this body.
    pub fn new(key: HeaderValue, route: String, target: String, body: Bytes) -> Self {
        Self { key, route, target, body }
    }

    /// Claims the request for this process, unless it has been carried out.
    ///
    /// # Errors
    /// Invalid when the key cannot be one; conflict when it is another request's, or somebody is carrying this one out;
    /// unavailable when a store does not answer.
    #[boxed]
    pub async fn claim(&self, state: &AppState, who: &Principal) -> Result<Turn> {
        let request = self.named(state, who).await?;
        let owner = Uuid::new_v4().to_string();
        match state.store.claim_request(&request, &owner, state.clock.now()).await? {
            Claimed::Won(claim) => Ok(Turn::Ours(Owned { request, claim })),
            Claimed::Running => Err(in_progress()),
            Claimed::OtherRequest => Err(Error::conflict(
                ErrorCode::IdempotencyKeyReused,
                "Idempotency-Key: was used within 24 hours for a request with another path or body; choose a new \
                 key.",
            )),
            Claimed::Answered(sealed) => {
                let opened = state.auth.key().await?.open(&sealed, &request.name);
                let opened = opened.ok_or_else(|| Error::internal("a kept answer cannot be opened"))?;
                Ok(Turn::Answered(decode_value(&opened)?))
            }
        }
    }

    async fn named(&self, state: &AppState, who: &Principal) -> Result<KeyedRequest> {
        let key = self.key.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Error::invalid(format!(
                "Idempotency-Key: must have 1 to {LONGEST_KEY} printable ASCII characters."
            ))
        })?;
        let (place, caller) = match who {
            Principal::Token(caller) => (Some(caller.place.clone()), caller.pat_id.to_string()),
            Principal::Operator => (None, "operator".to_owned()),
        };
        let token_key = state.auth.key().await?;
        let name = token_key.digest("request", &[caller.as_bytes(), self.route.as_bytes(), key.as_bytes()]);
        let fingerprint = token_key.digest("body", &[self.target.as_bytes(), &self.body]);
        Ok(KeyedRequest { place, name, fingerprint })
    }
}

/// Most requests take milliseconds, so it is soon worth asking again; only when a process has died it takes longer.
fn in_progress() -> Error {
    let message = format!(
        "Idempotency-Key: a request with this key is being carried out; ask again after Retry-After, until it is \
         answered. If its process has died, that takes up to {} seconds.",
        OWNED_FOR.as_secs()
    );
    Error::new(Kind::InProgress { retry_after: ASK_AGAIN }, ErrorCode::IdempotencyInProgress, message)
}

impl Answer {
    fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let kept = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
        let headers = KEPT_HEADERS.iter().filter_map(kept).collect();
        Some(Self { status: status.as_u16(), headers, body: String::from_utf8(body.to_vec()).ok()? })
    }
}

/// Keeps the answer to a claimed request, or gives the request up when another attempt may come to another answer.
/// The caller is answered either way: what cannot be kept is found out again by the ids.
#[boxed]
pub async fn settle(
    state: &AppState,
    Owned { request, claim }: &Owned,
    (status, headers, body): (StatusCode, &HeaderMap, &[u8]),
    error: Option<Kind>,
) {
    let now = state.clock.now();
    let passes = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::PAYMENT_REQUIRED]
            .contains(&status)
        || error == Some(Kind::Overtaken);
    let answer = Answer::of(status, headers, body).filter(|_| !passes);
    let settled = match answer {
        Some(answer) => match sealed(state, request, &answer).await {
            Ok(sealed) => state.store.keep_answer(request, claim, &sealed, now).await,
            Err(error) => Err(StoreError::Unavailable(error.into())),
        },
        None => state.store.release_request(request, claim, now).await,
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "the answer of a request with an idempotency key could not be kept");
    }
}

async fn sealed(state: &AppState, request: &KeyedRequest, answer: &Answer) -> Result<Vec<u8>> {
    state.auth.key().await?.seal(&encode_value(answer)?, &request.name)
}
