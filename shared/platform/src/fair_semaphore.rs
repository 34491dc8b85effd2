//! Semaphores that are shared by tenant: whatever one tenant's runs do, some permits are left to the others. A permit that
//! comes free goes to the waiting tenant that holds the fewest, and among its own to who has waited longest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use types::ids::{RunId, RunRef, TenantId};

/// How many permits there are, and who may hold how many of them at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// All of them.
    pub total: usize,
    /// One tenant.
    pub of_tenant: usize,
    /// One run.
    pub of_run: usize,
}

impl Bounds {
    /// Of what keeps a thread busy: a tenant leaves one to the others, and a run half.
    pub fn of_threads(total: usize) -> Self {
        Self { total, of_tenant: (total - total.min(1)).max(1), of_run: (total / 2).max(1) }
    }

    /// Of what waits most of the time: a tenant leaves a quarter to the others.
    pub fn of_waits(total: usize) -> Self {
        let of_tenant = (total - total / 4).max(1);
        Self { total, of_tenant, of_run: of_tenant }
    }
}

/// Who holds a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    tenant: TenantId,
    /// None for a request.
    run: Option<RunId>,
}

impl Holder {
    /// A run of this tenant.
    pub fn run(tenant: &TenantId, run: RunId) -> Self {
        Self { tenant: tenant.clone(), run: Some(run) }
    }
}

impl From<&RunRef> for Holder {
    fn from(run: &RunRef) -> Self {
        Self::run(&run.place.tenant_id, run.run_id)
    }
}

impl From<&TenantId> for Holder {
    fn from(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), run: None }
    }
}

/// A semaphore. Cloning shares it.
#[derive(Debug, Clone)]
pub struct FairSemaphore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<TenantId, Held>,
    /// In order of arrival.
    waiting: Vec<Waiting>,
}

#[derive(Debug, Default)]
struct Held {
    count: usize,
    of_runs: HashMap<RunId, usize>,
}

#[derive(Debug)]
struct Waiting {
    holder: Holder,
    granted: oneshot::Sender<FairPermit>,
}

/// A permit; released when dropped.
#[derive(Debug)]
pub struct FairPermit {
    of: Arc<Shared>,
    holder: Holder,
    is_lent: bool,
}

impl FairSemaphore {
    /// With so many permits.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Shared { bounds, state: Mutex::default(), released: Notify::new() }))
    }

    /// How many permits there are, and who may hold how many.
    pub fn bounds(&self) -> Bounds {
        self.0.bounds
    }

    /// How many permits are held.
    pub fn held(&self) -> usize {
        self.0.state().held.values().map(|held| held.count).sum()
    }

    /// A permit, if there is one for this holder now.
    pub fn try_acquire(&self, holder: &Holder) -> Option<FairPermit> {
        let mut state = self.0.state();
        // Nobody waits for what is free: it was granted when it came free.
        state.has_room_for(holder, self.0.bounds).then(|| self.0.grant(&mut state, holder))
    }

    /// Waits for a permit.
    pub async fn acquire(&self, holder: &Holder) -> FairPermit {
        let granted = {
            let mut state = self.0.state();
            if state.has_room_for(holder, self.0.bounds) {
                return self.0.grant(&mut state, holder);
            }
            let (granted, permit) = oneshot::channel();
            state.waiting.push(Waiting { holder: holder.clone(), granted });
            permit
        };
        match granted.await {
            Ok(permit) => permit,
            // Its sender stands in `waiting` until a permit is sent, and is not dropped before.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until a permit was released since the last time that somebody waited here.
    pub async fn released(&self) {
        self.0.released.notified().await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(self: &Arc<Self>, state: &mut State, holder: &Holder) -> FairPermit {
        state.count(holder);
        FairPermit { of: Arc::clone(self), holder: holder.clone(), is_lent: false }
    }

    /// Grants what can be granted to those who wait.
    fn grant_waiting(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state();
                state.waiting.retain(|waiting| !waiting.granted.is_closed());
                let Some(waiting) = state.take_next(self.bounds) else { return };
                let permit = self.grant(&mut state, &waiting.holder);
                (waiting.granted, permit)
            };
            // Outside of the lock: who does not wait any more drops the permit, which releases it.
            let _ = next.0.send(next.1);
        }
    }
}

