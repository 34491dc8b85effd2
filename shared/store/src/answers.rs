//! Answers kept under idempotency keys. A row says who carries a request out, until when nobody else may, and,
//! when it has been carried out, what was answered. Its writes are conditional: of two that claim a key one wins,
//! and whoever has lost its claim keeps nothing any more.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::answer::store_error;
use super::item::with_key;
use super::item::{self, Item, n, s};
use super::keys::{self, EXPIRES_AT, Key, PK};
use super::{Store, StoreError};
use types::clock::Timestamp;
use types::ids::Place;

/// How long an answer is kept.
pub const ANSWERS_KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a request is its owner's: longer than any function runs.
pub const OWNED_FOR: Duration = Duration::from_secs(35);
/// Answers up to this length stand in the row itself.
const LARGEST_INLINE: usize = 300 * 1024;

/// A request under an idempotency key.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    /// Where it is made; none for the operator's.
    pub place: Option<Place>,
    /// Tells caller, route and key from all others.
    pub name: String,
    /// Tells its path and body from all others.
    pub fingerprint: String,
}

/// Who carries a request out, and since when.
#[derive(Debug, Clone)]
pub struct Claim {
    /// A name of this attempt's own.
    pub owner: String,
    /// When the request was carried out first; an attempt that takes over keeps this time.
    pub begun_at: Timestamp,
}

/// What became of an attempt to claim a request.
#[derive(Debug)]
pub enum Claimed {
    /// It is to be carried out.
    Won(Claim),
    /// Somebody is carrying it out; when they have died, it may be taken over after [`OWNED_FOR`].
    Running,
    /// The key was used for another request.
    OtherRequest,
    /// It was carried out: the answer, sealed.
    Answered(Vec<u8>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    fingerprint: String,
    holder: String,
    begun_at: Timestamp,
    /// In milliseconds, to be compared: until then the request is its holder's. Zero when it was given up.
    held_until: i64,
    /// In milliseconds, to be compared.
    kept_until: i64,
    /// How many rows beside this one hold the answer; none while there is no answer.
    chunks: Option<usize>,
    expires_at: i64,
}

impl Store {
    /// Claims a request for `owner`, a name of this attempt's own.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn claim_request(
        &self,
        request: &KeyedRequest,
        owner: &str,
        now: Timestamp,
    ) -> Result<Claimed, StoreError> {
        let mut claim = Claim { owner: owner.to_owned(), begun_at: now };
        let condition = format!("attribute_not_exists({PK}) OR kept_until <= :now");
        let values = [(":now", n(now.as_millis()))];
        let row = held(request, &claim, now);
        let Err(item) = self.put_answer(request, &row, None, &condition, values).await? else {
            return Ok(Claimed::Won(claim));
        };
        // It may be gone in this moment: then it is free, which the next attempt finds.
        let Some(item) = item else { return Ok(Claimed::Running) };
        let sealed =
            item.get(item::BODY).and_then(|body| body.as_b().ok()).map(|body| body.as_ref().to_vec());
        let found: Row = from_item(item).map_err(|error| StoreError::Corrupt(error.into()))?;
        // A write whose answer was lost is sent again and then finds its own work.
        if found.holder == owner {
            return Ok(Claimed::Won(claim));
        }
        if found.fingerprint != request.fingerprint {
            return Ok(Claimed::OtherRequest);
        }
        if let Some(chunks) = found.chunks {
            let sealed = match sealed.filter(|_| chunks == 0) {
                Some(sealed) => sealed,
                None => self.answer_chunks(request, &found.holder, chunks).await?,
            };
            return Ok(Claimed::Answered(sealed));
        }
        if found.held_until > now.as_millis() {
            return Ok(Claimed::Running);
        }
        claim.begun_at = found.begun_at;
        let values = [(":holder", s(&*found.holder)), (":until", n(found.held_until))];
        let condition = "holder = :holder AND held_until = :until AND attribute_not_exists(chunks)";
        let row = held(request, &claim, now);
        match self.put_answer(request, &row, None, condition, values).await? {
            Ok(()) => Ok(Claimed::Won(claim)),
            Err(Some(found)) if found.get("holder") == Some(&s(owner)) => Ok(Claimed::Won(claim)),
            Err(_) => Ok(Claimed::Running),
        }
    }

