//! What DynamoDB's refusals mean, and what is done about them: in one place, for every call.
//!
//! | it answers | it was done | so |
//! |---|---|---|
//! | a condition does not hold | no | a conflict, for the caller to read again |
//! | it meets a transaction (`TransactionConflict…`) | no | it is sent again, or is a conflict where a caller reads again anyway |
//! | too much (throttled, in any of its names) | no | it is sent again |
//! | nothing, or that it broke down | perhaps | it is sent again, in a way that does no harm when it was done |
//! | anything else | no | an error |
//!
//! Sending again does no harm because reads change nothing, unconditional puts and deletes say the same twice, a
//! transaction has a token under which it is done once, and a conditional put whose condition fails after an attempt
//! that may have been done looks whether the row is what it put. It ends when the patience of the work is over.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, TransactWriteItem};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use uuid::Uuid;

use super::item::{Item, formed};
use super::keys::{PK, SK};
use super::{Store, StoreError};
use platform::aws::Call;
use platform::patience::Trouble;

/// What a request came to that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its condition does not hold.
    Condition,
    /// A transaction is writing the row just now.
    Contended,
    /// The same, of nothing but counters.
    CounterContended,
    /// Not now. Nothing was done.
    Throttled,
    /// Nobody knows whether it was done.
    Unclear,
    /// It would be refused again.
    Final,
}

/// What a write does that meets a transaction on its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnContention {
    /// It is sent again: its condition, if it has one, tells then what came of the other.
    SendAgain,
    /// It is a conflict: the caller reads the row again, and may write something else.
    Conflict,
}

/// What became of a request.
pub(super) struct Sent<T, E> {
    pub(super) answer: Result<T, (Refusal, SdkError<E, HttpResponse>)>,
    /// An attempt before the last one may have been carried out.
    pub(super) is_unclear: bool,
}

impl<T, E> Sent<T, E>
where
    E: ProvideErrorMetadata + std::fmt::Debug + 'static,
{
    fn result(self) -> Result<T, StoreError> {
        self.answer.map_err(|(refusal, error)| store_error(refusal, &error))
    }
}

/// Sends a request again as long as that may help, it is `allowed` after such a refusal, and there is patience.
async fn attempts<C>(
    mut trouble: Trouble,
    call: C,
    read: impl Fn(&SdkError<C::Error, HttpResponse>) -> Refusal,
    allowed: impl Fn(Refusal) -> bool,
) -> Sent<C::Output, C::Error>
where
    C: Call + Clone,
{
    let mut is_unclear = false;
    loop {
        let error = match call.clone().call().await {
            Ok(output) => return Sent { answer: Ok(output), is_unclear },
            Err(error) => error,
        };
        let refusal = read(&error);
        if !may_pass(refusal) || !allowed(refusal) || !trouble.pause().await {
            return Sent { answer: Err((refusal, error)), is_unclear };
        }
        is_unclear |= refusal == Refusal::Unclear;
        tracing::debug!(?refusal, tries = trouble.tries(), "a request is sent again");
    }
}

impl Store {
    /// Sends a request that may be carried out twice: a read, or a write that says the same twice.
    pub(super) async fn send<C>(&self, call: C) -> Result<C::Output, StoreError>
    where
        C: Call + Clone,
        C::Error: ProvideErrorMetadata + std::fmt::Debug + 'static,
    {
        self.attempts(call).await.result()
    }

    /// The same; how it was refused, for those who read that themselves.
    pub(super) async fn attempts<C>(&self, call: C) -> Sent<C::Output, C::Error>
    where
        C: Call + Clone,
        C::Error: ProvideErrorMetadata + std::fmt::Debug + 'static,
    {
        attempts(Trouble::new(&self.clock), call, refusal, |_| true).await
    }

    /// Sends a write that must not be carried out twice: again only when it certainly was not.
    pub(super) async fn send_once<C>(&self, call: C) -> Result<C::Output, StoreError>
    where
        C: Call + Clone,
        C::Error: ProvideErrorMetadata + std::fmt::Debug + 'static,
    {
        let is_sure = |refusal| refusal != Refusal::Unclear;
        attempts(Trouble::new(&self.clock), call, refusal, is_sure).await.result()
    }

    /// Sends a conditional update; false when its condition does not hold. When an attempt before may have been
    /// carried out, that is taken for its own work: such an update says the same twice.
    pub(super) async fn update_if<C>(&self, call: C) -> Result<bool, StoreError>
    where
        C: Call + Clone,
        C::Error: ProvideErrorMetadata + std::fmt::Debug + 'static,
    {
        let sent = self.attempts(call).await;
        let is_unclear = sent.is_unclear;
        match sent.result() {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(is_unclear),
            Err(error) => Err(error),
        }
    }

