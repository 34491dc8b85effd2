//! The command line of the local process.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::billing::Metering;
use shared::types::quotas::Quotas;
use url::Url;

use crate::process::{Options, Process};

/// AgentRuntime on Lambda as one local process, with nothing to install.
#[derive(Debug, Parser)]
#[command(name = "local", version)]
struct Arguments {
    /// The port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Where senders of webhooks and others reach this process, such as a tunnel's address; absent,
    /// http://localhost:<port>.
    #[arg(long, value_name = "URL")]
    base_url: Option<Url>,
    /// Where data is kept.
    #[arg(long, default_value = "./.local")]
    data_dir: PathBuf,
    /// Keep nothing: the data is gone when the process ends.
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// How often a second one token, or one webhook subscription, may call; twice as often for a moment.
    #[arg(long, default_value_t = 100_000)]
    rate_limit: u32,
    /// Give the MCP server its tools that answer with secrets, such as new tokens.
    #[arg(long)]
    risk_tools: bool,
    /// Let MCP and model URLs lead to this machine and to private networks.
    #[arg(long)]
    allow_private_outbound: bool,
    /// A JSON file with keys of model providers that every workspace may use: { "openai": { "api_key": "…" } }.
    #[arg(long)]
    llm_system_keys: Option<PathBuf>,
    /// `unlimited` counts what is used and refuses nothing; with `enforced` nothing starts without credits.
    #[arg(long, value_name = "unlimited|enforced", default_value = "unlimited")]
    metering: Metering,
    /// How many there may be of what workspaces make, where the defaults of docs/limits.md do not fit, such as
    /// connections=500,live_runs=50000.
    #[arg(long, value_name = "NAME=NUMBER,…", default_value = "")]
    quotas: Quotas,
    #[command(subcommand)]
    task: Option<Task>,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
enum Task {
    /// The ledger of credits.
    #[command(subcommand)]
    Ledger(LedgerTask),
}

#[derive(Debug, Subcommand)]
enum LedgerTask {
    /// Works every workspace's balance out again from the entries of its ledger, and holds it against the one that is
    /// kept; fails when they differ. The process on this data must have ended.
    Verify {
        /// Where data is kept.
        #[arg(long, default_value = "./.local")]
        data_dir: PathBuf,
    },
}

/// Runs the process until it is told to end.
pub async fn main() -> ExitCode {
    let Arguments {
        port,
        base_url,
        data_dir,
        ephemeral,
        rate_limit,
        risk_tools,
        allow_private_outbound,
        llm_system_keys,
        metering,
        quotas,
        task,
    } = Arguments::parse();
    shared::platform::telemetry::init("warn");
    if let Some(Task::Ledger(LedgerTask::Verify { data_dir })) = task {
        return crate::ledger::verify(&data_dir).await;
    }
    let options = Options {
        port,
        base_url,
        data_dir,
        ephemeral,
        rate_limit,
        risk_tools,
        allow_private_outbound,
        llm_system_keys,
        metering,
        quotas,
    };
    let process = match Process::start(options).await {
        Ok(process) => process,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            return ExitCode::FAILURE;
        }
    };
    // A closed standard output is no reason to end.
    let _ = std::io::stdout().write_all(welcome(&process).as_bytes());
    let _ = std::io::stdout().flush();
    wait_for_signal().await;
    let _ = writeln!(std::io::stderr(), "Finishing what is under way …");
    process.stop().await;
    ExitCode::SUCCESS
}

async fn wait_for_signal() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

fn welcome(process: &Process) -> String {
    let credentials = &process.credentials;
    let path = process.credentials_path.display();
    let base = &credentials.base_url;
    format!(
        r#"{base}

AgentRuntime is running. Workspace {tenant}, project {project}; the token is in {path}.

Try it:

  export TOKEN=$(sed -n 's/.*"token": "\(.*\)",/\1/p' {path})
  curl -s {base}/v1/workflows -H "Authorization: Bearer $TOKEN" -d '{{"name":"hello","graph":{{"steps":[{{"id":"echo","type":"lua_script","script":"return {{ hello = input.name }}"}}]}}}}'
  curl -s {base}/v1/workflows -H "Authorization: Bearer $TOKEN"

The README goes on from here: publish a version, start a run, read what happened. Ctrl-C ends the process.
"#,
        tenant = credentials.tenant_id,
        project = credentials.project_id,
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Arguments;

    #[test]
    fn ephemeral_and_data_dir_exclude_each_other() {
        let parse = |arguments: &[&str]| Arguments::try_parse_from([&["local"], arguments].concat());
        let refused = parse(&["--ephemeral", "--data-dir", "./data"]).unwrap_err().to_string();
        assert!(refused.contains("'--ephemeral' cannot be used with '--data-dir <DATA_DIR>'"), "{refused}");
        for taken in
            [&["--ephemeral"][..], &["--data-dir", "./data"], &["ledger", "verify", "--data-dir", "./data"]]
        {
            assert!(parse(taken).is_ok(), "{taken:?}");
        }
    }
}
