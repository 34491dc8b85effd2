//! What Linux tells of processes and of the machine.

use std::fs::read_to_string;
use std::time::Duration;

/// `USER_HZ`, in which /proc counts; 100 on every common architecture.
const TICKS_PER_SECOND: u64 = 100;

/// The CPU time that a process has used, in user and kernel mode.
///
/// # Panics
/// When there is no such process.
pub fn cpu(process: u32) -> Duration {
    let stat = read_to_string(format!("/proc/{process}/stat")).expect("a process");
    // The second field is a name in parentheses, which may hold spaces.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// A process's memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident, in MB.
    pub now: u64,
    /// The most that ever was.
    pub peak: u64,
}

/// The resident memory of a process.
///
/// # Panics
/// When there is no such process.
pub fn memory(process: u32) -> Memory {
    let status = read_to_string(format!("/proc/{process}/status")).expect("a process");
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() / 1024
    };
    Memory { now: megabytes("VmRSS:"), peak: megabytes("VmHWM:") }
}

/// The processor, how many of it, and how busy it is, since figures mean little without.
pub fn machine() -> String {
    let processors = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?");
    format!("{model}, {cores} cores, load {load} before the benchmark")
}
