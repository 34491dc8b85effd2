//! Runs of a chain of five Lua steps, or deliveries that start them, one after the other and side by side.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::procfs::cpu;
use crate::server::{Server, Who};

/// Runs before the first that is timed.
const WARM_UP: usize = 50;

/// What a number of runs took.
#[derive(Debug)]
pub struct Runs {
    /// From the request to the outputs, in ascending order, of those that succeeded.
    pub latencies: Vec<Duration>,
    /// Those that did not.
    pub errors: usize,
    /// From the first to the last.
    pub elapsed: Duration,
    /// The server's CPU time meanwhile.
    pub server_cpu: Duration,
    /// This program's own.
    pub client_cpu: Duration,
}

impl Runs {
    /// The latency that so many of a hundred runs do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        percentile(&self.latencies, percent)
    }

    /// How many succeeded.
    pub fn count(&self) -> u32 {
        u32::try_from(self.latencies.len()).unwrap_or(u32::MAX)
    }

    /// How many succeeded a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.count()) / self.elapsed.as_secs_f64()
    }
}

/// Of values in ascending order, the one that so many of a hundred do not exceed.
pub fn percentile(ascending: &[Duration], percent: usize) -> Duration {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied().unwrap_or_default()
}

/// One client, one run after the other.
pub async fn one_after_the_other(server: &Server, who: Who, runs: usize) -> Runs {
    let mut client = server.connect(who).await;
    for _ in 0..WARM_UP {
        client.run().await;
    }
    let clock = Clock::start(server);
    let mut outcomes = Vec::with_capacity(runs);
    for _ in 0..runs {
        let begun = Instant::now();
        outcomes.push((client.run().await, begun.elapsed()));
    }
    clock.stop(outcomes)
}

/// Several clients, each one run after the other, for so long.
pub async fn side_by_side(server: &Server, who: Who, clients: usize, time: Duration) -> Runs {
    let mut connected = Vec::new();
    for _ in 0..clients {
        let mut client = server.connect(who).await;
        client.run().await;
        connected.push(client);
    }
    let clock = Clock::start(server);
    let end = Instant::now() + time;
    let mut all = JoinSet::new();
    for mut client in connected {
        all.spawn(async move {
            let mut outcomes = Vec::new();
            loop {
                let begun = Instant::now();
                if begun >= end {
                    return outcomes;
                }
                outcomes.push((client.run().await, begun.elapsed()));
            }
        });
    }
    let outcomes = all.join_all().await;
    clock.stop(outcomes.into_iter().flatten())
}

struct Clock {
    server: u32,
    begun: Instant,
    server_cpu: Duration,
    client_cpu: Duration,
}

impl Clock {
    fn start(server: &Server) -> Self {
        let server = server.id();
        Self { server, begun: Instant::now(), server_cpu: cpu(server), client_cpu: cpu(std::process::id()) }
    }

    fn stop(self, outcomes: impl IntoIterator<Item = (bool, Duration)>) -> Runs {
        let elapsed = self.begun.elapsed();
        let server_cpu = cpu(self.server) - self.server_cpu;
        let client_cpu = cpu(std::process::id()) - self.client_cpu;
        let mut latencies = Vec::new();
        let mut errors = 0;
        for (ok, latency) in outcomes {
            if ok { latencies.push(latency) } else { errors += 1 }
        }
        latencies.sort_unstable();
        Runs { latencies, errors, elapsed, server_cpu, client_cpu }
    }
}