    /// Puts a row, whatever is there.
    pub(super) async fn put(&self, row: Item) -> Result<(), StoreError> {
        self.put_where(row, OnContention::SendAgain, |put| put).await
    }

    /// Puts a row where none is.
    pub(super) async fn put_new(&self, row: Item) -> Result<(), StoreError> {
        let is_free = format!("attribute_not_exists({PK})");
        self.put_where(row, OnContention::SendAgain, |put| put.condition_expression(is_free)).await
    }

    /// Puts a row under the condition that `set` adds.
    pub(super) async fn put_where(
        &self,
        row: Item,
        contention: OnContention,
        set: impl FnOnce(PutItemFluentBuilder) -> PutItemFluentBuilder,
    ) -> Result<(), StoreError> {
        let row = formed(row);
        let call = set(self.client.put_item().table_name(&self.table).set_item(Some(row.clone())));
        let allowed = |refusal| refusal != Refusal::Contended || contention == OnContention::SendAgain;
        let sent = attempts(Trouble::new(&self.clock), call, refusal, allowed).await;
        match sent.answer {
            Ok(_) => Ok(()),
            Err((Refusal::Condition, _)) if sent.is_unclear && self.is_there(&row).await? => Ok(()),
            Err((Refusal::Contended, _)) if contention == OnContention::Conflict => Err(StoreError::Conflict),
            Err((refusal, error)) => Err(store_error(refusal, &error)),
        }
    }

    /// Whether this very row is there: then an attempt whose answer was lost has put it.
    async fn is_there(&self, row: &Item) -> Result<bool, StoreError> {
        let key = [PK, SK].map(|name| (name.to_owned(), row.get(name).cloned()));
        let key = key.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<HashMap<_, _>>();
        let call = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        Ok(self.send(call).await?.item.is_some_and(|found| is_same(&found, row)))
    }

    /// All of these writes or none.
    pub(super) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        self.transact_and_count(writes, Vec::new(), OnContention::SendAgain).await
    }

    /// All of these writes and additions to counters, or none; [`StoreError::Busy`] when only a counter is in the way:
    /// what was decided about everything else still holds.
    pub(super) async fn transact_and_count(
        &self,
        mut writes: Vec<TransactWriteItem>,
        counters: Vec<TransactWriteItem>,
        contention: OnContention,
    ) -> Result<(), StoreError> {
        let own = writes.len();
        writes.extend(counters);
        // Of attempts with one token, one is carried out.
        let token = Uuid::new_v4().to_string();
        let call = self.client.transact_write_items().client_request_token(token);
        let call = call.set_transact_items(Some(writes));
        let read = |error: &SdkError<TransactWriteItemsError, HttpResponse>| transaction_refusal(error, own);
        let allowed = |refusal| match refusal {
            Refusal::CounterContended => false,
            Refusal::Contended => contention == OnContention::SendAgain,
            _ => true,
        };
        let sent = attempts(Trouble::new(&self.clock), call, read, allowed).await;
        match sent.answer {
            Ok(_) => Ok(()),
            Err((Refusal::Contended, _)) if contention == OnContention::Conflict => Err(StoreError::Conflict),
            Err((refusal, error)) => Err(store_error(refusal, &error)),
        }
    }
}

/// Whether the same request may succeed a little later.
fn may_pass(refusal: Refusal) -> bool {
    match refusal {
        Refusal::Contended | Refusal::CounterContended | Refusal::Throttled | Refusal::Unclear => true,
        Refusal::Condition | Refusal::Final => false,
    }
}

/// What a failed request means.
pub(super) fn refusal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Refusal {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => Refusal::Unclear,
        // The request cannot be sent, or there is nobody to send it to any more.
        SdkError::DispatchFailure(failure) if failure.is_user() => Refusal::Final,
        SdkError::DispatchFailure(_) => Refusal::Unclear,
        SdkError::ServiceError(service) => match service.err().code() {
            Some(code) => refusal_of(code),
            None if service.raw().status().is_server_error() => Refusal::Unclear,
            None => Refusal::Final,
        },
        _ => Refusal::Final,
    }
}

fn refusal_of(code: &str) -> Refusal {
    match code {
        "ConditionalCheckFailedException" => Refusal::Condition,
        "TransactionConflictException" => Refusal::Contended,
        "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => Refusal::Throttled,
        // Of a transaction: an attempt before this one is being carried out.
        "TransactionInProgressException"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Refusal::Unclear,
        _ => Refusal::Final,
    }
}

/// What a failed transaction means, whose writes after the first `own` add to counters.
fn transaction_refusal(error: &SdkError<TransactWriteItemsError, HttpResponse>, own: usize) -> Refusal {
    if let SdkError::ServiceError(service) = error
        && let TransactWriteItemsError::TransactionCanceledException(cancelled) = service.err()
    {
        return cancelled_refusal(cancelled.cancellation_reasons(), own);
    }
    refusal(error)
}

