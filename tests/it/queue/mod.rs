//! What every queue does, tried on the one in this process, by a clock that the test moves; `tests/sqs` tries SQS.

mod faulty;
mod suite;
mod wire;

use shared::platform::queue::MOST_RECEIVES;

pub use suite::sdk;

mod in_process {
    use shared::platform::queue::InProcessQueue;
    use shared::types::clock::{Clock, Timestamp};

    use super::suite::{Subject, VISIBILITY, tests_of_a_queue};

    async fn subject(_: &str) -> Subject {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let (queue, dead_letters) = InProcessQueue::with_dead_letters(&clock, VISIBILITY, 2);
        Subject { queue, dead_letters, clock }
    }

    tests_of_a_queue!(subject);
}

#[test]
fn the_template_gives_a_message_up_after_as_many_receives_as_the_local_process() {
    let template = std::fs::read_to_string(it::repository().join("template.yaml")).unwrap();
    let counts = template.lines().filter_map(|line| line.trim().strip_prefix("maxReceiveCount: "));
    assert_eq!(counts.collect::<Vec<_>>(), [MOST_RECEIVES.to_string()]);
}