    /// Keeps what was answered to a claimed request.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has taken the request over.
    pub async fn keep_answer(
        &self,
        request: &KeyedRequest,
        claim: &Claim,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut row = held(request, claim, now);
        let inline = sealed.len() <= LARGEST_INLINE;
        let key = keys::answer(request.place.as_ref(), &request.name);
        let mut chunks = 0;
        if !inline {
            for mut chunk in item::chunks(&key.pk, &keys::answer_chunks(&claim.owner), sealed) {
                chunk.insert(EXPIRES_AT.to_owned(), n(row.expires_at));
                self.put(chunk).await?;
                chunks += 1;
            }
        }
        row.chunks = Some(chunks);
        let body = inline.then_some(sealed);
        self.replace_answer(request, claim, &row, body).await
    }

    /// Gives a claimed request up: the next attempt carries it out again, with the same time of beginning.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has taken the request over.
    pub async fn release_request(
        &self,
        request: &KeyedRequest,
        claim: &Claim,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = Row { held_until: 0, ..held(request, claim, now) };
        self.replace_answer(request, claim, &row, None).await
    }

    async fn replace_answer(
        &self,
        request: &KeyedRequest,
        claim: &Claim,
        row: &Row,
        body: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let values = [(":holder", s(&*claim.owner))];
        let condition = "holder = :holder AND attribute_not_exists(chunks)";
        match self.put_answer(request, row, body, condition, values).await? {
            Ok(()) => Ok(()),
            // Again its own work.
            Err(Some(found)) if found.get("holder") == Some(&s(&*claim.owner)) => Ok(()),
            Err(_) => Err(StoreError::Conflict),
        }
    }

    /// Writes the row; what is there instead when the condition does not hold.
    async fn put_answer(
        &self,
        request: &KeyedRequest,
        row: &Row,
        body: Option<&[u8]>,
        condition: &str,
        values: impl IntoIterator<Item = (&'static str, aws_sdk_dynamodb::types::AttributeValue)>,
    ) -> Result<Result<(), Option<Item>>, StoreError> {
        let key = keys::answer(request.place.as_ref(), &request.name);
        let mut item = with_key(key.clone(), row)?;
        // An absent value is no attribute, so that conditions can ask for it.
        item.retain(|_, value| !value.is_null());
        if let Some(body) = body {
            item.insert(item::BODY.to_owned(), item::b(body.to_vec()));
        }
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::formed(item)))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, value) in values {
            put = put.expression_attribute_values(name, value);
        }
        let (refusal, error) = match self.attempts(put).await.answer {
            Ok(_) => return Ok(Ok(())),
            Err(refused) => refused,
        };
        let found = match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item().cloned(),
            _ => return Err(store_error(refusal, &error)),
        };
        match found {
            Some(found) => Ok(Err(Some(found))),
            // Some emulators do not give it.
            None => Ok(Err(self.get(key).await?)),
        }
    }

    async fn answer_chunks(
        &self,
        request: &KeyedRequest,
        owner: &str,
        chunks: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let Key { pk, .. } = keys::answer(request.place.as_ref(), &request.name);
        let items = self.get_all(&pk, &format!("{}#", keys::answer_chunks(owner))).await?;
        if items.len() != chunks {
            return Err(StoreError::Corrupt(
                format!("{} of {chunks} parts of an answer", items.len()).into(),
            ));
        }
        let parts: Vec<&[u8]> =
            items.iter().map(|item| item::bytes(item, item::BODY)).collect::<Result<_, _>>()?;
        Ok(parts.concat())
    }
}

fn held(request: &KeyedRequest, claim: &Claim, now: Timestamp) -> Row {
    let kept_until = claim.begun_at.plus(ANSWERS_KEPT_FOR);
    Row {
        fingerprint: request.fingerprint.clone(),
        holder: claim.owner.clone(),
        begun_at: claim.begun_at,
        held_until: now.plus(OWNED_FOR).as_millis(),
        kept_until: kept_until.as_millis(),
        chunks: None,
        expires_at: kept_until.as_seconds() + 1,
    }
}
