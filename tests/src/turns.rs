//! Who goes next, where several act at the same time: their calls to the stores go one by one in an order that follows
//! from a seed, so that a story in which two workers race comes out the same when it is told again.
//!
//! A call waits until everybody who takes part is about to make one or has left; then dice decide whose goes. What
//! happens between two calls of one is its own affair and takes no part in the race.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::intercept::{InterceptQueue, Interceptor, QueueCall};

/// How long a call waits for others that neither make one nor leave, such as one in a long pause. Then it goes out of
/// turn, which [`Turns::out_of_turn`] counts.
const PATIENCE: Duration = Duration::from_secs(5);

/// The order of calls of those who take part. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    round: Mutex<Round>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Round {
    dice: u64,
    taking_part: BTreeSet<&'static str>,
    /// Whose, and its number.
    waiting: Vec<(&'static str, u64)>,
    numbered: u64,
    taken: Vec<(&'static str, String)>,
    out_of_turn: usize,
}

impl Round {
    /// Lets one go, if everybody who takes part waits.
    fn deal(&mut self) {
        let all_wait = |who: &&'static str| self.waiting.iter().any(|(other, _)| other == who);
        if self.taking_part.is_empty() || !self.taking_part.iter().all(all_wait) {
            return;
        }
        // splitmix64
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let pick = usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or(0) % self.taking_part.len();
        let who = self.taking_part.iter().nth(pick).copied().unwrap_or_default();
        if let Some(at) = self.waiting.iter().position(|(other, _)| *other == who) {
            self.waiting.remove(at);
        }
    }
}

/// Somebody takes part for as long as this lives.
#[derive(Debug)]
pub struct Part {
    turns: Turns,
    who: &'static str,
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut round = self.turns.round();
        round.taking_part.remove(self.who);
        round.deal();
        drop(round);
        self.turns.0.changed.notify_all();
    }
}

impl Turns {
    fn round(&self) -> MutexGuard<'_, Round> {
        self.0.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on in the order of this seed.
    pub fn begin(&self, seed: u64) {
        let mut round = self.round();
        (round.dice, round.out_of_turn) = (seed, 0);
        round.taken.clear();
    }

    /// Somebody takes part from now on. All who race are to be named before any of them begins.
    pub fn join(&self, who: &'static str) -> Part {
        self.round().taking_part.insert(who);
        Part { turns: self.clone(), who }
    }

    /// Whose calls went, in their order: who, and what was called.
    pub fn taken(&self) -> Vec<(&'static str, String)> {
        self.round().taken.clone()
    }

    /// How many calls went before their turn.
    pub fn out_of_turn(&self) -> usize {
        self.round().out_of_turn
    }

    /// Between this one and the stores; the first of all interceptors.
    pub fn interceptor(&self, who: &'static str) -> Interceptor {
        let seat = Seat { turns: self.clone(), who };
        Interceptor::of_both(seat.clone(), seat)
    }

    fn wait(&self, who: &'static str, call: String) {
        let mut round = self.round();
        if !round.taking_part.contains(who) {
            return;
        }
        let own = (who, round.numbered);
        round.numbered += 1;
        round.waiting.push(own);
        round.deal();
        self.0.changed.notify_all();
        while round.waiting.contains(&own) {
            let waited = self.0.changed.wait_timeout(round, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            round = waited.0;
            if waited.1.timed_out() && round.waiting.contains(&own) {
                round.waiting.retain(|other| *other != own);
                round.out_of_turn += 1;
            }
        }
        round.taken.push((who, call));
    }

    fn done(&self) {
        // One that makes two calls at once may have another that waits.
        self.round().deal();
        self.0.changed.notify_all();
    }
}

#[derive(Debug, Clone)]
struct Seat {
    turns: Turns,
    who: &'static str,
}

impl Seat {
    fn turn(&self, call: &str) {
        // Others need this thread meanwhile.
        tokio::task::block_in_place(|| self.turns.wait(self.who, call.to_owned()));
    }
}

#[async_trait]
impl InterceptQueue for Seat {
    async fn intercept(&self, operation: &'static str, call: QueueCall<'_>) -> shared::Result<()> {
        self.turn(operation);
        let answer = call.await;
        self.turns.done();
        answer
    }
}

#[dyn_dispatch_hint]
impl Intercept for Seat {
    fn name(&self) -> &'static str {
        "Turns"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        self.turn(target.rsplit('.').next().unwrap_or_default());
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.turns.done();
        Ok(())
    }
}
