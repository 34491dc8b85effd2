//! What really was written: every write of a run's row that took effect, so that a test can tell two commits on
//! the same state from one, even where the second hid the first.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::exchanges::{Onlooker, interceptor, items_put};
use crate::intercept::Interceptor;

/// The revisions that were written, by run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Commits(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    revisions: Vec<(String, u64)>,
    /// Of transactions: with a token that was seen, nothing is carried out again.
    tokens: HashSet<String>,
}

impl Commits {
    /// The revisions written of this run, sorted: of two processes, one may see its answer after the other has gone
    /// on from it.
    pub fn of(&self, run_id: &str) -> Vec<u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut revisions: Vec<u64> =
            all.revisions.iter().filter(|(run, _)| run == run_id).map(|(_, rev)| *rev).collect();
        revisions.sort_unstable();
        revisions
    }

    /// Between an environment and its stores.
    pub fn interceptor(&self) -> Interceptor {
        interceptor(self.clone())
    }
}

impl Onlooker for Commits {
    fn done(&self, request: &Value, _: &[u8]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let token = request["ClientRequestToken"].as_str().map(str::to_owned);
        if token.is_none_or(|token| all.tokens.insert(token)) {
            all.revisions.extend(items_put(request).filter_map(run_row));
        }
    }
}

fn run_row(item: &Value) -> Option<(String, u64)> {
    let text = |name: &str, kind: &str| item[name][kind].as_str();
    if text("sk", "S") != Some("RUN") {
        return None;
    }
    let (_, run_id) = text("pk", "S")?.rsplit_once("#RUN#")?;
    Some((run_id.to_owned(), text("rev", "N")?.parse().ok()?))
}
