//! SQS through the SDK, on Tokio's test clock: a test that waits for a delay takes no time.

use super::*;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(30);

struct Fixture {
    sqs: EmbeddedSqs,
    client: Client,
    queues: QueuePair,
}

impl Fixture {
    async fn new() -> Self {
        let sqs = EmbeddedSqs::start();
        let queues = sqs.create_queues("runs", TIMEOUT, 2).await.unwrap();
        Self { client: sqs_client(&sqs, []), sqs, queues }
    }

    async fn send(&self, body: &str, delay: i32) {
        let request = self.client.send_message().queue_url(&self.queues.queue_url);
        request.message_body(body).delay_seconds(delay).send().await.unwrap();
    }

    async fn receive(&self, wait: i32) -> Option<Message> {
        receive(&self.client, &self.queues.queue_url, wait).await
    }

    async fn counts(&self) -> [String; 3] {
        let request = self.client.get_queue_attributes().queue_url(&self.queues.queue_url);
        let attributes =
            request.attribute_names(QueueAttributeName::All).send().await.unwrap().attributes.unwrap();
        [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ]
        .map(|name| attributes[&name].clone())
    }
}

async fn receive(client: &Client, url: &str, wait: i32) -> Option<Message> {
    let request = client.receive_message().queue_url(url).wait_time_seconds(wait);
    let request = request.message_system_attribute_names(MessageSystemAttributeName::All);
    request.send().await.unwrap().messages.unwrap_or_default().pop()
}

fn body(message: Option<Message>) -> Option<String> {
    message.and_then(|message| message.body)
}