/// A condition that does not hold decides, whatever else was in the way.
fn cancelled_refusal(reasons: &[CancellationReason], own: usize) -> Refusal {
    let (own, counters) = reasons.split_at(own.min(reasons.len()));
    let has = |of: &[CancellationReason], codes: &[&str]| {
        of.iter().any(|reason| reason.code().is_some_and(|code| codes.contains(&code)))
    };
    match () {
        () if has(own, &["ConditionalCheckFailed"]) => Refusal::Condition,
        () if has(reasons, &["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"]) => {
            Refusal::Final
        }
        () if has(own, &["TransactionConflict"]) => Refusal::Contended,
        () if has(counters, &["TransactionConflict", "ConditionalCheckFailed"]) => Refusal::CounterContended,
        // ThrottlingError, ProvisionedThroughputExceeded, and what is not known yet.
        () => Refusal::Throttled,
    }
}

/// The error of a request that is not sent again.
pub(super) fn store_error<E>(refusal: Refusal, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::fmt::Debug + 'static,
{
    match refusal {
        Refusal::Condition => StoreError::Conflict,
        Refusal::Contended | Refusal::CounterContended => StoreError::Busy,
        Refusal::Final if error.code() == Some("ValidationException") => {
            StoreError::Corrupt(format!("DynamoDB refused a request: {:?}", error.message()).into())
        }
        Refusal::Final | Refusal::Throttled | Refusal::Unclear => {
            StoreError::Unavailable(describe(error).into())
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for StoreError
where
    E: ProvideErrorMetadata + std::fmt::Debug + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        store_error(refusal(&error), &error)
    }
}

fn describe<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E, HttpResponse>) -> String {
    match error {
        SdkError::ServiceError(service) => {
            format!("{:?}: {:?}", service.err().code(), service.err().message())
        }
        SdkError::ConstructionFailure(_) => "the request could not be built".to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::DispatchFailure(failure) => format!("dispatch: {failure:?}"),
        SdkError::ResponseError(_) => "unreadable answer".to_owned(),
        _ => "unknown failure".to_owned(),
    }
}

/// Whether two rows say the same. The members of a set are in no order.
fn is_same(found: &Item, put: &Item) -> bool {
    let is_same_value = |one: &AttributeValue, other: &AttributeValue| match (one, other) {
        (AttributeValue::Ss(one), AttributeValue::Ss(other)) => {
            one.len() == other.len() && one.iter().all(|member| other.contains(member))
        }
        _ => one == other,
    };
    let has = |(name, value): (&String, &AttributeValue)| {
        put.get(name).is_some_and(|other| is_same_value(value, other))
    };
    found.len() == put.len() && found.iter().all(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{n, s};

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn the_reasons_of_a_cancelled_transaction_decide_in_their_order() {
        for (codes, expected) in [
            (["None", "ConditionalCheckFailed", "TransactionConflict"], Refusal::Condition),
            (["TransactionConflict", "ConditionalCheckFailed", "None"], Refusal::Condition),
            (["ThrottlingError", "TransactionConflict", "None"], Refusal::Contended),
            (["None", "None", "TransactionConflict"], Refusal::CounterContended),
            (["None", "ThrottlingError", "TransactionConflict"], Refusal::CounterContended),
            (["None", "None", "ThrottlingError"], Refusal::Throttled),
            (["ProvisionedThroughputExceeded", "None", "None"], Refusal::Throttled),
            (["None", "None", "None"], Refusal::Throttled),
            (["ValidationError", "None", "ThrottlingError"], Refusal::Final),
        ] {
            assert_eq!(cancelled_refusal(&reasons(&codes), 2), expected, "{codes:?}");
        }
        assert_eq!(cancelled_refusal(&[], 2), Refusal::Throttled, "an answer without reasons");
    }

    #[test]
    fn rows_are_the_same_whatever_the_order_of_their_sets() {
        let row = |members: &[&str]| -> Item {
            let set = AttributeValue::Ss(members.iter().map(|member| (*member).to_owned()).collect());
            [("pk".to_owned(), s("a")), ("rev".to_owned(), n(1)), ("children".to_owned(), set)].into()
        };
        assert!(is_same(&row(&["x", "y"]), &row(&["y", "x"])));
        assert!(!is_same(&row(&["x", "y"]), &row(&["x", "z"])));
        assert!(!is_same(&row(&["x"]), &row(&["x", "y"])));
        let mut more = row(&["x"]);
        more.insert("other".to_owned(), n(2));
        assert!(!is_same(&more, &row(&["x"])) && !is_same(&row(&["x"]), &more));
    }
}
