//! What every queue does, tried on each there is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use shared::platform::queue::{LARGEST_BATCH, LARGEST_BODY, Message, NewMessage, Queue, Receipt};
use shared::platform::trace::Trace;
use shared::types::clock::Clock;
use shared::types::error::ErrorCode;

pub const TRACE: &str = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
pub const VISIBILITY: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);
/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A queue to be tried, which gives a message up after two receives.
pub struct Subject {
    pub queue: Arc<dyn Queue>,
    pub dead_letters: Arc<dyn Queue>,
    pub clock: Clock,
}

impl Subject {
    /// Lets time pass. Nobody can move a server's clock, so that one is asked for what it has not got, which takes it so long.
    async fn pass(&self, time: Duration) {
        match self.clock {
            Clock::System => assert_eq!(self.dead_letters.receive(1, time).await.unwrap(), []),
            Clock::Manual(_) => self.clock.advance(time),
        }
    }

    async fn send(&self, body: &str, delay: Duration) {
        self.queue.send(&message(body), delay).await.unwrap();
    }

    /// One message that is there.
    async fn take(&self) -> Option<Message> {
        self.wait(Duration::ZERO).await
    }

    async fn wait(&self, time: Duration) -> Option<Message> {
        let mut received = self.queue.receive(1, time).await.unwrap();
        assert!(received.len() < 2, "{received:?}");
        received.pop()
    }

    /// Takes every message that is there.
    async fn take_all(&self) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let batch = self.queue.receive(100, Duration::ZERO).await.unwrap();
            assert!(batch.len() <= LARGEST_BATCH);
            if batch.is_empty() {
                return all;
            }
            all.extend(batch);
        }
    }

    async fn delete(&self, receipts: &[Receipt]) {
        self.queue.delete(receipts).await.unwrap();
    }

    async fn hide(&self, message: &Message, time: Duration) -> bool {
        self.queue.change_visibility(&message.receipt, time).await.unwrap()
    }
}

pub fn message(body: &str) -> NewMessage {
    NewMessage { body: body.to_owned(), group: "acme".to_owned(), trace: None }
}

fn body(message: Option<Message>) -> Option<String> {
    message.map(|message| message.body)
}

/// Settings of an SDK client at this server.
pub fn sdk(server: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(server)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(shared::platform::aws::http_client())
        .build()
}

/// A test of each behaviour, with what `$subject` makes for the test of this name.
macro_rules! tests_of_a_queue {
    ($subject:path) => {
        tests_of_a_queue! { $subject:
            a_message_comes_as_it_was_sent
            a_batch_has_ten_messages_at_most
            nobody_receives_what_another_has
            a_waiting_receive_wakes_when_a_message_arrives
            a_receive_that_finds_nothing_ends_when_its_time_is_over
            a_delayed_message_comes_when_its_delay_ends
            a_waiting_receive_wakes_when_a_delay_ends
            a_message_comes_back_when_its_visibility_ends
            deleted_messages_are_gone
            the_receipt_of_an_earlier_receive_is_stale
            a_receiver_prolongs_its_hold
            a_receiver_gives_a_message_back_to_one_that_waits
            a_message_is_a_dead_letter_after_as_many_receives_as_the_queue_allows
            a_message_has_a_largest_size
        }
    };
    ($subject:path: $($test:ident)*) => {
        $(#[tokio::test]
        async fn $test() {
            super::suite::$test(&$subject(stringify!($test)).await).await;
        })*
    };
}
pub(crate) use tests_of_a_queue;

pub async fn a_message_comes_as_it_was_sent(subject: &Subject) {
    let trace = Trace::parse(TRACE);
    let text = "{\"name\": \"Zo\u{eb}\", \"of\": \"<&>\"}";
    let sent_at = subject.clock.now();
    subject.queue.send(&NewMessage { trace: trace.clone(), ..message(text) }, Duration::ZERO).await.unwrap();
    let received = subject.wait(LONG).await.unwrap();
    assert_eq!((received.body.as_str(), received.receive_count, received.trace), (text, 1, trace));
    assert!(!received.id.is_empty());
    let off = received.sent_at.unwrap().since(sent_at).max(sent_at.since(received.sent_at.unwrap()));
    assert!(off < LONG, "{off:?}");
    subject.delete(&[received.receipt]).await;

    subject.send("without a trace", Duration::ZERO).await;
    assert_eq!(subject.wait(LONG).await.unwrap().trace, None);
}

pub async fn a_batch_has_ten_messages_at_most(subject: &Subject) {
    let sent: BTreeSet<String> = (0..LARGEST_BATCH + 2).map(|number| number.to_string()).collect();
    for body in &sent {
        subject.send(body, Duration::ZERO).await;
    }
    let received: Vec<String> = subject.take_all().await.into_iter().map(|message| message.body).collect();
    assert_eq!(received.len(), sent.len(), "each comes once: {received:?}");
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>(), sent);
}

pub async fn nobody_receives_what_another_has(subject: &Subject) {
    for number in 0..15 {
        subject.send(&number.to_string(), Duration::ZERO).await;
    }
    let (a, b, c) = tokio::join!(subject.take_all(), subject.take_all(), subject.take_all());
    let ids: Vec<String> = [a, b, c].into_iter().flatten().map(|message| message.id).collect();
    assert_eq!(ids.len(), 15);
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), 15);
}

pub async fn a_waiting_receive_wakes_when_a_message_arrives(subject: &Subject) {
    let began = subject.clock.now();
    let (received, ()) = tokio::join!(subject.wait(LONG), subject.send("now", Duration::ZERO));
    assert_eq!(body(received).as_deref(), Some("now"));
    assert!(subject.clock.now().since(began) < LONG / 2);
}

