//! How many live runs there are, as far as a process knows: as they were counted last, and what was started here since.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use platform::cache::{Cache, Stay};
use types::clock::Timestamp;
use types::ids::Place;

/// For how long a count is gone by.
pub(crate) const COUNTED_FOR: Duration = Duration::from_secs(5);
/// A count by which a start would be refused is made again after this time.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// Projects whose counts are kept.
const MAX_PROJECTS: u64 = 10_000;

/// Counts of live runs, as starts in a project go by them.
#[derive(Debug)]
pub struct LiveRuns(Cache<Place, Arc<Count>>);

#[derive(Debug)]
struct Count {
    at: Timestamp,
    live: AtomicU64,
}

impl Default for LiveRuns {
    fn default() -> Self {
        Self(Cache::new(MAX_PROJECTS, Stay::Unused(Duration::from_secs(60))))
    }
}

impl LiveRuns {
    /// How many there are, if that was counted not long ago; less long when there are as many as may be.
    pub(crate) fn known(&self, place: &Place, most: u64, now: Timestamp) -> Option<u64> {
        let count = self.0.get(place)?;
        let live = count.live.load(Ordering::Relaxed);
        let stays = if live >= most { REFUSED_FOR } else { COUNTED_FOR };
        (now.since(count.at) < stays).then_some(live)
    }

    /// There are so many.
    pub(crate) fn counted(&self, place: &Place, live: u64, now: Timestamp) {
        self.0.insert(place.clone(), Arc::new(Count { at: now, live: AtomicU64::new(live) }));
    }

    /// A run was started here.
    pub(crate) fn note_started(&self, place: &Place) {
        if let Some(count) = self.0.get(place) {
            count.live.fetch_add(1, Ordering::Relaxed);
        }
    }
}
