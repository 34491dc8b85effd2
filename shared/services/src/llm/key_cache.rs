//! The keys of projects, kept for a while.

use std::sync::Arc;
use std::time::Duration;

use platform::boxed;
use platform::cache::{Cache, Stay};
use store::{LlmKeyRecord, Store};
use types::Result;
use types::ids::Place;

/// How long a worker goes by the keys that it has read. A rotated key's old values are gone at once, and then it
/// reads again.
const KEPT_FOR: Duration = Duration::from_secs(30);
const MOST_PLACES: u64 = 1_000;

/// The keys of projects as workers go by them: read anew after [`KEPT_FOR`].
#[derive(Debug)]
pub struct LlmKeys {
    known: Cache<Place, Arc<Vec<LlmKeyRecord>>>,
}

impl Default for LlmKeys {
    fn default() -> Self {
        Self { known: Cache::new(MOST_PLACES, Stay::Since(KEPT_FOR)) }
    }
}

impl LlmKeys {
    /// A project's keys.
    ///
    /// # Errors
    /// Unavailable when the database does not answer.
    #[boxed]
    pub async fn of(&self, store: &Store, place: &Place) -> Result<Arc<Vec<LlmKeyRecord>>> {
        if let Some(known) = self.known.get(place) {
            return Ok(known);
        }
        let keys = Arc::new(store.llm_keys(place).await?);
        self.known.insert(place.clone(), Arc::clone(&keys));
        Ok(keys)
    }

    /// Reads a project's keys anew when they are next asked for.
    pub fn forget(&self, place: &Place) {
        self.known.remove(place);
    }
}
