//! The local process, for tests that start, kill and restart it.

use std::process::ExitCode;
use std::time::Duration;

/// How much memory of its own the process may have, in MiB: it ends as a system ends it that has no more.
const ABORT_ABOVE: &str = "ABORT_ABOVE_MIB";

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(limit) = std::env::var(ABORT_ABOVE).ok().and_then(|limit| limit.parse().ok()) {
        std::thread::spawn(move || end_above(limit));
    }
    local::cli::main().await
}

fn end_above(limit_mib: u64) {
    loop {
        if own_mib().is_some_and(|mib| mib > limit_mib) {
            std::process::abort();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The memory that is no file's.
fn own_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)
}
