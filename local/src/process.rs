//! The process as a whole: opens the stores, takes up what an earlier process left, serves, and ends in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use embedded::{EmbeddedDynamo, dynamo_client};
use shared::AppState;
use shared::billing::Metering;
use shared::billing::plans::PlanSettings;
use shared::platform::metrics::MetricsSink;
use shared::platform::outbound_http::OutboundPolicy;
use shared::platform::queue::{InProcessQueue, MOST_RECEIVES};
use shared::services::config::{BODY_DEADLINE, Config, PlatformMcp};
use shared::services::limits::Limit;
use shared::services::state::Clients;
use shared::types::clock::{Clock, Timestamp};
use shared::types::quotas::Quotas;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::credentials::{self, Credentials};
use crate::secrets::{FileSecrets, LocalSecrets};
use crate::server::{ConnectionLimits, serve};

/// How long a worker may be silent before its message comes back.
const VISIBILITY: Duration = Duration::from_secs(300);
/// Calls of MCP servers and models at once; each takes a socket, and processes may often have 1,024.
const CALLS_SIDE_BY_SIDE: usize = 256;
const SWEEP_EVERY: Duration = Duration::from_secs(2);
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
/// Commits in this process wake those who wait, so looking again is only for what went wrong.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// Later than every deadline: at its start the process takes up every run.
const EVERY_DEADLINE: Timestamp = Timestamp::from_millis(999_999_999_999_999);

/// The table's name.
pub(crate) const TABLE: &str = "agentruntime";
/// The file with the table, in the data directory.
pub(crate) const TABLE_FILE: &str = "dynamodb.sqlite";

/// The file that names the runs under way, in the data directory.
const JOURNAL_FILE: &str = "under_way";
/// For how long after its start a process begins nothing before the first run that an earlier one may have died of.
const FOR_THE_FIRST: Duration = Duration::from_secs(10);

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on the loopback interface; 0 picks a free one.
    pub port: u16,
    /// Where others reach the process, when that is not `http://localhost:<port>`.
    pub base_url: Option<Url>,
    /// Where data is kept.
    pub data_dir: PathBuf,
    /// Keep nothing.
    pub ephemeral: bool,
    /// How often a second one token, or one webhook subscription, may call.
    pub rate_limit: u32,
    /// Give the MCP server its tools that answer with secrets.
    pub risk_tools: bool,
    /// Whether MCP servers and models may be on this machine or a private network.
    pub allow_private_outbound: bool,
    /// The file with the deployment's own keys of model providers.
    pub llm_system_keys: Option<PathBuf>,
    /// Whether workspaces without credits may go on.
    pub metering: Metering,
    /// How many there may be of what workspaces make.
    pub quotas: Quotas,
}

/// Why the process does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or not allowed.
    #[error("cannot listen on {0}: {1}; choose another port with --port, or 0 for a free one")]
    Listen(SocketAddr, std::io::Error),
    /// The data directory cannot be used.
    #[error("cannot use the data directory {0}: {1}")]
    DataDir(PathBuf, String),
    /// Something else.
    #[error("cannot start: {0}")]
    Other(String),
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    /// What a client needs.
    pub credentials: Credentials,
    /// Where `credentials.json` is.
    pub credentials_path: PathBuf,
    state: AppState,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    dynamo: EmbeddedDynamo,
    queue: Arc<InProcessQueue>,
    // Removed when the process ends.
    _temporary: Option<tempfile::TempDir>,
}

impl Process {
    /// Starts everything; when this returns, the port answers.
    ///
    /// # Errors
    /// When the port or the data directory cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let address = SocketAddr::from(([127, 0, 0, 1], options.port));
        // First, so that a second process on the same port leaves the data alone.
        let listener =
            TcpListener::bind(address).await.map_err(|error| StartError::Listen(address, error))?;
        let address = listener.local_addr().map_err(other)?;
        let temporary = if options.ephemeral { Some(tempfile::tempdir().map_err(other)?) } else { None };
        let data_dir =
            temporary.as_ref().map_or_else(|| options.data_dir.clone(), |dir| dir.path().to_owned());
        let unusable =
            |error: &dyn std::fmt::Display| StartError::DataDir(data_dir.clone(), error.to_string());

