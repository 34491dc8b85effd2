//! What a deployment sets. Read once, at the start of a process; nothing reads the environment after that.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::outbound_http::OutboundPolicy;

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
    /// The name of the secret with the deployment's own keys of model providers; empty for none.
    pub llm_system_secret: String,
    /// The region in which the environment's role may call models of Bedrock; empty when it may not.
    pub bedrock_region: String,
    /// How many scripts run at once in this process; each may take 64 MiB.
    pub script_parallelism: usize,
    /// How long a request that waits for a run waits before it looks itself. Where commits happen in the same
    /// process they wake it, and this is only a fallback.
    pub watch_interval: Duration,
    /// Claims that began before this time belong to workers that are known to be dead. The local process sets
    /// it to its own start; on Lambda nobody can know.
    pub dead_before: Option<Timestamp>,
    /// What workflows may call.
    pub outbound: OutboundPolicy,
    /// How many calls of MCP servers and models are under way at once in this process; each takes a socket.
    pub call_parallelism: usize,
}

impl Config {
    /// From the environment that `template.yaml` sets.
    pub fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            table_name: text("TABLE_NAME"),
            queue_url: text("QUEUE_URL"),
            operator_secret: text("OPERATOR_SECRET"),
            token_key_secret: text("TOKEN_KEY_SECRET"),
            secret_prefix: text("SECRET_PREFIX"),
            llm_system_secret: text("LLM_SYSTEM_SECRET"),
            bedrock_region: text("BEDROCK_REGION"),
            script_parallelism: text("SCRIPT_PARALLELISM").parse().unwrap_or(4),
            watch_interval: Duration::from_millis(150),
            dead_before: None,
            outbound: OutboundPolicy::of_texts(
                &text("OUTBOUND_ALLOW_PRIVATE"),
                &text("OUTBOUND_ALLOW_HTTP"),
                &text("OUTBOUND_ALLOWED"),
            ),
            call_parallelism: text("CALL_PARALLELISM").parse().unwrap_or(256),
        }
    }
}
