//! What a queue in memory does beyond what every queue does, which the suite in `tests/it/queue` has.

use super::*;

const VISIBILITY: Duration = Duration::from_secs(30);

fn queue() -> (Clock, Arc<InProcessQueue>) {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let (queue, _) = InProcessQueue::with_dead_letters(&clock, VISIBILITY, 2);
    (clock, queue)
}

fn message(group: &str, body: impl Into<String>) -> NewMessage {
    NewMessage { body: body.into(), group: group.to_owned(), trace: None }
}

async fn send(queue: &InProcessQueue, group: &str, body: &str) {
    queue.send(&message(group, body), Duration::ZERO).await.unwrap();
}

async fn take(queue: &InProcessQueue, most: usize) -> Vec<Message> {
    queue.receive(most, Duration::ZERO).await.unwrap()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

#[tokio::test]
async fn a_backlog_of_one_group_does_not_hold_up_another() {
    let (_, queue) = queue();
    for body in ["a1", "a2", "a3", "a4"] {
        send(&queue, "a", body).await;
    }
    send(&queue, "b", "b1").await;
    assert_eq!(bodies(&take(&queue, 3).await), ["a1", "b1", "a2"]);
    send(&queue, "b", "b2").await;
    assert_eq!(bodies(&take(&queue, 10).await), ["a3", "b2", "a4"]);
}

#[tokio::test]
async fn a_group_that_is_not_admitted_holds_up_nobody_and_keeps_its_order() {
    let (clock, queue) = queue();
    for (group, body) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1")] {
        send(&queue, group, body).await;
    }
    let received = async |admit: &dyn Fn(&str) -> bool| {
        let with = |group: &str| admit(group).then(|| group.to_owned());
        let received = queue.receive_admitted(10, Duration::ZERO, with).await.unwrap();
        received.into_iter().map(|(message, group)| format!("{} {group}", message.body)).collect::<Vec<_>>()
    };
    let left = std::cell::Cell::new(1);
    let one_of_a = |group: &str| group != "a" || left.replace(0) > 0;
    assert_eq!(received(&one_of_a).await, ["a1 a", "b1 b", "c1 c"]);
    assert_eq!(received(&|_| false).await, [""; 0]);
    assert_eq!(received(&|_| true).await, ["a2 a", "a3 a"]);
    // Twice received, and never handled: what is dead needs no admission.
    clock.advance(VISIBILITY);
    assert_eq!(received(&|_| true).await.len(), 5);
    clock.advance(VISIBILITY);
    assert_eq!(received(&|_| false).await, [""; 0]);
    assert_eq!(queue.state().messages.next_due(), None);
}

#[tokio::test]
async fn a_receipt_deletes_until_the_message_is_received_again() {
    let (clock, queue) = queue();
    send(&queue, "a", "late delete").await;
    let first = take(&queue, 1).await.remove(0);
    clock.advance(VISIBILITY);
    // Another receiver has it.
    let second = take(&queue, 1).await.remove(0);
    queue.delete(&[first.receipt]).await.unwrap();
    assert_eq!(queue.state().messages.next_due(), Some(clock.now().plus(VISIBILITY)));
    clock.advance(VISIBILITY);
    assert!(
        !queue.change_visibility(&second.receipt, VISIBILITY).await.unwrap(),
        "it is not hidden any more"
    );
    queue.delete(&[second.receipt]).await.unwrap();
    assert_eq!(take(&queue, 1).await, []);
}

#[tokio::test]
async fn what_is_deleted_or_received_in_vain_leaves_nothing_behind() {
    let (clock, queue) = queue();
    for round in 0..3 {
        for group in ["a", "b"] {
            send(&queue, group, "x").await;
            queue.send(&message(group, "later"), Duration::from_secs(5)).await.unwrap();
        }
        clock.advance(Duration::from_secs(5));
        let taken = take(&queue, 10).await;
        assert_eq!(taken.len(), 4, "round {round}");
        if round == 1 {
            // Comes back before it is deleted.
            clock.advance(VISIBILITY);
            queue.state().messages.change_visibility(&taken[0].receipt, VISIBILITY, clock.now());
        }
        let receipts: Vec<_> = taken.into_iter().map(|message| message.receipt).collect();
        queue.delete(&receipts).await.unwrap();
        let left = format!("{:?}", queue.state().messages);
        assert_eq!(left, format!("{:?}", Messages::default()), "round {round}");
    }
}

#[tokio::test]
async fn a_queue_without_room_refuses_messages_until_some_are_deleted() {
    let (_, queue) = queue();
    let large = message("a", "x".repeat(1 << 20));
    let mut sent = 0;
    while queue.send(&large, Duration::ZERO).await.is_ok() {
        sent += 1;
        assert!(sent < 100, "it takes messages without end");
    }
    let receipts: Vec<_> = take(&queue, 10).await.into_iter().map(|message| message.receipt).collect();
    queue.delete(&receipts).await.unwrap();
    queue.send(&large, Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn the_end_answers_who_waits_and_refuses_the_rest() {
    let (_, queue) = queue();
    let closing = async { queue.close() };
    let (received, ()) = tokio::join!(queue.receive(1, Duration::from_secs(20)), closing);
    assert_eq!(received.unwrap(), []);
    assert!(queue.send(&message("a", "late"), Duration::ZERO).await.is_err());
    assert!(queue.receive(1, Duration::ZERO).await.is_err());
}
