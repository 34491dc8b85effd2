//! Compiled versions of workflows. A published version never changes, so what was compiled once is right for
//! as long as the process lives.

use std::sync::Arc;

use platform::boxed;
use platform::cache::{Cache, Stay};
use store::Store;
use types::ids::{Place, WorkflowId};
use types::{Error, Result};
use workflow::{Graph, Plan};

/// Graphs of about this many bytes of JSON are kept; a compiled one takes a few times that.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

type Key = (Place, WorkflowId, u32);

/// Compiled versions, the most used ones kept in memory.
#[derive(Debug)]
pub struct PlanCache(Cache<Key, Arc<Plan>>);

impl Default for PlanCache {
    fn default() -> Self {
        Self(Cache::new(MOST_BYTES, Stay::Unlimited))
    }
}

impl PlanCache {
    /// The compiled form of a published version.
    ///
    /// # Errors
    /// When the database does not answer, or the version is missing or does not compile, which publishing
    /// rules out.
    #[boxed]
    pub async fn get(&self, store: &Store, place: &Place, id: WorkflowId, version: u32) -> Result<Arc<Plan>> {
        let key = (place.clone(), id, version);
        if let Some(plan) = self.0.get(&key) {
            return Ok(plan);
        }
        let missing = || Error::internal(format!("version {version} of workflow {id} has no graph"));
        let graph = store.version_graph(place, id, version).await?.ok_or_else(missing)?;
        let bytes =
            serde_json::to_vec(&graph).map_or(u32::MAX, |json| u32::try_from(json.len()).unwrap_or(u32::MAX));
        let unreadable = |issues| Error::internal("a published graph does not compile").with_issues(issues);
        let plan = Arc::new(Graph::read(&graph).and_then(Plan::compile).map_err(unreadable)?);
        self.0.insert_weighing(key, Arc::clone(&plan), bytes);
        Ok(plan)
    }
}
