//! Work that takes long without waiting for anything, such as a check against somebody else's schema: on threads of its own,
//! so that it holds up nothing else, and on no more than there are, so that no tenant's holds up that of another.

use std::time::Duration;

use crate::fair_semaphore::{Bounds, FairPermit, FairSemaphore, Holder};
use types::{Error, Result};

/// How long a request waits for a thread: its caller waits too.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Threads, which are shared by tenant. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Threads(FairSemaphore);

impl Threads {
    /// So many.
    pub fn new(total: usize) -> Self {
        Self(FairSemaphore::new(Bounds::of_threads(total)))
    }

    /// How many are at work.
    pub fn busy(&self) -> usize {
        self.0.held()
    }

    /// Does a run's work, once there is a thread for it.
    ///
    /// # Errors
    /// Internal, when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        holder: impl Into<Holder>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        on_a_thread(self.0.acquire(&holder.into()).await, work).await
    }

    /// The same for a request, whose caller does not wait for ever.
    ///
    /// # Errors
    /// Unavailable when the tenant's other requests have all of its threads for too long; internal, when it panicked.
    pub async fn run_soon<T: Send + 'static>(
        &self,
        holder: impl Into<Holder>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let permit = tokio::time::timeout(MAX_WAIT, self.0.acquire(&holder.into())).await;
        let permit = permit.map_err(|_| {
            let why = "others of this workspace have had all its threads for 10 s; try again, or ask for fewer at once";
            Error::unavailable("The check", why)
        })?;
        on_a_thread(permit, work).await
    }
}

async fn on_a_thread<T: Send + 'static>(
    permit: FairPermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    // The permit is the work's: who does not wait for it any more does not end it.
    let work = move || {
        let done = work();
        drop(permit);
        done
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal_from)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use types::ids::TenantId;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn other_work_goes_on_meanwhile() {
        let threads = Threads::new(2);
        let (other, told) = mpsc::channel();
        let acme = tenant("acme");
        let work = threads.run(&acme, move || told.recv());
        let (heard, ()) = tokio::join!(work, async move { other.send(7).unwrap() });
        assert_eq!(heard.unwrap(), Ok(7));
        assert!(threads.run(&acme, || panic!("broken")).await.is_err());
        assert!(threads.run(&acme, || ()).await.is_ok(), "its thread is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_that_has_all_its_threads_waits_and_another_does_not() {
        let threads = Threads::new(2);
        let acme = tenant("acme");
        let (end, ended) = mpsc::channel::<()>();
        let busy = tokio::spawn({
            let (threads, acme) = (threads.clone(), acme.clone());
            async move { threads.run(&acme, move || ended.recv()).await }
        });
        while threads.0.try_acquire(&(&acme).into()).is_some() {
            tokio::task::yield_now().await;
        }
        let (waiting, ()) = tokio::join!(threads.run_soon(&acme, || ()), tokio::time::advance(MAX_WAIT));
        let refused = waiting.unwrap_err();
        assert!(refused.context.as_ref().is_some_and(|why| why.contains("10 s")), "{refused:?}");
        assert_eq!(threads.run_soon(&tenant("globex"), || 7).await.unwrap(), 7);
        drop(end);
        assert!(busy.await.unwrap().unwrap().is_err());
    }
}
