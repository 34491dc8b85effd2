//! Analytics after thousands of runs of every kind: figures equal those worked out from the runs, and what a query
//! reads depends on the time that it is about, not on how many runs there were.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use it::{Client, Found, Onlooker, TestApp, Workspace, interceptor, run_mixed};
use serde_json::Value;
use shared::types::clock::Clock;

/// After how many runs it is looked at.
const RUNS: [u32; 2] = [500, 5_000];
/// Of a route, and how many buckets its time has; live runs stand in rows of their own.
const QUERIES: [(&str, usize); 5] = [
    ("live-runs", 1),
    ("runs-count?window=week", 7),
    ("steps-summary?window=month", 30),
    ("usage-timeseries?window=week&granularity=hour", 7 * 24),
    ("runs-timeseries?window=all", usize::MAX),
];

/// Items and requests of queries.
#[derive(Debug, Clone, Default)]
struct Read(Arc<(AtomicUsize, AtomicUsize)>);

impl Onlooker for Read {
    fn done(&self, request: &Value, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        if request["KeyConditionExpression"].is_string() {
            self.0.0.fetch_add(answer["Items"].as_array().map_or(0, Vec::len), Ordering::SeqCst);
            self.0.1.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Counts, prints, and says whether no query read more than the buckets of its time.
///
/// # Panics
/// When a figure is wrong.
pub async fn print_and_check() -> bool {
    let start = "2026-09-21T10:00:00Z".parse().expect("a time");
    let app = TestApp::without_worker(Clock::manual(start)).await;
    let owner = app.workspace("acme").await;
    let mut ok = true;
    let mut had = 0;
    for runs in RUNS {
        run_mixed(&app, &owner, runs - had).await;
        had = runs;
        let found = Found::in_runs_of(&owner).await;
        found.agrees_with(&owner).await;
        println!("Analytics after {runs} mixed runs ({:?})\n", found.by_status);
        ok &= queries(&app, &owner).await;
    }
    ok
}

async fn queries(app: &TestApp, owner: &Workspace) -> bool {
    let read = Read::default();
    let state = app.stores.state(app.state.clock.clone(), &[interceptor(read.clone())]);
    let client = Client::new(local::router(state)).bearer(&owner.token);
    println!("  {:<50}{:>10}{:>10}{:>10}", "", "requests", "items", "at most");
    let mut ok = true;
    for (query, buckets) in QUERIES {
        read.0.0.store(0, Ordering::SeqCst);
        read.0.1.store(0, Ordering::SeqCst);
        let told = client.get(&format!("/v1/analytics/{query}")).await.expect(200);
        let (items, requests) = (read.0.0.load(Ordering::SeqCst), read.0.1.load(Ordering::SeqCst));
        let most = told["points"].as_array().map_or(buckets, Vec::len);
        let verdict = if items <= most { "" } else { "  OVER" };
        println!("  {query:<50}{requests:>10}{items:>10}{most:>10}{verdict}");
        ok &= items <= most;
    }
    println!();
    ok
}
