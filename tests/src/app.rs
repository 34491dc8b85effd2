//! The product on embedded stores, in this process.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config as DynamoConfig, Credentials, Region};
use aws_sdk_dynamodb::types::TableDescription;
use embedded::{EmbeddedDynamo, dynamo_client};
use serde_json::json;
use shared::AppState;
use shared::billing::Metering;
use shared::billing::plans::PlanSettings;
use shared::platform::metrics::MetricsSink;
use shared::platform::outbound_http::OutboundPolicy;
use shared::platform::queue::{InProcessQueue, LARGEST_BATCH, MOST_RECEIVES, Queue, Receipt};
use shared::platform::secrets::SecretStore;
use shared::services::auth::PlainToken;
use shared::services::config::{BODY_DEADLINE, Config, PlatformMcp};
use shared::services::limits::Limit;
use shared::services::state::Clients;
use shared::store::{MemberRecord, PatChange, PatRecord, ProjectRecord, QuotaGuard};
use shared::types::clock::{Clock, Timestamp};
use shared::types::ids::{MemberId, PatId, Place, RunId};
use shared::types::quotas::Quotas;
use shared::types::role::Role;
use shared::types::scope::Scope;
use shared::worker::Message;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::{Client, Workspace};
use crate::faults::Faults;
use crate::intercept::{Interceptor, intercepted};
use crate::secrets::{FaultySecrets, MemorySecrets};
use crate::stripe::StripeStandIn;

/// What the operator of these deployments sends.
pub const OPERATOR_TOKEN: &str = "operator-token-of-this-test";

/// Where a DynamoDB listens that stands in for the embedded one, such as Amazon's DynamoDB Local.
const DYNAMODB_URL: &str = "TEST_DYNAMODB_URL";

/// How long a received message is hidden.
const VISIBILITY: Duration = Duration::from_secs(60);

fn dynamodb_url() -> Option<String> {
    env::var(DYNAMODB_URL).ok()
}

/// The stores behind an app; several apps may share them, as several Lambda environments do.
#[derive(Debug, Clone)]
pub struct Stores {
    /// DynamoDB, unless `TEST_DYNAMODB_URL` names another.
    pub dynamo: EmbeddedDynamo,
    /// The queue of runs.
    pub queue: Arc<InProcessQueue>,
    table: String,
    /// The secret store.
    pub secrets: MemorySecrets,
    /// Whether workspaces without credits may go on.
    pub metering: Metering,
    /// How many scripts a process executes at a time.
    pub script_parallelism: usize,
    /// How many there may be of what tenants make.
    pub quotas: Quotas,
}

impl Stores {
    /// New, empty, in memory; or in a new table of the DynamoDB at `TEST_DYNAMODB_URL`.
    ///
    /// # Panics
    /// When they cannot be started.
    pub async fn new() -> Self {
        let dynamo = EmbeddedDynamo::open(None).await.expect("a database in memory");
        let table = match dynamodb_url() {
            Some(_) => format!("test-{}", RunId::new(Clock::System.now())),
            None => "test".to_owned(),
        };
        Self::on(dynamo, table)
    }

    /// Around this database, with a table of this name, an empty queue, and a secret store that has the deployment's own
    /// secrets.
    pub fn on(dynamo: EmbeddedDynamo, table: impl Into<String>) -> Self {
        let secrets = MemorySecrets::with(&[
            ("operator-token", OPERATOR_TOKEN),
            ("token-key", "key-for-hashing-tokens"),
        ]);
        // By the machine's clock whatever an app's is: what a test has delayed stays in the queue.
        let (queue, _) = InProcessQueue::with_dead_letters(&Clock::System, VISIBILITY, MOST_RECEIVES);
        Self {
            dynamo,
            queue,
            table: table.into(),
            secrets,
            metering: Metering::Unlimited,
            script_parallelism: 8,
            quotas: Quotas::default(),
        }
    }

    /// An environment on these stores behind these interceptors.
    pub fn state(&self, clock: Clock, interceptors: &[Interceptor]) -> AppState {
        self.state_on(clock, interceptors, Arc::new(self.secrets.clone()), None)
    }

    /// An environment with this rate limit.
    pub fn limited(&self, clock: Clock, limit: Limit) -> AppState {
        self.state_on(clock, &[], Arc::new(self.secrets.clone()), Some(limit))
    }