        let file = (!options.ephemeral).then(|| data_dir.join(TABLE_FILE));
        // First: this makes a missing directory, for its owner only, and holds a lock, so that a second process on
        // this directory stops here.
        let secrets = FileSecrets::open(&data_dir).await.map_err(|error| unusable(&error))?;
        let dynamo = EmbeddedDynamo::open(file.as_deref()).await.map_err(|error| unusable(&error))?;
        credentials::ensure_secrets(&secrets).await.map_err(other)?;
        if let Some(file) = &options.llm_system_keys {
            credentials::put_llm_system_keys(&secrets, file).await.map_err(other)?;
        }
        // Nobody looks at the dead letters here: the log names each.
        let (queue, _) = InProcessQueue::with_dead_letters(&Clock::System, VISIBILITY, MOST_RECEIVES);
        let clients = Clients {
            dynamodb: dynamo_client(&dynamo, []),
            queue: queue.clone(),
            secrets: Arc::new(LocalSecrets(secrets.clone())),
        };
        let state = AppState::new(config(&options, address.port()), Clock::System, clients);
        state.store.create_table().await.map_err(other)?;
        let credentials = credentials::ensure_workspace(&state, &secrets, &format!("http://{address}")).await;
        let credentials = credentials.map_err(other)?;
        let credentials_path = data_dir.join("credentials.json");
        credentials.write(&credentials_path).map_err(|error| unusable(&error))?;
        if !options.ephemeral {
            let kept = state.under_way.keep_journal(&data_dir.join(JOURNAL_FILE));
            kept.map_err(|error| unusable(&error))?;
        }
        // The queue is empty, whatever an earlier process had in its own: every message is derived from the rows. What
        // cannot be taken up now is by a later sweep; it keeps nobody from everything else.
        if let Err(error) = shared::worker::sweep(&state, EVERY_DEADLINE).await {
            tracing::error!(%error, "not all runs could be taken up; the sweep goes on with it");
        }

        let (stop, stopped) = watch::channel(false);
        tokio::spawn(let_all_begin(state.clone()));
        let tasks = vec![
            tokio::spawn(serve(
                listener,
                crate::router(state.clone()),
                ConnectionLimits::default(),
                stopped.clone(),
            )),
            tokio::spawn(crate::worker::poll(state.clone(), Arc::clone(&queue), stopped.clone())),
            tokio::spawn(tick(state.clone(), dynamo.clone(), stopped)),
        ];
        Ok(Self { credentials, credentials_path, state, stop, tasks, dynamo, queue, _temporary: temporary })
    }

    /// Takes no more requests or messages, finishes those under way, and closes the stores.
    pub async fn stop(self) {
        self.state.under_way.ends_in_order();
        self.stop.send_replace(true);
        for task in self.tasks {
            let _ = task.await;
        }
        self.queue.close();
        self.dynamo.shutdown().await;
    }
}

fn config(options: &Options, port: u16) -> Config {
    let base_url =
        options.base_url.as_ref().map_or_else(|| format!("http://localhost:{port}"), Url::to_string);
    let limit = Limit::per_second(options.rate_limit);
    Config {
        table_name: TABLE.to_owned(),
        queue_url: String::new(),
        operator_secret: credentials::OPERATOR.to_owned(),
        token_key_secret: credentials::TOKEN_KEY.to_owned(),
        secret_prefix: credentials::SECRET_PREFIX.to_owned(),
        secret_kms_key: String::new(),
        llm_system_secret: match options.llm_system_keys {
            Some(_) => credentials::LLM_SYSTEM_KEYS.to_owned(),
            None => String::new(),
        },
        bedrock_region: String::new(),
        public_base_url: base_url.trim_end_matches('/').to_owned(),
        // Two at least, so that no tenant has all of them.
        script_parallelism: std::thread::available_parallelism().map_or(4, |cores| (cores.get() * 2).max(2)),
        watch_interval: WATCH_INTERVAL,
        // Workers of earlier processes are dead with their processes.
        dead_before: Some(Clock::System.now()),
        platform_mcp: PlatformMcp { risk_tools: options.risk_tools, ..PlatformMcp::on_loopback() },
        // Out of the way of everything that one machine can do, unless somebody sets it.
        token_limit: limit,
        subscription_limit: limit,
        body_deadline: BODY_DEADLINE,
        outbound: OutboundPolicy {
            allow_private: options.allow_private_outbound,
            ..OutboundPolicy::default()
        },
        call_parallelism: CALLS_SIDE_BY_SIDE,
        metering: options.metering,
        plans: PlanSettings::default(),
        metrics: MetricsSink::Off,
        quotas: options.quotas.clone(),
    }
}

async fn let_all_begin(state: AppState) {
    tokio::time::sleep(FOR_THE_FIRST).await;
    state.under_way.lets_all_begin();
}

async fn tick(state: AppState, dynamo: EmbeddedDynamo, mut stop: watch::Receiver<bool>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut expire = tokio::time::interval(EXPIRE_EVERY);
    loop {
        tokio::select! {
            _ = sweep.tick() => {
                if let Err(error) = shared::worker::sweep(&state, state.clock.now()).await {
                    tracing::warn!(%error, "a sweep failed; the next one goes on");
                }
            }
            _ = expire.tick() => {
                if let Err(error) = dynamo.sweep_ttl().await {
                    tracing::warn!(%error, "expired rows could not be removed; the next time goes on");
                }
            }
            _ = stop.changed() => return,
        }
    }
}

fn other(error: impl std::fmt::Display) -> StartError {
    StartError::Other(error.to_string())
}
