//! From the start of the process until it answers `GET /v1/health`.

use std::path::Path;
use std::time::{Duration, Instant};

use it::LocalProcess;

use crate::client::Connection;
use crate::load::percentile;

/// On no data: the median of so many times.
pub async fn first(program: &Path, times: usize) -> Duration {
    let mut took = Vec::new();
    for _ in 0..times {
        let dir = tempfile::tempdir().expect("a directory for data");
        took.push(once(program, dir.path()).await);
    }
    median(took)
}

/// On data that is there: the median of so many times.
pub async fn again(program: &Path, data_dir: &Path, times: usize) -> Duration {
    let mut took = Vec::new();
    for _ in 0..times {
        took.push(once(program, data_dir).await);
    }
    median(took)
}

async fn once(program: &Path, data_dir: &Path) -> Duration {
    let begun = Instant::now();
    let process = LocalProcess::start(program, data_dir);
    let mut connection = Connection::open(&process.base_url, &process.token).await;
    let (status, _) = connection.send("/v1/health", None).await.expect("an answer");
    assert!(status.is_success(), "health: {status}");
    begun.elapsed()
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    percentile(&took, 50)
}