    /// An environment one of whose calls fails, of whichever store.
    pub fn faulty_state(&self, clock: Clock, faults: &Faults) -> AppState {
        self.faulty_state_with(clock, faults, &[faults.interceptor()])
    }

    /// The same behind these interceptors, the faults' among them.
    pub fn faulty_state_with(&self, clock: Clock, faults: &Faults, interceptors: &[Interceptor]) -> AppState {
        let secrets = FaultySecrets { secrets: self.secrets.clone(), faults: faults.clone() };
        self.state_on(clock, interceptors, Arc::new(secrets), None)
    }

    /// An environment of a deployment that gives its MCP server the tools that answer with secrets.
    pub fn state_with_risk_tools(&self, clock: Clock) -> AppState {
        self.state_with(clock, |config| config.platform_mcp.risk_tools = true)
    }

    /// An environment of a deployment with other settings.
    pub fn state_with(&self, clock: Clock, change: impl FnOnce(&mut Config)) -> AppState {
        let state = self.state(clock.clone(), &[]);
        let mut config = state.config.clone();
        change(&mut config);
        let clients = Clients {
            dynamodb: self.dynamodb(&[]),
            queue: self.queue(&[]),
            secrets: Arc::new(self.secrets.clone()),
        };
        AppState::new(config, clock, clients)
    }

    /// An environment of a deployment that sells these plans, one of whose calls of a store fails.
    pub fn selling(&self, clock: Clock, plans: PlanSettings, faults: &Faults) -> AppState {
        let state = self.faulty_state(clock.clone(), faults);
        let config = Config { plans, ..state.config.clone() };
        let secrets = FaultySecrets { secrets: self.secrets.clone(), faults: faults.clone() };
        let clients = Clients {
            dynamodb: self.dynamodb(&[faults.interceptor()]),
            queue: self.queue(&[faults.interceptor()]),
            secrets: Arc::new(secrets),
        };
        AppState::new(config, clock, clients)
    }

    fn state_on(
        &self,
        clock: Clock,
        interceptors: &[Interceptor],
        secrets: Arc<dyn SecretStore>,
        limit: Option<Limit>,
    ) -> AppState {
        // More than any test comes to.
        let limit = limit.unwrap_or_else(|| Limit::per_second(1_000_000));
        let clients =
            Clients { dynamodb: self.dynamodb(interceptors), queue: self.queue(interceptors), secrets };
        let config = Config {
            table_name: self.table().to_owned(),
            queue_url: String::new(),
            operator_secret: "operator-token".to_owned(),
            token_key_secret: "token-key".to_owned(),
            secret_prefix: "test".to_owned(),
            secret_kms_key: String::new(),
            llm_system_secret: "llm-system-keys".to_owned(),
            bedrock_region: String::new(),
            public_base_url: "https://agents.example.com".to_owned(),
            script_parallelism: self.script_parallelism,
            watch_interval: Duration::from_millis(50),
            dead_before: None,
            token_limit: limit,
            subscription_limit: limit,
            body_deadline: BODY_DEADLINE,
            platform_mcp: PlatformMcp::on_loopback(),
            // Stand-ins for the world listen on this machine.
            outbound: OutboundPolicy { allow_private: true, ..OutboundPolicy::default() },
            call_parallelism: 256,
            metering: self.metering,
            plans: PlanSettings::default(),
            metrics: MetricsSink::Off,
            quotas: self.quotas.clone(),
        };
        AppState::new(config, clock, clients)
    }

    fn queue(&self, interceptors: &[Interceptor]) -> Arc<dyn Queue> {
        intercepted(self.queue.clone(), interceptors)
    }

