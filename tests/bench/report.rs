//! The figures beside those of what users would take instead.

use std::time::Duration;

use crate::load::Runs;
use crate::procfs::Memory;

/// What was measured.
#[derive(Debug, Default)]
pub struct Figures {
    pub single: Option<Runs>,
    pub side_by_side: Option<Runs>,
    pub memory: Option<Memory>,
    pub first_start: Option<Duration>,
    pub restart: Option<Duration>,
}

impl Figures {
    /// Runs that went wrong.
    pub fn errors(&self) -> usize {
        [&self.single, &self.side_by_side].into_iter().flatten().map(|runs| runs.errors).sum()
    }

    /// Prints them. The others were measured on a machine of this kind with the same work.
    pub fn print(&self, clients: usize) {
        line("A chain of 5 Lua steps", "this", ["Restate 1.7", "DBOS, PG", "n8n"]);
        if let Some(single) = &self.single {
            let p50 = milliseconds(single.percentile(50));
            line(&format!("latency of {}, p50", single.count()), &p50, ["8.9 ms", "17.6 ms", "102 ms"]);
            line("  p99", &milliseconds(single.percentile(99)), [""; 3]);
            line("  server's CPU per run", &cpu_per_run(single.server_cpu, single), [""; 3]);
        }
        if let Some(load) = &self.side_by_side {
            let rate = format!("{:.0} /s", load.per_second());
            line(&format!("runs with {clients} clients"), &rate, ["531 /s", "77 /s", "11 /s"]);
            line("  latency, p50", &milliseconds(load.percentile(50)), [""; 3]);
            line("  p99", &milliseconds(load.percentile(99)), [""; 3]);
            line("  server's CPU per run", &cpu_per_run(load.server_cpu, load), ["3.2 ms", "", ""]);
            line("  client's CPU per run", &cpu_per_run(load.client_cpu, load), [""; 3]);
            line("  runs, errors", &format!("{}, {}", load.count(), load.errors), [""; 3]);
        }
        if let Some(memory) = &self.memory {
            line("memory afterwards (VmRSS)", &format!("{} MB", memory.now), ["693 MB", "", ""]);
            line("  at most (VmHWM)", &format!("{} MB", memory.peak), [""; 3]);
        }
        if let Some(time) = self.first_start {
            line("start-up without data, p50", &milliseconds(time), [""; 3]);
        }
        if let Some(time) = self.restart {
            line("start-up on these data, p50", &milliseconds(time), [""; 3]);
        }
    }
}

fn line(name: &str, this: &str, others: [&str; 3]) {
    let [restate, dbos, n8n] = others;
    println!("{}", format!("{name:<32}{this:>14}{restate:>14}{dbos:>12}{n8n:>10}").trim_end());
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn cpu_per_run(cpu: Duration, runs: &Runs) -> String {
    milliseconds(cpu / runs.count().max(1))
}
