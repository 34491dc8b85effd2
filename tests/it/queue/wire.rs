//! What is asked of SQS, request by request, and what becomes of its answers.

use std::time::Duration;

use serde_json::{Value, json};
use shared::platform::queue::{LONGEST_DELAY, LONGEST_WAIT, NewMessage, Queue, Receipt, SqsQueue};
use shared::platform::trace::Trace;
use shared::types::clock::Timestamp;
use shared::types::error::ErrorCode;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::suite::{TRACE, message, sdk};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/runs";

/// A server that answers everything like this, and the queue there.
async fn answering(answer: ResponseTemplate) -> (MockServer, SqsQueue) {
    let server = MockServer::start().await;
    Mock::given(matchers::method("POST")).respond_with(answer).mount(&server).await;
    let queue = SqsQueue::new(sdk(&server.uri()), URL);
    (server, queue)
}

fn ok(answer: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(answer)
}

fn refused(code: &str) -> ResponseTemplate {
    let name = code.rsplit('.').next().unwrap_or_default();
    let body = json!({ "__type": format!("com.amazonaws.sqs#{name}"), "message": "no" });
    ResponseTemplate::new(400)
        .insert_header("x-amzn-query-error", format!("{code};Sender").as_str())
        .set_body_json(body)
}

/// What the server was asked: operations and bodies.
async fn asked(server: &MockServer) -> Vec<(String, Value)> {
    let requests = server.received_requests().await.unwrap();
    let target = |request: &wiremock::Request| request.headers["x-amz-target"].to_str().unwrap().to_owned();
    requests.iter().map(|request| (target(request), request.body_json().unwrap())).collect()
}

#[tokio::test]
async fn a_message_is_sent_with_its_tenant_its_delay_and_its_trace() {
    let (server, queue) = answering(ok(&json!({ "MessageId": "m" }))).await;
    let traced = NewMessage { trace: Trace::parse(TRACE), ..message("{}") };
    queue.send(&traced, Duration::from_millis(1001)).await.unwrap();
    queue.send(&message("{}"), Duration::ZERO).await.unwrap();
    queue.send(&message("{}"), 2 * LONGEST_DELAY).await.unwrap();
    let plain = json!({ "QueueUrl": URL, "MessageBody": "{}", "MessageGroupId": "acme" });
    let trace = json!({ "AWSTraceHeader": { "DataType": "String", "StringValue": TRACE } });
    let expected = [
        // Never too early.
        it::with(plain.clone(), &json!({ "DelaySeconds": 2, "MessageSystemAttributes": trace })),
        plain.clone(),
        it::with(plain, &json!({ "DelaySeconds": 900 })),
    ];
    assert_eq!(asked(&server).await, expected.map(|body| ("AmazonSQS.SendMessage".to_owned(), body)));
}

#[tokio::test]
async fn messages_are_received_with_what_sqs_knows_of_them() {
    let attributes =
        json!({ "ApproximateReceiveCount": "3", "SentTimestamp": "1790000000123", "AWSTraceHeader": TRACE });
    let messages = json!({ "Messages": [
        { "MessageId": "m1", "ReceiptHandle": "r1", "Body": "one", "Attributes": attributes },
        { "MessageId": "m2", "ReceiptHandle": "r2", "Body": "two" },
    ] });
    let (server, queue) = answering(ok(&messages)).await;
    let received = queue.receive(100, 2 * LONGEST_WAIT).await.unwrap();
    let request = json!({ "QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20,
                          "MessageSystemAttributeNames": ["All"] });
    assert_eq!(asked(&server).await, [("AmazonSQS.ReceiveMessage".to_owned(), request)]);
    assert_eq!((received[0].id.as_str(), received[0].body.as_str()), ("m1", "one"));
    assert_eq!((received[0].receive_count, received[1].receive_count), (3, 1));
    assert_eq!(received[0].sent_at, Some(Timestamp::from_millis(1_790_000_000_123)));
    assert_eq!((&received[0].trace, &received[1].trace), (&Trace::parse(TRACE), &None));

    let (_server, empty) = answering(ok(&json!({}))).await;
    assert_eq!(empty.receive(1, Duration::ZERO).await.unwrap(), []);
}

/// Receipts of as many messages.
async fn receipts(count: usize) -> Vec<Receipt> {
    let message = |number| json!({ "MessageId": "m", "ReceiptHandle": format!("r{number}"), "Body": "x" });
    let messages: Vec<Value> = (0..count).map(message).collect();
    let (_server, queue) = answering(ok(&json!({ "Messages": messages }))).await;
    let received = queue.receive(10, Duration::ZERO).await.unwrap();
    received.into_iter().map(|message| message.receipt).collect()
}

#[tokio::test]
async fn messages_are_deleted_ten_at_a_time_and_those_of_others_are_left() {
    let failed = |code: &str| json!({ "Id": "0", "Code": code, "SenderFault": true, "Message": "no" });
    let stale = json!({ "Successful": [{ "Id": "1" }], "Failed": [failed("ReceiptHandleIsInvalid")] });
    let (server, queue) = answering(ok(&stale)).await;
    queue.delete(&receipts(12).await).await.unwrap();
    let asked = asked(&server).await;
    assert_eq!(asked.len(), 2);
    let entries = |at: usize| asked[at].1["Entries"].as_array().unwrap().len();
    assert_eq!((asked[0].0.as_str(), entries(0), entries(1)), ("AmazonSQS.DeleteMessageBatch", 10, 2));
    assert_eq!(asked[1].1["Entries"][1], json!({ "Id": "1", "ReceiptHandle": "r11" }));

    let (_server, queue) =
        answering(ok(&json!({ "Successful": [], "Failed": [failed("InternalError")] }))).await;
    let error = queue.delete(&receipts(1).await).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::DependencyUnavailable);
}

#[tokio::test]
async fn a_message_is_hidden_by_its_receipt_unless_that_is_stale() {
    let receipt = receipts(1).await.remove(0);
    let (server, queue) = answering(ok(&json!({}))).await;
    assert!(queue.change_visibility(&receipt, Duration::from_millis(1500)).await.unwrap());
    let request = json!({ "QueueUrl": URL, "ReceiptHandle": "r0", "VisibilityTimeout": 2 });
    assert_eq!(asked(&server).await, [("AmazonSQS.ChangeMessageVisibility".to_owned(), request)]);
    let stale =
        ["AWS.SimpleQueueService.MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"];
    for code in stale {
        let (_server, queue) = answering(refused(code)).await;
        assert!(!queue.change_visibility(&receipt, Duration::ZERO).await.unwrap(), "{code}");
    }
    let (_server, queue) = answering(refused("AccessDenied")).await;
    let error = queue.change_visibility(&receipt, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::DependencyUnavailable);
}