pub async fn a_receive_that_finds_nothing_ends_when_its_time_is_over(subject: &Subject) {
    assert_eq!(subject.take().await, None);
    let (received, ()) = tokio::join!(subject.wait(SECOND), subject.pass(SECOND));
    assert_eq!(received, None);
}

pub async fn a_delayed_message_comes_when_its_delay_ends(subject: &Subject) {
    subject.send("later", 2 * SECOND).await;
    assert_eq!(subject.take().await, None);
    subject.pass(SECOND / 2).await;
    assert_eq!(subject.take().await, None);
    subject.pass(3 * SECOND / 2).await;
    assert_eq!(body(subject.wait(LONG).await).as_deref(), Some("later"));
}

pub async fn a_waiting_receive_wakes_when_a_delay_ends(subject: &Subject) {
    subject.send("late", 10 * SECOND).await;
    let soon = async {
        subject.send("soon", SECOND).await;
        subject.pass(SECOND).await;
    };
    let (received, ()) = tokio::join!(subject.wait(LONG), soon);
    assert_eq!(body(received).as_deref(), Some("soon"));
}

pub async fn a_message_comes_back_when_its_visibility_ends(subject: &Subject) {
    subject.send("again", Duration::ZERO).await;
    let first = subject.wait(LONG).await.unwrap();
    assert_eq!(subject.take().await, None, "it is hidden");
    let (second, ()) = tokio::join!(subject.wait(LONG), subject.pass(VISIBILITY));
    let second = second.unwrap();
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
    assert_eq!((&first.id, &first.body, first.sent_at), (&second.id, &second.body, second.sent_at));
    assert_ne!(first.receipt, second.receipt);
}

pub async fn deleted_messages_are_gone(subject: &Subject) {
    for number in 0..LARGEST_BATCH + 3 {
        subject.send(&number.to_string(), Duration::ZERO).await;
    }
    let receipts: Vec<Receipt> =
        subject.take_all().await.into_iter().map(|message| message.receipt).collect();
    assert_eq!(receipts.len(), LARGEST_BATCH + 3);
    subject.delete(&receipts).await;
    subject.delete(&receipts).await;
    subject.pass(VISIBILITY + SECOND / 2).await;
    assert_eq!(subject.take().await, None);
}

pub async fn the_receipt_of_an_earlier_receive_is_stale(subject: &Subject) {
    subject.send("mine", Duration::ZERO).await;
    let first = subject.wait(LONG).await.unwrap();
    let (second, ()) = tokio::join!(subject.wait(LONG), subject.pass(VISIBILITY));
    let second = second.unwrap();
    subject.delete(std::slice::from_ref(&first.receipt)).await;
    assert!(!subject.hide(&first, Duration::ZERO).await, "another receiver has it");
    assert_eq!(subject.take().await, None, "it was not given back");
    assert!(subject.hide(&second, VISIBILITY).await, "it was not deleted");
    subject.delete(std::slice::from_ref(&second.receipt)).await;
    assert!(!subject.hide(&second, VISIBILITY).await, "it is gone");
}

pub async fn a_receiver_prolongs_its_hold(subject: &Subject) {
    subject.send("held", Duration::ZERO).await;
    let held = subject.wait(LONG).await.unwrap();
    assert!(subject.hide(&held, 2 * VISIBILITY).await);
    subject.pass(VISIBILITY + SECOND / 2).await;
    assert_eq!(subject.take().await, None);
    let (again, ()) = tokio::join!(subject.wait(LONG), subject.pass(VISIBILITY));
    assert_eq!(again.unwrap().id, held.id);
}

pub async fn a_receiver_gives_a_message_back_to_one_that_waits(subject: &Subject) {
    subject.send("handed on", Duration::ZERO).await;
    let first = subject.wait(LONG).await.unwrap();
    let began = subject.clock.now();
    let (again, given) = tokio::join!(subject.wait(LONG), subject.hide(&first, Duration::ZERO));
    assert!(given);
    assert_eq!(again.unwrap().id, first.id);
    assert!(subject.clock.now().since(began) < VISIBILITY);
}

pub async fn a_message_is_a_dead_letter_after_as_many_receives_as_the_queue_allows(subject: &Subject) {
    subject.send("poison", Duration::ZERO).await;
    let first = subject.wait(LONG).await.unwrap();
    assert!(subject.hide(&first, Duration::ZERO).await);
    let second = subject.wait(LONG).await.unwrap();
    assert_eq!(
        subject.dead_letters.receive(1, Duration::ZERO).await.unwrap(),
        [],
        "it was received twice only"
    );
    assert!(subject.hide(&second, Duration::ZERO).await);
    subject.send("healthy", Duration::ZERO).await;
    assert_eq!(body(subject.wait(LONG).await).as_deref(), Some("healthy"));
    let dead = subject.dead_letters.receive(10, LONG).await.unwrap();
    let dead: Vec<_> = dead.iter().map(|message| (&message.id, message.body.as_str())).collect();
    assert_eq!(dead, [(&first.id, "poison")]);
    assert_eq!(subject.take().await, None);
}

pub async fn a_message_has_a_largest_size(subject: &Subject) {
    let largest = "x".repeat(LARGEST_BODY);
    subject.send(&largest, Duration::ZERO).await;
    assert_eq!(subject.wait(LONG).await.unwrap().body.len(), LARGEST_BODY);
    for body in ["", &format!("{largest}x")] {
        let refused = subject.queue.send(&message(body), Duration::ZERO).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Internal, "nobody's fault but ours");
    }
    assert_eq!(subject.take().await, None);
}
