//! Failing stores: what lets one call fail, or all of them for a while, in each way in which AWS fails: before the call takes effect or after it, once or together with everything after it (a crash).

use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use serde_json::Value;
use shared::Error;

use crate::intercept::{InterceptQueue, Interceptor, QueueCall};

mod kind;

pub use kind::{Kind, Operation};

/// Takes every fault that there is of each call, and not one in turn.
const EXHAUSTIVE: &str = "REPLAY_EXHAUSTIVE";
/// What decides whose turn it is; a failed test prints it.
const SEED: &str = "REPLAY_SEED";

static OF_THIS_PROCESS: LazyLock<u64> = LazyLock::new(|| {
    let given = env::var(SEED).ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let mut hasher = DefaultHasher::new();
        (std::process::id(), std::time::SystemTime::now()).hash(&mut hasher);
        hasher.finish() % 1_000_000
    })
});

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not take effect.
    Before(Way),
    /// It takes effect, and the answer does not say so.
    After(Way),
    /// The process dies before it.
    CrashBefore,
    /// The process dies after it took effect.
    CrashAfter,
}

/// What the caller hears instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One of those that are possible for the call, in turn.
    Turn(u64),
    /// This, where it is possible; elsewhere the call does not fail.
    Is(Kind),
}

impl Fault {
    /// How each call fails, one after the other: in a way that takes turns, before and after its effect, and as a
    /// crash; with `REPLAY_EXHAUSTIVE=1` in every way.
    pub fn ways() -> Vec<Self> {
        let crashes = [Self::CrashBefore, Self::CrashAfter];
        if env::var(EXHAUSTIVE).is_ok() {
            let each = Kind::ALL.into_iter().map(Way::Is);
            return each.flat_map(|way| [Self::Before(way), Self::After(way)]).chain(crashes).collect();
        }
        let seed = *OF_THIS_PROCESS;
        // Tests of one process differ by their names.
        let mut hasher = DefaultHasher::new();
        (seed, std::thread::current().name()).hash(&mut hasher);
        let way = Way::Turn(hasher.finish());
        [Self::Before(way), Self::After(way)].into_iter().chain(crashes).collect()
    }

    /// One of the ways for each call, in turn; with `REPLAY_EXHAUSTIVE=1` all of them.
    pub fn ways_of(call: usize) -> Vec<Self> {
        let ways = Self::ways();
        if env::var(EXHAUSTIVE).is_ok() { ways } else { vec![ways[call % ways.len()]] }
    }

    /// Whether the process dies of it.
    pub fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }

    fn is_before(self) -> bool {
        matches!(self, Self::Before(_) | Self::CrashBefore)
    }

    /// What is heard of this call, the `call`th of its process; none where that is impossible.
    fn kind(self, call: usize, operation: &Operation) -> Option<Kind> {
        let (Self::Before(way) | Self::After(way)) = self else { return Some(Kind::Dropped) };
        let is_possible = |kind: &Kind| kind.is_possible(operation, self.is_before());
        match way {
            Way::Is(kind) => Some(kind).filter(is_possible),
            Way::Turn(seed) => {
                let possible: Vec<Kind> = Kind::ALL.into_iter().filter(is_possible).collect();
                let mut hasher = DefaultHasher::new();
                (seed, call).hash(&mut hasher);
                let turn = usize::try_from(hasher.finish() % possible.len() as u64).unwrap_or(0);
                possible.get(turn).copied()
            }
        }
    }
}

/// Counts calls and lets one of them fail. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: AtomicUsize,
    plan: Option<(usize, Fault)>,
    dead: AtomicBool,
    /// What all calls hear, and how many of them.
    outage: Mutex<Option<(Kind, usize)>>,
}

/// What is heard of a request that was sent.
#[derive(Debug, Clone)]
struct Pending(Option<Heard>);

#[derive(Debug, Clone)]
enum Heard {
    /// Nothing.
    Nothing { dies: bool },
    /// This status and body.
    Answer(u16, String),
}

impl Storable for Pending {
    type Storer = StoreReplace<Self>;
}

impl Faults {
    /// The call of this number, from 0, fails like this.
    pub fn at(call: usize, fault: Fault) -> Self {
        Self(Arc::new(Inner { plan: Some((call, fault)), ..Inner::default() }))
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.0.dead.load(Ordering::SeqCst)
    }

    /// From now on so many calls, where that is possible, do not take effect and hear this.
    pub fn begin_outage(&self, kind: Kind, calls: usize) {
        *self.0.outage.lock().unwrap_or_else(PoisonError::into_inner) = Some((kind, calls));
    }

    /// All is well again; how many calls the outage had left.
    pub fn end_outage(&self) -> usize {
        let outage = self.0.outage.lock().unwrap_or_else(PoisonError::into_inner).take();
        outage.map_or(0, |(_, left)| left)
    }

