//! How much memory a process gives to large values at once. Texts are small; what is read out of them may take a hundred times as
//! much ([`types::json_cost`]), so whoever reads a large one has a permit for what it takes, and returns it with the value.
//! Small values need none: who has nothing large never waits.
//!
//! Nobody waits in a circle: who holds a permit of [`Memory::answer`] asks for no other; who holds one of [`Memory::values`]
//! may ask for one of those; and a step holds its permit in a task of its own, which ends whatever its run waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// What takes less is nobody's concern: so many of these as there are runs and requests at once find room.
const SMALL: usize = 512 * 1024;
/// Permits are counted in these.
const UNIT: usize = 64 * 1024;
/// What requests and steps may read at once.
const VALUES: usize = 128 * 1024 * 1024;
/// What may be read at once of what others answer.
const ANSWERS: usize = 96 * 1024 * 1024;
/// What runs keep at once of results that they have read, to read them once.
const KEPT: usize = 96 * 1024 * 1024;
/// How long a request waits for its turn: its caller waits too.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A process's memory for large values. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Memory {
    values: Pool,
    answers: Pool,
    turn: Arc<Mutex<()>>,
    kept: Arc<AtomicUsize>,
}

#[derive(Debug, Clone)]
struct Pool {
    permits: Arc<Semaphore>,
    units: usize,
}

/// The right to hold a value. None was needed for a small one.
#[derive(Debug)]
pub struct Permit {
    permit: Option<OwnedSemaphorePermit>,
}

/// An extension of a request that is a part of another one in this process, whose permit is for both.
#[derive(Debug, Clone, Copy)]
pub struct Covered;

/// The right to read a value while nobody else reads a large one.
#[derive(Debug)]
pub struct Turn {
    _guard: Option<OwnedMutexGuard<()>>,
}

/// What a run keeps of what the process may keep.
#[derive(Debug)]
pub struct Kept {
    pool: Arc<AtomicUsize>,
    bytes: usize,
}

impl Default for Memory {
    fn default() -> Self {
        let pool =
            |bytes: usize| Pool { permits: Arc::new(Semaphore::new(bytes / UNIT)), units: bytes / UNIT };
        Self { values: pool(VALUES), answers: pool(ANSWERS), turn: Arc::default(), kept: Arc::default() }
    }
}

impl Pool {
    /// Whoever asks for more than there is gets all of it.
    async fn acquire(&self, cost: usize) -> Permit {
        if cost <= SMALL {
            return Permit { permit: None };
        }
        let units = cost.div_ceil(UNIT).min(self.units);
        let permits = Arc::clone(&self.permits).acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX));
        // The semaphore is never closed.
        Permit { permit: permits.await.ok() }
    }
}

impl Permit {
    /// Whether it is for something large.
    pub fn was_needed(&self) -> bool {
        self.permit.is_some()
    }
}

impl Memory {
    /// Waits until a step may hold values that take so much.
    pub async fn values(&self, cost: usize) -> Permit {
        self.values.acquire(cost).await
    }

    /// The same for a request, whose caller does not wait for ever; none when others have all of it for too long.
    pub async fn values_soon(&self, cost: usize) -> Option<Permit> {
        tokio::time::timeout(LONGEST_WAIT, self.values.acquire(cost)).await.ok()
    }

    /// Waits until an answer of somebody else may be read that takes so much.
    pub async fn answer(&self, cost: usize) -> Permit {
        self.answers.acquire(cost).await
    }

    /// Waits until no other large value is being put together. Whoever has the turn does so without waiting for anything.
    pub async fn turn(&self, cost: usize) -> Turn {
        match cost <= SMALL {
            true => Turn { _guard: None },
            false => Turn { _guard: Some(Arc::clone(&self.turn).lock_owned().await) },
        }
    }

    /// Room for what a run keeps.
    pub fn keeper(&self) -> Kept {
        Kept { pool: Arc::clone(&self.kept), bytes: 0 }
    }
}

impl Kept {
    /// Whether so much more may be kept; then it counts.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let fits = |kept: usize| kept.checked_add(bytes).filter(|kept| *kept <= KEPT);
        let grown = self.pool.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        self.bytes += if grown { bytes } else { 0 };
        grown
    }

    /// How much is kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing is kept any more.
    pub fn clear(&mut self) {
        self.pool.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_values_wait_for_each_other_and_small_ones_never() {
        let memory = Memory::default();
        let held = memory.values(VALUES).await;
        assert!(memory.values_soon(SMALL).await.is_some());
        assert!(memory.values_soon(SMALL + 1).await.is_none());
        // Another's answer is read meanwhile.
        drop(memory.answer(ANSWERS).await);
        drop(held);
        assert!(memory.values_soon(usize::MAX).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_large_value_at_a_time_is_put_together() {
        let memory = Memory::default();
        let turn = memory.turn(usize::MAX).await;
        drop(memory.turn(SMALL).await);
        assert!(tokio::time::timeout(LONGEST_WAIT, memory.turn(usize::MAX)).await.is_err());
        drop(turn);
        drop(memory.turn(usize::MAX).await);
    }

    #[test]
    fn what_a_run_keeps_ends_with_it() {
        let memory = Memory::default();
        let (mut one, mut other) = (memory.keeper(), memory.keeper());
        assert!(one.grow(KEPT) && !other.grow(1));
        assert_eq!((one.bytes(), other.bytes()), (KEPT, 0));
        drop(one);
        assert!(other.grow(KEPT));
    }
}