impl State {
    fn count(&mut self, holder: &Holder) {
        let held = self.held.entry(holder.tenant.clone()).or_default();
        held.count += 1;
        if let Some(run) = holder.run {
            *held.of_runs.entry(run).or_default() += 1;
        }
    }

    fn release(&mut self, holder: &Holder) {
        let Entry::Occupied(mut held) = self.held.entry(holder.tenant.clone()) else { return };
        let tenant = held.get_mut();
        tenant.count -= 1;
        if let Some(Entry::Occupied(mut run)) = holder.run.map(|run| tenant.of_runs.entry(run)) {
            *run.get_mut() -= 1;
            if *run.get() == 0 {
                run.remove();
            }
        }
        if tenant.count == 0 {
            held.remove();
        }
    }

    fn of_tenant(&self, holder: &Holder) -> usize {
        self.held.get(&holder.tenant).map_or(0, |held| held.count)
    }

    fn has_room_for(&self, holder: &Holder, bounds: Bounds) -> bool {
        let total: usize = self.held.values().map(|held| held.count.min(bounds.of_tenant)).sum();
        let of_run = |run: RunId| self.held.get(&holder.tenant)?.of_runs.get(&run).copied();
        total < bounds.total
            && self.of_tenant(holder) < bounds.of_tenant
            && holder.run.and_then(of_run).unwrap_or_default() < bounds.of_run
    }

    fn take_next(&mut self, bounds: Bounds) -> Option<Waiting> {
        let of_those = self.waiting.iter().enumerate();
        let of_those = of_those.filter(|(_, waiting)| self.has_room_for(&waiting.holder, bounds));
        let (at, _) = of_those.min_by_key(|(_, waiting)| self.of_tenant(&waiting.holder))?;
        Some(self.waiting.remove(at))
    }
}

impl FairPermit {
    /// Lends it to others, while its holder waits for something else.
    pub fn lend(&mut self) {
        if !std::mem::replace(&mut self.is_lent, true) {
            self.of.state().release(&self.holder);
            self.of.grant_waiting();
            self.of.released.notify_one();
        }
    }

    /// Has it again at once, also when there is none now: what a tenant has beyond its bound is not at the expense of
    /// others.
    pub fn take_back(&mut self) {
        if std::mem::take(&mut self.is_lent) {
            self.of.state().count(&self.holder);
        }
    }
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        self.lend();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use types::ids::Place;

    fn run(tenant: &str, number: u32) -> Holder {
        let place = Place { tenant_id: tenant.parse().unwrap(), project_id: "default".parse().unwrap() };
        let run_id = format!("00000000-0000-7000-8000-{number:012}").parse().unwrap();
        (&RunRef { place, run_id }).into()
    }

    fn all_that(semaphore: &FairSemaphore, holder: &Holder) -> Vec<FairPermit> {
        std::iter::from_fn(|| semaphore.try_acquire(holder)).collect()
    }

    fn is_ready<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn bounds_leave_something_to_others_where_there_is_more_than_one() {
        let threads = |total| {
            let bounds = Bounds::of_threads(total);
            (bounds.of_tenant, bounds.of_run)
        };
        assert_eq!([1, 2, 4, 16].map(threads), [(1, 1), (1, 1), (3, 2), (15, 8)]);
        let waits = |total| Bounds::of_waits(total).of_tenant;
        assert_eq!([1, 2, 64, 256].map(waits), [1, 2, 48, 192]);
    }

    #[test]
    fn a_run_takes_half_a_tenant_all_but_one_and_another_tenant_has_the_last() {
        let semaphore = FairSemaphore::new(Bounds::of_threads(4));
        let first = all_that(&semaphore, &run("acme", 1));
        assert_eq!(first.len(), 2);
        let second = all_that(&semaphore, &run("acme", 2));
        assert_eq!(second.len(), 1);
        assert!(semaphore.try_acquire(&Holder::from(&"acme".parse::<TenantId>().unwrap())).is_none());
        let other = all_that(&semaphore, &run("globex", 1));
        assert_eq!(other.len(), 1);
        drop(first);
        assert_eq!(all_that(&semaphore, &run("globex", 1)).len(), 1, "with the other it has two");
    }