    fn of_outage(&self, operation: &Operation) -> Option<Kind> {
        let mut outage = self.0.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, left) =
            outage.as_mut().filter(|(kind, left)| *left > 0 && kind.is_possible(operation, true))?;
        *left -= 1;
        Some(*kind)
    }

    fn die(&self) {
        self.0.dead.store(true, Ordering::SeqCst);
    }

    /// A call of a store that is not behind an SDK client.
    ///
    /// # Errors
    /// When this is the call that fails, or the process has died.
    pub async fn around<T>(
        &self,
        operation: Operation,
        effect: impl Future<Output = T>,
    ) -> Result<T, &'static str> {
        if self.is_dead() {
            return Err("the process is dead");
        }
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let fault = self.what_fails(call, &operation).map(|(fault, _)| fault);
        if let Some(fault) = fault.filter(|fault| fault.is_before()) {
            self.0.dead.store(fault.is_crash(), Ordering::SeqCst);
            return Err("the call is not sent");
        }
        let done = effect.await;
        if let Some(fault) = fault {
            self.0.dead.store(fault.is_crash(), Ordering::SeqCst);
            return Err("the answer is lost");
        }
        if self.is_dead() { Err("the process is dead") } else { Ok(done) }
    }

    /// Between an environment and its stores.
    pub fn interceptor(&self) -> Interceptor {
        Interceptor::of_both(self.clone(), self.clone())
    }

    /// What is heard of a request that is sent now, and whether it takes effect before.
    fn plan_for(&self, target: &str, body: &[u8]) -> Option<(Fault, Kind, Operation, Value, usize)> {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let is_planned = self.0.plan.is_some_and(|(at, _)| at == call);
        let is_out = self.0.outage.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !is_planned && !is_out {
            return None;
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let operation = Operation::of(target, &body);
        let (fault, kind) = self.what_fails(call, &operation)?;
        Some((fault, kind, operation, body, call))
    }

    /// How this call fails, and what is heard of it.
    #[allow(clippy::print_stdout, reason = "a test that fails shows which faults there were")]
    fn what_fails(&self, call: usize, operation: &Operation) -> Option<(Fault, Kind)> {
        if let Some(kind) = self.of_outage(operation) {
            return Some((Fault::Before(Way::Is(kind)), kind));
        }
        let (_, fault) = self.0.plan.filter(|(at, _)| *at == call)?;
        let kind = fault.kind(call, operation)?;
        println!("call {call}: {operation:?} fails as {kind:?}, {fault:?}; {SEED}={}", *OF_THIS_PROCESS);
        Some((fault, kind))
    }
}

#[dyn_dispatch_hint]
impl Intercept for Faults {
    fn name(&self) -> &'static str {
        "Faults"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Pending(None));
        if self.is_dead() {
            return Err(dead());
        }
        let request = context.request_mut();
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let Some((fault, kind, operation, body, call)) = self.plan_for(&target, &body) else { return Ok(()) };
        let answer = kind.answer(&operation, &body, call).map(|(status, body)| Heard::Answer(status, body));
        match (fault.is_before(), answer) {
            (true, None) if fault.is_crash() => {
                self.die();
                return Err(dead());
            }
            (true, None) => return Err(kind.connector_error()),
            (true, Some(answer)) => {
                // Sent on as something that changes nothing.
                request.headers_mut().insert("x-amz-target", "DynamoDB_20120810.ListTables");
                *request.body_mut() = SdkBody::from("{}");
                request.headers_mut().insert("content-length", "2");
                config.interceptor_state().store_put(Pending(Some(answer)));
            }
            (false, answer) => {
                let heard = answer.unwrap_or(Heard::Nothing { dies: fault.is_crash() });
                config.interceptor_state().store_put(Pending(Some(heard)));
            }
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let heard = config.load::<Pending>().and_then(|Pending(heard)| heard.clone());
        config.interceptor_state().store_put(Pending(None));
        match heard {
            Some(Heard::Nothing { dies }) => {
                self.0.dead.fetch_or(dies, Ordering::SeqCst);
                return Err("the answer is lost".into());
            }
            Some(Heard::Answer(status, body)) => {
                *context.response_mut() = HttpResponse::new(status.try_into()?, SdkBody::from(body));
            }
            None => {}
        }
        if self.is_dead() { Err(dead()) } else { Ok(()) }
    }
}

#[async_trait]
impl InterceptQueue for Faults {
    async fn intercept(&self, _: &'static str, call: QueueCall<'_>) -> shared::Result<()> {
        let answered = self.around(Operation::Message, call).await;
        answered.map_err(|why| Error::unavailable("The queue", why))?
    }
}

/// What nobody tries again.
fn dead() -> BoxError {
    ConnectorError::user("the process is dead".into()).into()
}
