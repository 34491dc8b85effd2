//! What a process builds once and every request shares: settings, clients, caches.

use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;

use crate::audit::NotedUses;
use crate::auth::Authenticator;
use crate::config::Config;
use crate::limits::{Limiter, MAX_REQUESTS};
use crate::live_runs::LiveRuns;
use crate::llm::LlmKeys;
use crate::mcp::Mcp;
use crate::run::{PlanCache, RunWatch};
use crate::under_way::UnderWay;
use crate::webhook::Webhooks;
use clients::llm::SystemKeys;
use clients::stripe::ProviderKeys;
use platform::blocking::Threads;
use platform::fair_semaphore::{Bounds, FairSemaphore};
use platform::memory::Memory;
use platform::metrics::Metrics;
use platform::outbound_http::Outbound;
use platform::queue::{Queue, RunQueue};
use platform::secrets::{SecretStore, Secrets};
use store::Store;
use types::clock::Clock;
use types::ids::{PatId, SubscriptionId};

/// What handlers share. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of an [`AppState`].
#[derive(Debug)]
pub struct Shared {
    /// The deployment's settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// State.
    pub store: Store,
    /// Wakes workers.
    pub queue: RunQueue,
    /// Secrets.
    pub secrets: Secrets,
    /// Tells callers by their tokens.
    pub auth: Authenticator,
    /// How often somebody may call.
    pub limits: Limits,
    /// How many runs tenants have.
    pub live_runs: LiveRuns,
    /// Compiled versions of workflows.
    pub plans: PlanCache,
    /// What is known of subscriptions of webhooks.
    pub webhooks: Webhooks,
    /// Those who wait for runs in this process.
    pub watch: RunWatch,
    /// Runs that are under way in this process.
    pub under_way: UnderWay,
    /// Permits for being answered.
    pub requests: FairSemaphore,
    /// Permits for running scripts.
    pub scripts: FairSemaphore,
    /// Threads for checks of graphs and schemas.
    pub threads: Threads,
    /// Permits for calls of MCP servers and models.
    pub calls: FairSemaphore,
    /// MCP: sessions, and tools that are known.
    pub mcp: Mcp,
    /// The way out.
    pub outbound: Arc<Outbound>,
    /// Projects' keys of model providers.
    pub llm_keys: LlmKeys,
    /// The deployment's.
    pub system_keys: SystemKeys,
    /// The deployment's of its payment provider.
    pub provider_keys: ProviderKeys,
    /// Uses of credentials that are in the audit trail.
    pub noted_uses: NotedUses,
    /// Figures for CloudWatch.
    pub metrics: Metrics,
    /// The memory for large values.
    pub memory: Memory,
}

/// How many deliveries may arrive for each that a subscription takes: so much room is left to its sender while others
/// send what they cannot prove.
const ARRIVALS: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The rate limits of a process.
#[derive(Debug)]
pub struct Limits {
    /// Of tokens.
    pub tokens: Limiter<PatId>,
    /// Of webhook subscriptions, for what their senders deliver.
    pub subscriptions: Limiter<SubscriptionId>,
    /// Of webhook subscriptions, for what arrives before anybody knows who sends it.
    pub arrivals: Limiter<SubscriptionId>,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The outside of a process: what differs between Lambda, the local process and tests.
#[derive(Debug)]
pub struct Clients {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The queue of runs.
    pub queue: Arc<dyn Queue>,
    /// Where secrets are.
    pub secrets: Arc<dyn SecretStore>,
}

impl AppState {
    /// Around these clients.
    pub fn new(config: Config, clock: Clock, clients: Clients) -> Self {
        let memory = Memory::default();
        Self(Arc::new(Shared {
            store: Store::new(clients.dynamodb, &config.table_name, clock.clone()),
            queue: RunQueue::new(clients.queue),
            auth: Authenticator::new(Arc::clone(&clients.secrets), &config.token_key_secret, clock.clone()),
            limits: Limits {
                tokens: Limiter::new(config.token_limit, clock.clone()),
                subscriptions: Limiter::new(config.subscription_limit, clock.clone()),
                arrivals: Limiter::new(config.subscription_limit.times(ARRIVALS), clock.clone()),
            },
            secrets: Secrets::new(clients.secrets, &config.secret_prefix),
            live_runs: LiveRuns::default(),
            plans: PlanCache::default(),
            webhooks: Webhooks::default(),
            watch: RunWatch::default(),
            under_way: UnderWay::default(),
            requests: FairSemaphore::new(Bounds::of_waits(MAX_REQUESTS)),
            scripts: FairSemaphore::new(Bounds::of_threads(config.script_parallelism)),
            threads: Threads::new(config.script_parallelism),
            calls: FairSemaphore::new(Bounds::of_waits(config.call_parallelism)),
            mcp: Mcp::default(),
            outbound: Arc::new(Outbound::new(config.outbound.clone()).within(memory.clone())),
            llm_keys: LlmKeys::default(),
            system_keys: SystemKeys::new(&config.llm_system_secret, &config.bedrock_region),
            provider_keys: ProviderKeys::new(&config.plans.stripe_secret),
            noted_uses: NotedUses::default(),
            metrics: Metrics::new(config.metrics.clone()),
            memory,
            clock,
            config,
        }))
    }

    /// Around the clients of the AWS account that the environment names.
    #[cfg(feature = "lambda")]
    pub fn from_env() -> Self {
        use platform::aws;
        use platform::queue::SqsQueue;
        use platform::secrets::SecretsManager;

        let config = Config::from_env();
        let aws = aws::sdk_config();
        let secrets = SecretsManager::new(aws::secrets_manager(&aws), &config.secret_kms_key);
        let clients = Clients {
            dynamodb: aws::dynamodb(&aws),
            secrets: Arc::new(secrets),
            queue: Arc::new(SqsQueue::new(aws, &config.queue_url)),
        };
        Self::new(config, Clock::System, clients)
    }
}