    #[test]
    fn what_comes_free_goes_to_the_tenant_that_has_least_and_then_to_who_waited_longest() {
        let semaphore = FairSemaphore::new(Bounds { total: 3, of_tenant: 3, of_run: 3 });
        let mut held = all_that(&semaphore, &run("acme", 1));
        let acme = run("acme", 2);
        let (one, two, other) = (run("globex", 1), run("globex", 2), run("initech", 1));
        let mut late = pin!(semaphore.acquire(&acme));
        let mut one = pin!(semaphore.acquire(&one));
        let mut two = pin!(semaphore.acquire(&two));
        let mut other = pin!(semaphore.acquire(&other));
        assert!(is_ready(late.as_mut()).is_none() && is_ready(one.as_mut()).is_none());
        assert!(is_ready(two.as_mut()).is_none() && is_ready(other.as_mut()).is_none());
        held.pop();
        let _one = is_ready(one.as_mut()).expect("first of those who have none");
        held.pop();
        let _other = is_ready(other.as_mut()).expect("it still has none");
        held.pop();
        let _late = is_ready(late.as_mut()).expect("acme has none any more");
        assert!(is_ready(two.as_mut()).is_none());
    }

    #[test]
    fn who_does_not_wait_any_more_gets_nothing_and_loses_nothing() {
        let semaphore = FairSemaphore::new(Bounds { total: 1, of_tenant: 1, of_run: 1 });
        let (acme, globex, initech) = (run("acme", 1), run("globex", 1), run("initech", 1));
        let held = semaphore.try_acquire(&acme);
        {
            let mut given_up = pin!(semaphore.acquire(&globex));
            assert!(is_ready(given_up.as_mut()).is_none());
        }
        let mut last = pin!(semaphore.acquire(&initech));
        assert!(is_ready(last.as_mut()).is_none());
        {
            // It is granted one, and gone before it looks.
            let mut gone = pin!(semaphore.acquire(&globex));
            assert!(is_ready(gone.as_mut()).is_none());
            drop(held);
            let had = is_ready(last.as_mut());
            assert!(had.is_some() && is_ready(gone.as_mut()).is_none());
            drop(had);
        }
        assert!(semaphore.try_acquire(&acme).is_some());
        assert!(semaphore.0.state().waiting.is_empty() && semaphore.0.state().held.is_empty());
    }

    #[test]
    fn what_is_lent_is_had_again_at_once_and_not_at_the_expense_of_others() {
        let semaphore = FairSemaphore::new(Bounds::of_waits(4));
        let mut acme = all_that(&semaphore, &run("acme", 1));
        assert_eq!(acme.len(), 3);
        acme.iter_mut().for_each(FairPermit::lend);
        acme.iter_mut().for_each(FairPermit::lend);
        acme.extend(all_that(&semaphore, &run("acme", 2)));
        acme.iter_mut().for_each(FairPermit::take_back);
        assert_eq!(semaphore.0.state().of_tenant(&run("acme", 1)), 6);
        let other = semaphore.try_acquire(&run("globex", 1));
        assert!(other.is_some() && semaphore.try_acquire(&run("initech", 1)).is_none());
        acme.truncate(3);
        assert!(semaphore.try_acquire(&run("acme", 1)).is_none());
        acme.pop();
        assert!(semaphore.try_acquire(&run("acme", 1)).is_some());
    }

    #[tokio::test]
    async fn a_release_is_told_also_when_nobody_listens_just_then() {
        let semaphore = FairSemaphore::new(Bounds::of_waits(4));
        drop(semaphore.try_acquire(&run("acme", 1)));
        semaphore.released().await;
        let mut released = pin!(semaphore.released());
        assert!(is_ready(released.as_mut()).is_none());
    }
}
