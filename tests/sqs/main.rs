//! What every queue does, tried on SQS: on the server of its protocol that `TEST_SQS_URL` names. Apart from the other tests,
//! because `./test.sh sqs` starts one.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

#[path = "../it/queue/suite.rs"]
mod suite;

use std::env;
use std::sync::Arc;

use serde_json::{Value, json};
use shared::platform::queue::SqsQueue;
use shared::types::clock::Clock;

use suite::{Subject, VISIBILITY, sdk};

/// What only a deployment's stack asks of SQS.
async fn ask(server: &str, operation: &str, request: Value) -> Value {
    let request = it::http_client()
        .post(server)
        .header("x-amz-target", format!("AmazonSQS.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request")
        .body(request.to_string());
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{operation}: {text}");
    serde_json::from_str(&text).unwrap()
}

async fn create(server: &str, name: &str, attributes: Value) -> String {
    let new = json!({ "QueueName": name, "Attributes": attributes });
    ask(server, "CreateQueue", new).await["QueueUrl"].as_str().unwrap().to_owned()
}

async fn arn(server: &str, url: &str) -> Value {
    let which = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
    ask(server, "GetQueueAttributes", which).await["Attributes"]["QueueArn"].clone()
}

mod on_sqs {
    use super::subject;
    use super::suite::tests_of_a_queue;

    tests_of_a_queue!(subject);
}

/// New queues at the server.
async fn subject(test: &str) -> Subject {
    let server = env::var("TEST_SQS_URL").expect("TEST_SQS_URL names a server; ./test.sh sqs starts one");
    let name = format!("{test}-{}", std::process::id());
    let dead_letters = create(&server, &format!("{name}-dead"), json!({})).await;
    let policy = json!({ "maxReceiveCount": 2, "deadLetterTargetArn": arn(&server, &dead_letters).await });
    let attributes = json!({
        "VisibilityTimeout": VISIBILITY.as_secs().to_string(),
        "RedrivePolicy": policy.to_string(),
    });
    let queue = create(&server, &name, attributes).await;
    Subject {
        queue: Arc::new(SqsQueue::new(sdk(&server), queue)),
        dead_letters: Arc::new(SqsQueue::new(sdk(&server), dead_letters)),
        clock: Clock::System,
    }
}
