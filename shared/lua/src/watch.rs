//! Ends a script in time: the deadline and the caller's cancellation, asked by the VM's interrupt and by every
//! long loop of the helpers written in Rust.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A flag shared between a running script and whoever may want it to stop. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Makes every script that runs, or will run, with this flag end promptly.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`Cancel::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a script must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Deadline,
    Cancelled,
}

impl Stop {
    /// What a script is told that catches it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "the script has run out of time",
            Self::Cancelled => "the script was cancelled",
        }
    }

    /// Why a script must stop, when it is that what this error says.
    pub(super) fn of(error: &mlua::Error) -> Option<Self> {
        match error {
            mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
                Self::of(cause)
            }
            mlua::Error::RuntimeError(text) => {
                [Self::Deadline, Self::Cancelled].into_iter().find(|stop| text == stop.as_str())
            }
            _ => None,
        }
    }
}

impl From<Stop> for mlua::Error {
    fn from(stop: Stop) -> Self {
        Self::RuntimeError(stop.as_str().to_owned())
    }
}

/// Reading the clock costs more than the rest of an interrupt, so it is read at every fourth. The number stays
/// small because up to as many slow library calls can pass between two readings.
const INTERRUPTS_PER_READING: u32 = 4;

/// The time limit of one script. Only the thread that runs it changes what is in here.
#[derive(Debug)]
pub(super) struct Watch {
    start: Instant,
    limit: Duration,
    cancel: Cancel,
    interrupts: AtomicU32,
    /// Stays set, so that a script that catches the first error meets it again at once.
    stopped: OnceLock<Stop>,
}

impl Watch {
    pub(super) fn new(limit: Duration, cancel: Cancel) -> Self {
        Self { start: Instant::now(), limit, cancel, interrupts: AtomicU32::new(0), stopped: OnceLock::new() }
    }

    /// Asked by the VM at every call and every turn of a loop.
    pub(super) fn interrupt(&self) -> Result<(), Stop> {
        // Two steps and not one, which would lock the bus.
        let count = self.interrupts.load(Ordering::Relaxed).wrapping_add(1);
        self.interrupts.store(count, Ordering::Relaxed);
        if count.is_multiple_of(INTERRUPTS_PER_READING) || self.stopped.get().is_some() {
            return self.check();
        }
        Ok(())
    }

    /// Whether the script may go on.
    pub(super) fn check(&self) -> Result<(), Stop> {
        if self.stopped.get().is_none() {
            if self.cancel.is_cancelled() {
                let _ = self.stopped.set(Stop::Cancelled);
            } else if self.start.elapsed() >= self.limit {
                let _ = self.stopped.set(Stop::Deadline);
            }
        }
        self.stopped().map_or(Ok(()), Err)
    }

    /// What a check has found before, without looking at the clock.
    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stopped.get().copied()
    }
}
