//! Failing stores: an interceptor on the SDK's clients that lets one call fail, before it takes effect or
//! after, once or together with everything after it (a crash).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not reach the store.
    Before,
    /// It takes effect, and the answer is lost.
    After,
    /// The process dies before it.
    CrashBefore,
    /// The process dies after it took effect.
    CrashAfter,
}

impl Fault {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Before, Self::After, Self::CrashBefore, Self::CrashAfter];

    fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashAfter)
    }

    fn is_before(self) -> bool {
        matches!(self, Self::Before | Self::CrashBefore)
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
    pending: AtomicBool,
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

    /// A call of a store that is not behind an SDK client.
    ///
    /// # Errors
    /// When this is the call that fails, or the process has died.
    pub async fn around<T>(&self, effect: impl Future<Output = T>) -> Result<T, &'static str> {
        if self.is_dead() {
            return Err("the process is dead");
        }
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let fault = self.0.plan.filter(|(at, _)| *at == call).map(|(_, fault)| fault);
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

    /// For an SDK client's configuration.
    pub fn interceptor(&self) -> SharedInterceptor {
        SharedInterceptor::new(self.clone())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Faults {
    fn name(&self) -> &'static str {
        "Faults"
    }

    fn modify_before_transmit(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.is_dead() {
            return Err("the process is dead".into());
        }
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        if let Some((at, fault)) = self.0.plan
            && at == call
        {
            if fault.is_before() {
                self.0.dead.store(fault.is_crash(), Ordering::SeqCst);
                return Err("the call is not sent".into());
            }
            self.0.pending.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        _: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.pending.swap(false, Ordering::SeqCst) {
            let crash = self.0.plan.is_some_and(|(_, fault)| fault.is_crash());
            self.0.dead.store(crash, Ordering::SeqCst);
            return Err("the answer is lost".into());
        }
        if self.is_dead() { Err("the process is dead".into()) } else { Ok(()) }
    }
}
