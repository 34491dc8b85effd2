//! What comes between an environment and its stores: it looks on, holds calls up or spoils them. For DynamoDB it is an
//! interceptor in the SDK's client; the queue is behind a trait, so there it is another queue around it.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor};
use shared::Result;
use shared::platform::queue::{Message, NewMessage, Queue, Receipt};

/// A call of the queue that is under way; what it answers is kept elsewhere.
pub type QueueCall<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Comes between an environment and its queue.
#[async_trait]
pub trait InterceptQueue: Debug + Send + Sync + 'static {
    /// A call of this operation, by its name at SQS. What is returned is what its caller hears.
    ///
    /// # Errors
    /// Those of the call, and whatever the caller is to hear instead.
    async fn intercept(&self, operation: &'static str, call: QueueCall<'_>) -> Result<()>;
}

/// Comes between an environment and its stores. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Interceptor {
    sdk: SharedInterceptor,
    queue: Option<Arc<dyn InterceptQueue>>,
}

impl Interceptor {
    /// Of the SDK's client only.
    pub fn of_sdk(interceptor: impl Intercept + 'static) -> Self {
        Self { sdk: SharedInterceptor::new(interceptor), queue: None }
    }

    /// Of the queue as well.
    pub fn of_both(interceptor: impl Intercept + 'static, queue: impl InterceptQueue) -> Self {
        Self { sdk: SharedInterceptor::new(interceptor), queue: Some(Arc::new(queue)) }
    }

    /// For an SDK client's configuration.
    pub(crate) fn sdk(&self) -> SharedInterceptor {
        self.sdk.clone()
    }
}

/// A queue behind all of these, the first of them outermost.
pub(crate) fn intercepted(queue: Arc<dyn Queue>, interceptors: &[Interceptor]) -> Arc<dyn Queue> {
    let ours = interceptors.iter().rev().filter_map(|interceptor| interceptor.queue.clone());
    ours.fold(queue, |queue, interceptor| Arc::new(Intercepted { queue, interceptor }))
}

#[derive(Debug)]
struct Intercepted {
    queue: Arc<dyn Queue>,
    interceptor: Arc<dyn InterceptQueue>,
}

impl Intercepted {
    async fn call<T: Send>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let mut answer = None;
        let kept = async {
            answer = Some(call.await?);
            Ok(())
        };
        self.interceptor.intercept(operation, Box::pin(kept)).await?;
        Ok(answer.expect("a call that succeeded was made"))
    }
}

#[async_trait]
impl Queue for Intercepted {
    async fn send(&self, message: &NewMessage, delay: Duration) -> Result<()> {
        self.call("SendMessage", self.queue.send(message, delay)).await
    }

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>> {
        self.call("ReceiveMessage", self.queue.receive(most, wait)).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<()> {
        self.call("DeleteMessageBatch", self.queue.delete(receipts)).await
    }

    async fn change_visibility(&self, receipt: &Receipt, timeout: Duration) -> Result<bool> {
        self.call("ChangeMessageVisibility", self.queue.change_visibility(receipt, timeout)).await
    }
}
