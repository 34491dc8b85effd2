//! The Lambda function `run_step_worker`: SQS hands it messages, it moves the runs that they name.

use std::time::{Duration, SystemTime};

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::AppState;
use shared::worker::{Message, Received, handle};
use tokio::time::Instant;

/// What an invocation may take when nobody says: enough for the longest call and its commit.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(900);

fn main() -> Result<(), Error> {
    shared::api::run(|state| {
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| batch(state.clone(), event)))
    })
}

async fn batch(state: AppState, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    // A deadline that has passed is none: `cargo lambda watch` sets 1970.
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(UNKNOWN_DEADLINE);
    let messages = event.payload.records.into_iter().map(|record| {
        let attribute = |name: &str| record.attributes.get(name).map(String::as_str);
        let count = attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        let message = Message {
            id: record.message_id.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
            receive_count: count.unwrap_or(1),
        };
        Received::with_attributes(message, attribute)
    });
    let failed = handle(&state, messages, Instant::now() + left).await;
    let mut response = SqsBatchResponse::default();
    for id in failed {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        response.batch_item_failures.push(failure);
    }
    Ok(response)
}
