//! The rules of a queue, on a clock that the tests hold.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

fn at(start: Now, seconds: u64) -> Now {
    let passed = Duration::from_secs(seconds);
    Now { instant: start.instant + passed, unix_millis: start.unix_millis + passed.as_millis() }
}

fn send(queue: &mut Queue, body: &str, delay: u64, now: Now) {
    queue.send(Message::new(body.to_owned(), BTreeMap::new(), now), Duration::from_secs(delay), now);
}

fn receive(queue: &mut Queue, now: Now) -> Option<Message> {
    queue.receive(1, TIMEOUT, None, now).delivered.pop()
}

#[test]
fn messages_come_in_order_and_once() {
    let (mut queue, now) = (Queue::default(), Now::read());
    for body in ["a", "b", "c"] {
        send(&mut queue, body, 0, now);
    }
    let taken = queue.receive(2, TIMEOUT, None, now).delivered;
    assert_eq!(taken.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(receive(&mut queue, now).unwrap().body, "c");
    assert!(receive(&mut queue, now).is_none());
    assert_eq!(queue.counts(), Counts { ready: 0, in_flight: 3, delayed: 0 });
}

#[test]
fn a_delay_hides_a_message_until_its_end() {
    let (mut queue, start) = (Queue::default(), Now::read());
    send(&mut queue, "later", 10, start);
    assert_eq!(queue.counts(), Counts { ready: 0, in_flight: 0, delayed: 1 });
    assert_eq!(queue.next_release(), Some(at(start, 10).instant));
    assert!(receive(&mut queue, at(start, 9)).is_none());
    assert_eq!(receive(&mut queue, at(start, 10)).unwrap().body, "later");
}

#[test]
fn an_unconfirmed_message_returns_and_counts_its_receives() {
    let (mut queue, start) = (Queue::default(), Now::read());
    send(&mut queue, "again", 0, start);
    let first = receive(&mut queue, start).unwrap();
    assert!(receive(&mut queue, at(start, 29)).is_none());
    let second = receive(&mut queue, at(start, 30)).unwrap();
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
    assert_eq!(second.first_received_millis, Some(start.unix_millis));
    assert_ne!(first.receipt_handle(), second.receipt_handle());
}

#[test]
fn a_handle_deletes_until_the_message_is_received_again() {
    let (mut queue, start) = (Queue::default(), Now::read());
    send(&mut queue, "late delete", 0, start);
    let first = receive(&mut queue, start).unwrap();
    let second = receive(&mut queue, at(start, 30)).unwrap();
    queue.delete(&first.receipt_handle());
    assert_eq!(queue.counts().in_flight, 1, "another receiver has it");

    queue.release(at(start, 60).instant);
    queue.delete(&second.receipt_handle());
    assert_eq!(queue.counts(), Counts { ready: 0, in_flight: 0, delayed: 0 });
    assert!(receive(&mut queue, at(start, 60)).is_none());
}

#[test]
fn a_receiver_prolongs_or_gives_up_its_hold() {
    let (mut queue, start) = (Queue::default(), Now::read());
    send(&mut queue, "held", 0, start);
    let handle = receive(&mut queue, start).unwrap().receipt_handle();
    queue.change_visibility(&handle, Duration::from_secs(60), at(start, 20)).unwrap();
    assert!(receive(&mut queue, at(start, 79)).is_none());
    queue.change_visibility(&handle, Duration::ZERO, at(start, 79)).unwrap();
    let again = receive(&mut queue, at(start, 79)).unwrap();
    assert_eq!(again.receive_count, 2);
    let stale = queue.change_visibility(&handle, TIMEOUT, at(start, 79));
    assert_eq!(stale, Err(NotInFlight));
    let expired = queue.change_visibility(&again.receipt_handle(), TIMEOUT, at(start, 109));
    assert_eq!(expired, Err(NotInFlight));
}

#[test]
fn a_message_received_too_often_is_dead() {
    let (mut queue, start) = (Queue::default(), Now::read());
    send(&mut queue, "poison", 0, start);
    send(&mut queue, "healthy", 1, start);
    assert_eq!(queue.receive(1, TIMEOUT, Some(1), start).delivered[0].body, "poison");
    let taken = queue.receive(10, TIMEOUT, Some(1), at(start, 30));
    assert_eq!(taken.dead[0].body, "poison");
    assert_eq!(taken.delivered[0].body, "healthy");
    assert_eq!(queue.counts(), Counts { ready: 0, in_flight: 1, delayed: 0 });
}

#[test]
fn a_receive_that_hides_nothing_takes_a_message_once() {
    let (mut queue, now) = (Queue::default(), Now::read());
    send(&mut queue, "peek", 0, now);
    assert_eq!(queue.receive(10, Duration::ZERO, None, now).delivered.len(), 1);
    assert_eq!(queue.receive(10, Duration::ZERO, None, now).delivered[0].receive_count, 2);
}

#[test]
fn a_purged_queue_is_empty() {
    let (mut queue, now) = (Queue::default(), Now::read());
    send(&mut queue, "a", 0, now);
    send(&mut queue, "b", 5, now);
    queue.purge();
    assert!(!queue.has_ready());
    assert_eq!(queue.next_release(), None);
}
