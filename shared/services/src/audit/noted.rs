//! Which entries of the hour a process has written, so that it writes each once.

use std::fmt;
use std::time::Duration;

use platform::cache::{Cache, Stay};
use types::ids::AuditId;

/// How many a process remembers, and for how long.
const MAX_KNOWN: u64 = 10_000;
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// Entries that are in the trail.
pub struct NotedUses(Cache<AuditId, ()>);

impl fmt::Debug for NotedUses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotedUses")
    }
}

impl Default for NotedUses {
    fn default() -> Self {
        Self(Cache::new(MAX_KNOWN, Stay::Since(KEPT_FOR)))
    }
}

impl NotedUses {
    pub(super) fn has(&self, id: AuditId) -> bool {
        self.0.get(&id).is_some()
    }

    pub(super) fn add(&self, id: AuditId) {
        self.0.insert(id, ());
    }
}