#[tokio::test(start_paused = true)]
async fn a_waiting_receive_wakes_when_a_message_arrives() {
    let fixture = Fixture::new().await;
    let start = Instant::now();
    let (received, ()) = tokio::join!(fixture.receive(20), fixture.send("now", 0));
    assert_eq!(body(received).as_deref(), Some("now"));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn every_waiting_receiver_gets_a_message_of_a_batch() {
    let fixture = Fixture::new().await;
    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(id).build().unwrap();
    let batch = fixture.client.send_message_batch().queue_url(&fixture.queues.queue_url);
    let batch = batch.entries(entry("a")).entries(entry("b")).entries(entry("c"));
    let (a, b, c, sent) =
        tokio::join!(fixture.receive(20), fixture.receive(20), fixture.receive(20), batch.send());
    assert_eq!(sent.unwrap().successful().len(), 3);
    let mut bodies = [a, b, c].map(|message| body(message).unwrap());
    bodies.sort();
    assert_eq!(bodies, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_finds_nothing_returns_empty_when_its_time_is_over() {
    let fixture = Fixture::new().await;
    let start = Instant::now();
    assert!(fixture.receive(0).await.is_none());
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(fixture.receive(20).await.is_none());
    assert!((20.0..20.1).contains(&start.elapsed().as_secs_f64()));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_receive_wakes_when_a_delay_ends_whatever_was_sent_before() {
    let fixture = Fixture::new().await;
    let start = Instant::now();
    fixture.send("late", 15).await;
    assert!(fixture.receive(1).await.is_none());
    let (received, ()) = tokio::join!(fixture.receive(20), fixture.send("soon", 3));
    assert_eq!(body(received).as_deref(), Some("soon"));
    assert!((4.0..4.1).contains(&start.elapsed().as_secs_f64()));
    assert_eq!(body(fixture.receive(20).await).as_deref(), Some("late"));
    assert!((15.0..15.1).contains(&start.elapsed().as_secs_f64()));
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_back_when_its_visibility_ends_and_dies_after_two_receives() {
    let fixture = Fixture::new().await;
    let start = Instant::now();
    fixture.send("poison", 0).await;
    let first = fixture.receive(0).await.unwrap();
    assert_eq!(first.attributes.unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert!(fixture.receive(20).await.is_none());
    let second = fixture.receive(20).await.unwrap();
    assert_eq!(second.attributes.unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "2");
    assert!((30.0..30.1).contains(&start.elapsed().as_secs_f64()));

    let dead = receive(&fixture.client, &fixture.queues.dead_letter_queue_url, 0).await;
    assert!(dead.is_none(), "not before the next receive");
    assert!(fixture.receive(20).await.is_none());
    assert!(fixture.receive(20).await.is_none());
    let dead = receive(&fixture.client, &fixture.queues.dead_letter_queue_url, 0).await.unwrap();
    assert_eq!((dead.message_id, dead.body.as_deref()), (first.message_id, Some("poison")));
    assert_eq!(
        dead.attributes.unwrap()[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        "arn:aws:sqs:us-east-1:000000000000:runs"
    );
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gives_a_message_back_to_another_that_waits() {
    let fixture = Fixture::new().await;
    fixture.send("handed on", 0).await;
    let handle = fixture.receive(0).await.unwrap().receipt_handle.unwrap();
    let give_back = fixture.client.change_message_visibility().queue_url(&fixture.queues.queue_url);
    let give_back = give_back.receipt_handle(&handle).visibility_timeout(0);
    let start = Instant::now();
    let (received, given) = tokio::join!(fixture.receive(20), give_back.clone().send());
    given.unwrap();
    assert_eq!(body(received).as_deref(), Some("handed on"));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let error = give_back.send().await.unwrap_err().into_service_error();
    assert!(error.is_message_not_inflight());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_message_is_gone() {
    let fixture = Fixture::new().await;
    fixture.send("a", 0).await;
    fixture.send("b", 0).await;
    let delete = |id: &str, message: Message| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id);
        entry.receipt_handle(message.receipt_handle.unwrap()).build().unwrap()
    };
    let batch = fixture.client.delete_message_batch().queue_url(&fixture.queues.queue_url);
    let a = delete("a", fixture.receive(0).await.unwrap());
    let b = delete("b", fixture.receive(0).await.unwrap());
    assert_eq!(fixture.counts().await, ["0", "2", "0"]);
    assert_eq!(batch.entries(a).entries(b).send().await.unwrap().successful().len(), 2);
    assert_eq!(fixture.counts().await, ["0", "0", "0"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_keeps_its_attributes() {
    let fixture = Fixture::new().await;
    let text = |value: &str| {
        MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
    };
    let send = fixture
        .client
        .send_message()
        .queue_url(&fixture.queues.queue_url)
        .message_body("{\"a\": \"\u{e9}\"}");
    send.message_attributes("trace.id", text("x"))
        .message_attributes("other", text("y"))
        .send()
        .await
        .unwrap();
    let receive = fixture.client.receive_message().queue_url(&fixture.queues.queue_url);
    let message =
        receive.message_attribute_names("trace.*").send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(message.body.as_deref(), Some("{\"a\": \"\u{e9}\"}"));
    let attributes = message.message_attributes.unwrap();
    assert_eq!(attributes["trace.id"].string_value(), Some("x"));
    assert_eq!(attributes.len(), 1);
    assert!(message.attributes.unwrap_or_default().is_empty(), "none were asked for");
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_created_from_its_attributes_and_found_by_name() {
    let fixture = Fixture::new().await;
    let client = &fixture.client;
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:runs-dlq","maxReceiveCount":"5"}"#;
    let create = |timeout: &str| {
        let create =
            client.create_queue().queue_name("other").attributes(QueueAttributeName::RedrivePolicy, policy);
        create.attributes(QueueAttributeName::VisibilityTimeout, timeout).send()
    };
    let url = create("360").await.unwrap().queue_url;
    assert_eq!(create("360").await.unwrap().queue_url, url);
    assert!(create("361").await.unwrap_err().into_service_error().is_queue_name_exists());
    assert_eq!(client.get_queue_url().queue_name("other").send().await.unwrap().queue_url, url);
    let error = client.get_queue_url().queue_name("absent").send().await.unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
    assert_eq!(create("43201").await.unwrap_err().code(), Some("InvalidAttributeValue"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_refuses_its_bad_entries_only() {
    let fixture = Fixture::new().await;
    let entry = |id: &str, delay| {
        SendMessageBatchRequestEntry::builder().id(id).message_body(id).delay_seconds(delay).build().unwrap()
    };
    let batch = || fixture.client.send_message_batch().queue_url(&fixture.queues.queue_url);
    let answer = batch().entries(entry("good", 0)).entries(entry("bad", 901)).send().await.unwrap();
    assert_eq!((answer.successful().len(), answer.failed()[0].id()), (1, "bad"));
    let error = batch().entries(entry("a", 0)).entries(entry("a", 0)).send().await.unwrap_err();
    assert!(error.into_service_error().is_batch_entry_ids_not_distinct());
    let eleven = (0..11).map(|id| entry(&id.to_string(), 0)).collect();
    let error = batch().set_entries(Some(eleven)).send().await.unwrap_err();
    assert!(error.into_service_error().is_too_many_entries_in_batch_request());
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_waiting_receives_and_refuses_the_rest() {
    let fixture = Fixture::new().await;
    let start = Instant::now();
    let (received, ()) = tokio::join!(fixture.receive(20), fixture.sqs.clone().shutdown());
    assert!(received.is_none());
    let request = fixture.client.send_message().queue_url(&fixture.queues.queue_url).message_body("late");
    assert!(request.send().await.unwrap_err().as_service_error().is_none());
    assert!(matches!(fixture.sqs.create_queues("runs", TIMEOUT, 2).await, Err(SqsError::Closed)));
    assert_eq!(start.elapsed(), Duration::ZERO);
}
