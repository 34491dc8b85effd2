//! What a run costs: requests to DynamoDB and SQS, time, throughput, CPU, memory, start-up. Ends with a code
//! other than 0 when the requests are over the budget of the engine or a run went wrong; times depend on the
//! machine and are only printed.
//!
//! Requests are counted in this process, on the SDK clients of two environments like Lambda's, one that starts
//! runs and one that works. Everything else is measured on the local process as a process of its own, on files.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark may fail loudly, and prints")]

mod analytics;
mod budget;
mod client;
mod cost;
mod crowd;
mod fairness;
mod functions;
mod ingress;
mod load;
mod masking;
mod memory;
mod meter;
mod prices;
mod procfs;
mod report;
mod server;
mod shapes;
mod stand_in;
mod start_up;
mod tenant;
mod units;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Runs of a chain that are timed one after the other.
const SINGLE_RUNS: usize = 100;
/// How often the process is started.
const STARTS: usize = 10;

/// Measures the local process.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// How long runs are started side by side.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many clients do so.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// What to measure; everything when absent.
    #[arg(long, value_enum)]
    only: Vec<Section>,
    /// What `--only functions` measures: a directory with `<function>/bootstrap` for each, as `cargo lambda build
    /// --release` leaves them in target/lambda.
    #[arg(long, default_value = "target/lambda")]
    functions: PathBuf,
    /// The program to measure; absent, this package's `local-process`, built like this program.
    #[arg(long)]
    server: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    Requests,
    Latency,
    Throughput,
    StartUp,
    Crowd,
    Analytics,
    Ingress,
    Cost,
    Fairness,
    Functions,
    Masking,
    Memory,
}

// One thread: the server needs the cores more.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted = |section| arguments.only.is_empty() || arguments.only.contains(&section);
    let mut ok = true;
    println!("{}\n", procfs::machine());
    if wanted(Section::Requests) {
        ok &= budget::print_and_check().await;
        ok &= shapes::print_and_check().await;
    }
    if wanted(Section::Cost) {
        cost::print().await;
    }
    // Only when it is asked for: it needs what `cargo lambda build --release` makes.
    if arguments.only.contains(&Section::Functions) {
        ok &= functions::print_and_check(&arguments.functions).await;
    }
    if wanted(Section::Analytics) {
        ok &= analytics::print_and_check().await;
    }
    if [Section::Latency, Section::Throughput, Section::StartUp].into_iter().any(wanted) {
        let program = arguments.server.clone().unwrap_or_else(server::program);
        ok &= times(&arguments, wanted, &program).await;
    }
    if wanted(Section::Crowd) {
        let program = arguments.server.clone().unwrap_or_else(server::program);
        let data = tempfile::tempdir().expect("a directory for data");
        ok &= crowd::print(&program, data.path()).await;
    }
    if wanted(Section::Masking) {
        masking::print();
    }
    if wanted(Section::Fairness) {
        let program = arguments.server.clone().unwrap_or_else(server::program);
        ok &= fairness::print_and_check(&program).await;
    }
    if wanted(Section::Memory) {
        let program = arguments.server.clone().unwrap_or_else(server::program);
        ok &= memory::print_and_check(&program).await;
    }
    if wanted(Section::Ingress) {
        let program = arguments.server.clone().unwrap_or_else(server::program);
        let time = Duration::from_secs(arguments.seconds);
        ok &= ingress::print_and_check().await;
        ok &= ingress::print_times(&program, arguments.clients, time).await;
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn times(arguments: &Arguments, wanted: impl Fn(Section) -> bool, program: &std::path::Path) -> bool {
    let data = tempfile::tempdir().expect("a directory for data");
    let mut figures = report::Figures::default();
    if wanted(Section::Latency) || wanted(Section::Throughput) {
        let server = server::Server::start(program, data.path()).await;
        if wanted(Section::Latency) {
            figures.single =
                Some(load::one_after_the_other(&server, server::Who::Starter, SINGLE_RUNS).await);
        }
        if wanted(Section::Throughput) {
            let time = Duration::from_secs(arguments.seconds);
            figures.side_by_side =
                Some(load::side_by_side(&server, server::Who::Starter, arguments.clients, time).await);
        }
        figures.memory = Some(procfs::memory(server.id()));
    }
    if wanted(Section::StartUp) {
        figures.first_start = Some(start_up::first(program, STARTS).await);
        figures.restart = Some(start_up::again(program, data.path(), STARTS).await);
    }
    figures.print(arguments.clients);
    figures.errors() == 0
}
