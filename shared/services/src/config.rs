//! What a deployment sets. Read once, at the start of a process; nothing reads the environment after that.

use std::time::Duration;

use crate::limits::Limit;
use billing::Metering;
use billing::plans::PlanSettings;
use platform::metrics::MetricsSink;
use platform::outbound_http::OutboundPolicy;
use types::clock::Timestamp;
use types::quotas::Quotas;

/// The settings of one process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table's name.
    pub table_name: String,
    /// The URL of the queue of runs; empty in functions that send nothing.
    pub queue_url: String,
    /// The name of the operator token in the secret store.
    pub operator_secret: String,
    /// The name of the key for hashing tokens in the secret store.
    pub token_key_secret: String,
    /// What the names of tenants' secrets begin with in the secret store.
    pub secret_prefix: String,
    /// The key of KMS that encrypts tenants' secrets; empty for the account's own.
    pub secret_kms_key: String,
    /// The name of the secret with the deployment's own keys of model providers; empty for none.
    pub llm_system_secret: String,
    /// The region in which the environment's role may call models of Bedrock; empty when it may not.
    pub bedrock_region: String,
    /// Where callers and senders reach the API, such as `https://api.example.com`: addresses that are handed out begin with
    /// it. A request's own `Host` is its sender's choice.
    pub public_base_url: String,
    /// How many scripts run at once in this process, each of which may take 64 MiB; and how many checks of graphs and schemas.
    pub script_parallelism: usize,
    /// How long a request that waits for a run waits before it looks itself. Where commits happen in the same
    /// process they wake it, and this is only a fallback.
    pub watch_interval: Duration,
    /// Claims that began before this time belong to workers that are known to be dead. The local process sets
    /// it to its own start; on Lambda nobody can know.
    pub dead_before: Option<Timestamp>,
    /// How often one token may call, in each process.
    pub token_limit: Limit,
    /// How often one webhook subscription may be called, in each process.
    pub subscription_limit: Limit,
    /// How long the body of a request may take to arrive, once it is wanted.
    pub body_deadline: Duration,
    /// What workflows may call.
    pub outbound: OutboundPolicy,
    /// How many calls of MCP servers and models are under way at once in this process; each takes a socket.
    pub call_parallelism: usize,
    /// The MCP server.
    pub platform_mcp: PlatformMcp,
    /// Whether workspaces without credits may go on.
    pub metering: Metering,
    /// What is sold, and through whom.
    pub plans: PlanSettings,
    /// Where figures for CloudWatch go.
    pub metrics: MetricsSink,
    /// How many there may be of what tenants make.
    pub quotas: Quotas,
}

/// The memory of a function where Lambda does not say.
const USUAL_MEMORY_MIB: usize = 512;
/// What one token may do a second where nothing else is set.
const USUAL_TOKEN_RATE: u32 = 100;
/// What one webhook subscription may take a second where nothing else is set.
const USUAL_SUBSCRIPTION_RATE: u32 = 50;

/// How long the body of a request may take to arrive, unless somebody sets it: a megabyte at some 100 KB/s.
pub const BODY_DEADLINE: Duration = Duration::from_secs(15);

impl Config {
    /// From the environment that `template.yaml` sets.
    pub fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        let memory = text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").parse().unwrap_or(USUAL_MEMORY_MIB);
        Self {
            table_name: text("TABLE_NAME"),
            queue_url: text("QUEUE_URL"),
            operator_secret: text("OPERATOR_SECRET"),
            token_key_secret: text("TOKEN_KEY_SECRET"),
            secret_prefix: text("SECRET_PREFIX"),
            secret_kms_key: text("SECRET_KMS_KEY"),
            llm_system_secret: text("LLM_SYSTEM_SECRET"),
            bedrock_region: text("BEDROCK_REGION"),
            public_base_url: text("PUBLIC_BASE_URL"),
            script_parallelism: scripts_within(memory),
            watch_interval: Duration::from_millis(150),
            dead_before: None,
            token_limit: Limit::per_second(rate(&text("TOKEN_RATE_LIMIT"), USUAL_TOKEN_RATE)),
            subscription_limit: Limit::per_second(rate(
                &text("SUBSCRIPTION_RATE_LIMIT"),
                USUAL_SUBSCRIPTION_RATE,
            )),
            body_deadline: BODY_DEADLINE,
            platform_mcp: PlatformMcp::from_env(),
            metering: text("METERING").parse().unwrap_or_default(),
            plans: PlanSettings::from_env(),
            outbound: OutboundPolicy::of_texts(
                &text("OUTBOUND_ALLOW_PRIVATE"),
                &text("OUTBOUND_ALLOW_HTTP"),
                &text("OUTBOUND_ALLOWED"),
            ),
            call_parallelism: calls_within(memory),
            quotas: text("QUOTAS").parse().unwrap_or_else(|why| {
                // The template lets none through that is not name=number.
                tracing::error!(why, "QUOTAS cannot be read; the defaults are gone by");
                Quotas::default()
            }),
            metrics: match text("METRICS_STACK") {
                stack if stack.is_empty() => MetricsSink::Off,
                stack => MetricsSink::Lambda { stack, function: text("AWS_LAMBDA_FUNCTION_NAME") },
            },
        }
    }
}

/// Scripts may take half of the memory: 64 MiB each. Two at least, so that no tenant has all of them.
fn scripts_within(memory_mib: usize) -> usize {
    (memory_mib / 128).clamp(2, 16)
}

/// Answers of servers are at most 4 MiB and mostly some KiB.
fn calls_within(memory_mib: usize) -> usize {
    (memory_mib / 4).clamp(32, 512)
}

fn rate(text: &str, usual: u32) -> u32 {
    text.parse().unwrap_or(usual)
}

/// What a deployment sets for its MCP server.
#[derive(Debug, Clone, Default)]
pub struct PlatformMcp {
    /// Where the API is that its tools call, when that is another process.
    pub api_url: String,
    /// The hosts, or `host:port`, by which it may be called; with none named, by any. A process on somebody's machine
    /// names its own, so that no web page reaches it by a name of its choice (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// The origins whose pages may call it, such as `https://app.example.com:443` or `http://localhost:*`.
    pub allowed_origins: Vec<String>,
    /// Whether it has tools that answer with secrets.
    pub risk_tools: bool,
}

impl PlatformMcp {
    fn from_env() -> Self {
        let list = |name: &str| {
            let text = std::env::var(name).unwrap_or_default();
            text.split(',').map(str::trim).filter(|each| !each.is_empty()).map(str::to_owned).collect()
        };
        let groups: Vec<String> = list("PLATFORM_MCP_GROUPS");
        Self {
            api_url: std::env::var("PLATFORM_MCP_API_URL").unwrap_or_default(),
            allowed_hosts: list("PLATFORM_MCP_HOSTS"),
            allowed_origins: list("PLATFORM_MCP_ORIGINS"),
            risk_tools: groups.iter().any(|group| group == "risk"),
        }
    }

    /// Of a process on the loopback interface.
    pub fn on_loopback() -> Self {
        let hosts = ["localhost", "127.0.0.1", "[::1]"];
        Self {
            api_url: String::new(),
            allowed_hosts: hosts.map(str::to_owned).to_vec(),
            allowed_origins: hosts.map(|host| format!("http://{host}:*")).to_vec(),
            risk_tools: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_at_once_fits_the_memory() {
        let within = |memory| (scripts_within(memory), calls_within(memory));
        assert_eq!([128, 512, 1024, 1769].map(within), [(2, 32), (4, 128), (8, 256), (13, 442)]);
        assert_eq!(within(10_240), (16, 512));
    }
}
