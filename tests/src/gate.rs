//! Stopping a process between two of its calls to the stores, so that somebody else can act just then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use async_trait::async_trait;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use shared::Error;
use tokio::sync::oneshot;

use crate::intercept::{InterceptQueue, Interceptor, QueueCall};

/// Holds up one call, before it is sent, until it is let go.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    at: usize,
    calls: AtomicUsize,
    inside: Mutex<Option<Inside>>,
}

#[derive(Debug)]
struct Inside {
    reached: oneshot::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

/// The other side of a gate.
#[derive(Debug)]
pub struct Keeper {
    /// Answers when the call is held up.
    pub reached: oneshot::Receiver<()>,
    /// Lets the call go.
    pub go_on: mpsc::Sender<()>,
}

impl Gate {
    /// At the call of this number, from 0.
    pub fn at(call: usize) -> (Self, Keeper) {
        let (reached, held_up) = oneshot::channel();
        let (let_go, go_on) = mpsc::channel();
        let inside = Mutex::new(Some(Inside { reached, go_on }));
        let gate = Self(Arc::new(Inner { at: call, calls: AtomicUsize::new(0), inside }));
        (gate, Keeper { reached: held_up, go_on: let_go })
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Between an environment and its stores.
    pub fn interceptor(&self) -> Interceptor {
        Interceptor::of_both(self.clone(), self.clone())
    }

    /// Goes through, once it is let go.
    fn pass(&self) -> Result<(), mpsc::RecvError> {
        if self.0.calls.fetch_add(1, Ordering::SeqCst) != self.0.at {
            return Ok(());
        }
        let inside = self.0.inside.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Inside { reached, go_on }) = inside
            && reached.send(()).is_ok()
        {
            // Others need this thread meanwhile.
            tokio::task::block_in_place(|| go_on.recv())?;
        }
        Ok(())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Gate {
    fn name(&self) -> &'static str {
        "Gate"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.pass()?)
    }
}

#[async_trait]
impl InterceptQueue for Gate {
    async fn intercept(&self, _: &'static str, call: QueueCall<'_>) -> shared::Result<()> {
        self.pass().map_err(|_| Error::internal("nobody keeps the gate any more"))?;
        call.await
    }
}
