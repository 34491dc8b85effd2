//! Requests to AWS, each kind of them compiled once.
//!
//! What the SDK does for a request (endpoints, signing, retries, time limits) is compiled into whatever holds the
//! request's future. An asynchronous function is compiled where it is awaited, so that would be the crate of services, anew
//! with each change of one. Behind a pointer it is compiled here.

use std::future::Future;
use std::pin::Pin;

use aws_sdk_dynamodb::operation as dynamodb;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

/// What comes of a request.
pub type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send>>;

/// A request that can be sent.
pub trait Call {
    /// What AWS answers.
    type Output;
    /// What it refuses with.
    type Error;

    /// Sends it, as the SDK's `send` does.
    fn call(self) -> Answer<Self::Output, Self::Error>;
}

macro_rules! calls {
    ($($service:ident::$operation:ident: $request:ident => $output:ident, $error:ident;)*) => {$(
        impl Call for $service::$operation::builders::$request {
            type Output = $service::$operation::$output;
            type Error = $service::$operation::$error;

            #[inline(never)]
            fn call(self) -> Answer<Self::Output, Self::Error> {
                Box::pin(self.send())
            }
        }
    )*};
}

calls! {
    dynamodb::batch_get_item: BatchGetItemFluentBuilder => BatchGetItemOutput, BatchGetItemError;
    dynamodb::delete_item: DeleteItemFluentBuilder => DeleteItemOutput, DeleteItemError;
    dynamodb::get_item: GetItemFluentBuilder => GetItemOutput, GetItemError;
    dynamodb::put_item: PutItemFluentBuilder => PutItemOutput, PutItemError;
    dynamodb::query: QueryFluentBuilder => QueryOutput, QueryError;
    dynamodb::scan: ScanFluentBuilder => ScanOutput, ScanError;
    dynamodb::transact_write_items: TransactWriteItemsFluentBuilder => TransactWriteItemsOutput, TransactWriteItemsError;
    dynamodb::update_item: UpdateItemFluentBuilder => UpdateItemOutput, UpdateItemError;
}