    /// A client that runs these interceptors.
    pub fn dynamodb(&self, interceptors: &[Interceptor]) -> aws_sdk_dynamodb::Client {
        let Some(url) = dynamodb_url() else {
            return dynamo_client(&self.dynamo, interceptors.iter().map(Interceptor::sdk));
        };
        let any =
            Credentials::builder().access_key_id("test").secret_access_key("test").provider_name("test");
        let mut config = DynamoConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(any.build())
            .endpoint_url(url)
            .http_client(shared::platform::aws::http_client())
            .retry_config(RetryConfig::disabled());
        for interceptor in interceptors {
            config.push_interceptor(interceptor.sdk());
        }
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// Lets this worker handle every message in the queue, and those that come of it; delayed ones are left.
    ///
    /// # Panics
    /// When the queue does not answer or a message fails.
    pub async fn deliver(&self, worker: &AppState) {
        loop {
            let batch = self.received().await;
            if batch.is_empty() {
                return;
            }
            for (receipt, body) in batch {
                let message = Message { id: "m".to_owned(), body, receive_count: 1 };
                let far = Instant::now() + Duration::from_secs(3600);
                let failed = shared::worker::handle(worker, [message], far).await;
                assert!(failed.is_empty(), "a message failed");
                self.queue.delete(&[receipt]).await.expect("deleted");
            }
        }
    }

    /// Messages that are there, with their bodies.
    async fn received(&self) -> Vec<(Receipt, String)> {
        let batch = self.queue.receive(LARGEST_BATCH, Duration::ZERO).await.expect("messages");
        batch.into_iter().map(|message| (message.receipt, message.body)).collect()
    }

    /// What the database says of the table.
    ///
    /// # Panics
    /// When there is none.
    pub async fn description(&self) -> TableDescription {
        let request = self.dynamodb(&[]).describe_table().table_name(self.table());
        request.send().await.expect("an answer").table.expect("a table")
    }

    /// The name of the table.
    pub fn table(&self) -> &str {
        &self.table
    }
}

/// Keeps a token of this place, which ends at `expires_at`.
///
/// # Panics
/// When it cannot be kept.
pub async fn issue_token(
    state: &AppState,
    (tenant_id, project_id): (&str, &str),
    role: Role,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
) -> PlainToken {
    let now = state.clock.now();
    let token = PlainToken::generate(PatId::new(now)).expect("randomness");
    let place = Place {
        tenant_id: tenant_id.parse().expect("a slug"),
        project_id: project_id.parse().expect("a slug"),
    };
    let project = ProjectRecord {
        project_id: place.project_id.clone(),
        tenant_id: place.tenant_id.clone(),
        name: project_id.to_owned(),
        description: String::new(),
        archived_at: None,
        request: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    // It may be there.
    let _ = state.store.create_project(&project, QuotaGuard::default()).await;
    let owner = MemberRecord {
        id: MemberId::new(now),
        tenant_id: place.tenant_id.clone(),
        display_name: "Somebody".to_owned(),
        email: None,
        // As a member of this project only: these workspaces need not have been opened.
        role: None,
        project_roles: [(place.project_id.clone(), role)].into(),
        pats: [].into(),
        request: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    state.store.create_member(&owner, QuotaGuard::default()).await.expect("a member");
    let pat = PatRecord {
        id: token.id(),
        place,
        member_id: owner.id,
        granted: role,
        role,
        scopes: scopes.to_vec(),
        display_name: "Another token".to_owned(),
        secret_hash: state.auth.key().await.expect("a key").hash(&token),
        token_hint: token.hint(),
        request: None,
        last_used_day: None,
        created_at: now,
        expires_at_time: expires_at,
    };
    state.store.create_pat(&PatChange { pat: &pat, owner: &owner }, None).await.expect("a token");
    token
}

/// The whole product: routes, and unless it was left out, a worker that polls.
#[derive(Debug)]
pub struct TestApp {
    /// What handlers share.
    pub state: AppState,
    /// What it stands on.
    pub stores: Stores,
    /// Somebody without a token.
    pub anyone: Client,
    stop: watch::Sender<bool>,
}

impl TestApp {
    /// With a worker that polls.
    pub async fn start() -> Self {
        let app = Self::without_worker(Clock::System).await;
        tokio::spawn(local::poll(app.state.clone(), app.stores.queue.clone(), app.stop.subscribe()));
        app
    }

    /// Nobody polls: the test delivers messages itself.
    ///
    /// # Panics
    /// When the table cannot be created.
    pub async fn without_worker(clock: Clock) -> Self {
        Self::on(Stores::new().await, clock).await
    }

    /// Nobody polls, and nothing starts without credits.
    pub async fn metered(clock: Clock) -> Self {
        let stores = Stores { metering: Metering::Enforced, ..Stores::new().await };
        Self::on(stores, clock).await
    }

    async fn on(stores: Stores, clock: Clock) -> Self {
        let state = stores.state(clock, &[]);
        state.store.create_table().await.expect("a table");
        let anyone = Client::new(local::router(state.clone()));
        Self { state, stores, anyone, stop: watch::Sender::new(false) }
    }

    /// Of a deployment with these quotas. Nobody polls.
    ///
    /// # Panics
    /// When the table cannot be created.
    pub async fn with_quotas(clock: Clock, quotas: Quotas) -> Self {
        Self::on(Stores { quotas, ..Stores::new().await }, clock).await
    }

    /// Of a deployment that takes its payments at this stand-in. Nobody polls.
    ///
    /// # Panics
    /// When the table cannot be created.
    pub async fn selling(clock: Clock, stripe: &StripeStandIn) -> Self {
        let (name, keys) = StripeStandIn::secret();
        let mut app = Self::without_worker(clock.clone()).await;
        app.stores.secrets.put(name, keys).await.expect("a secret");
        app.state = app.stores.selling(clock, stripe.settings(), &Faults::default());
        app.anyone = Client::new(local::router(app.state.clone()));
        app
    }

    /// The same with these plans, and without a payment provider.
    ///
    /// # Panics
    /// When the table cannot be created.
    pub async fn with_plans(clock: Clock, plans: PlanSettings) -> Self {
        let mut app = Self::without_worker(clock.clone()).await;
        app.state = app.stores.selling(clock, plans, &Faults::default());
        app.anyone = Client::new(local::router(app.state.clone()));
        app
    }

    /// Opens a workspace.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn workspace(&self, slug: &str) -> Workspace {
        let operator = self.operator();
        let opened = operator.post("/v1/onboarding/workspaces", &json!({ "name": slug, "slug": slug })).await;
        let opened = opened.expect(201);
        let text = |key: &str| opened[key].as_str().unwrap_or_default().to_owned();
        Workspace {
            client: self.anyone.bearer(&text("token")),
            tenant_id: text("tenant_id"),
            project_id: text("project_id"),
            token: text("token"),
        }
    }

    /// Somebody else with a token of this place, which ends at `expires_at`.
    ///
    /// # Panics
    /// When the token cannot be kept.
    pub async fn member(
        &self,
        (tenant_id, project_id): (&str, &str),
        role: Role,
        scopes: &[Scope],
        expires_at: Option<Timestamp>,
    ) -> Workspace {
        let token = issue_token(&self.state, (tenant_id, project_id), role, scopes, expires_at).await;
        Workspace {
            client: self.anyone.bearer(token.reveal()),
            tenant_id: tenant_id.to_owned(),
            project_id: project_id.to_owned(),
            token: token.reveal().to_owned(),
        }
    }

    /// Handles every message in the queue, and those that come of it; delayed ones are left.
    ///
    /// # Panics
    /// When the queue does not answer or a message fails.
    pub async fn work(&self) {
        self.stores.deliver(&self.state).await;
    }

    /// Takes what is in the queue; delayed messages are left.
    ///
    /// # Panics
    /// When the queue does not answer.
    pub async fn take_messages(&self) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let batch = self.stores.received().await;
            if batch.is_empty() {
                return bodies;
            }
            for (receipt, body) in batch {
                self.stores.queue.delete(&[receipt]).await.expect("deleted");
                bodies.push(body);
            }
        }
    }

    /// Loses every message in the queue.
    pub fn lose_messages(&self) {
        self.stores.queue.clear();
    }

    /// Lets time pass on a clock that the test drives, then the sweep tick, and workers handle what it sent.
    ///
    /// # Panics
    /// When the stores do not answer or a message fails.
    pub async fn pass(&self, time: Duration) {
        self.state.clock.advance(time);
        shared::worker::sweep(&self.state, self.state.clock.now()).await.expect("a sweep");
        self.work().await;
    }

    /// Gives credits to a workspace.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn grant(&self, tenant_id: &str, bucket: &str, microcredits: u64, cause: &str) {
        let new = json!({ "tenant_id": tenant_id, "bucket": bucket, "microcredits": microcredits,
                          "cause": cause });
        self.operator().post("/v1/billing/grants", &new).await.expect(201);
    }

    /// The operator.
    pub fn operator(&self) -> Client {
        self.anyone.bearer(OPERATOR_TOKEN)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
