//! `cargo run --release -p local`: the whole product in one process.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    local::cli::main().await
}
