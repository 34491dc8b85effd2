//! Taking over what the payment provider says of a subscription now.

use std::time::Duration;

use super::provider_state::ProviderState;
use super::standing::{Included, Paid, Posting, Standing};
use super::window::Period;
use crate::plans::{Plan, Product};
use crate::{Bucket, Microcredits};
use types::clock::Timestamp;

/// When the provider is asked again while a period that has begun is not paid yet: it writes an invoice, waits an hour,
/// and collects it.
const NOT_PAID_YET: Duration = Duration::from_secs(30 * 60);
/// The same when the payment has failed, which the provider goes on trying for weeks.
const PAYMENT_FAILED: Duration = Duration::from_secs(24 * 3600);

/// How far the payment of an invoice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceState {
    /// It is paid, or there was nothing to pay.
    Paid,
    /// It is not.
    Unpaid,
}

/// A subscription as the provider has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed<'a> {
    /// The provider's id of it.
    pub id: &'a str,
    /// Where it stands.
    pub state: ProviderState,
    /// Its plan.
    pub plan: &'a Plan,
    /// The current period.
    pub period: Period,
    /// Whether it ends then.
    pub cancel_at_period_end: bool,
    /// The plan that it goes on with then, when that is another.
    pub next_plan: Option<&'a str>,
    /// Its newest invoice.
    pub invoice: InvoiceState,
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It was taken over.
    Taken,
    /// It is about a subscription that the tenant has no more, or never had.
    Unrelated,
}

impl Standing {
    /// Takes over what the provider says now. Doing it again changes nothing.
    pub fn observe(&mut self, product: &Product, seen: &Observed<'_>, now: Timestamp) -> Seen {
        if let Some(paid) = self.live()
            && paid.id != seen.id
        {
            return Seen::Unrelated;
        }
        let known = self.paid.as_ref().is_some_and(|paid| paid.id == seen.id);
        match seen.state {
            ProviderState::Incomplete => return Seen::Unrelated,
            ProviderState::Ended if !known => return Seen::Unrelated,
            // What was over stays over.
            ProviderState::Ended if self.live().is_none() => return Seen::Taken,
            ProviderState::Ended => {
                self.end(product, now);
                return Seen::Taken;
            }
            ProviderState::Trialing | ProviderState::Active | ProviderState::PastDue => {}
        }
        self.end_free();
        self.checkout = None;
        // Becoming free is ours to remember: the provider only knows that it ends.
        let is_free = |code: &String| product.plan(code).is_some_and(Plan::is_free);
        let becomes_free = self.paid.as_ref().filter(|_| known && seen.cancel_at_period_end);
        let becomes_free = becomes_free.and_then(|paid| paid.next_plan.clone()).filter(is_free);
        self.paid = Some(Paid {
            id: seen.id.to_owned(),
            plan_code: seen.plan.plan_code.clone(),
            state: seen.state,
            period: seen.period,
            cancel_at_period_end: seen.cancel_at_period_end,
            next_plan: becomes_free.or_else(|| seen.next_plan.map(str::to_owned)),
        });
        self.ask_again_at = None;
        match seen.state {
            ProviderState::Trialing => self.observe_trial(seen),
            ProviderState::Active => self.observe_active(seen, now),
            _ => self.observe_past_due(now),
        }
        Seen::Taken
    }

    /// A trial that began with a checkout is known from here.
    fn observe_trial(&mut self, seen: &Observed<'_>) {
        if self.trial.is_none() && seen.plan.trial.is_some() {
            self.open_trial_until(seen.plan, seen.period.start, seen.period.end);
        }
    }

    fn observe_active(&mut self, seen: &Observed<'_>, now: Timestamp) {
        if let InvoiceState::Unpaid = seen.invoice {
            // What is left of the last month may be used until the payment is made or has failed.
            self.ask_again_at = Some(now.plus(NOT_PAID_YET));
            return;
        }
        self.end_trial(now);
        let month = seen.period.month_within(now);
        match &self.included {
            // A new period begins its own month, also when it cuts the last one short.
            Some(included) if included.month.start >= month.start => self.upgrade(seen.plan, now),
            _ => self.grant_month(seen.plan, month, seen.id),
        }
        if seen.period.end <= now {
            // The provider is late with the next period.
            self.ask_again_at = Some(now.plus(NOT_PAID_YET));
        }
    }

    fn observe_past_due(&mut self, now: Timestamp) {
        if self.included.as_ref().is_some_and(|included| included.month.end <= now) {
            self.lapse_included();
        }
        self.ask_again_at = Some(now.plus(PAYMENT_FAILED));
    }

    /// A plan that grants more is granted the difference for what is left of the month.
    fn upgrade(&mut self, plan: &Plan, now: Timestamp) {
        let Some(Included { plan_code, month, microcredits }) = &mut self.included else { return };
        let more = Microcredits(plan.included_microcredits).less(*microcredits);
        if *plan_code == plan.plan_code {
            return;
        }
        plan_code.clone_from(&plan.plan_code);
        if more.is_zero() {
            return;
        }
        *microcredits = Microcredits(plan.included_microcredits);
        let cause = format!("upgrade/{}/{}", plan.plan_code, month.start.as_seconds());
        let more = share(more, *month, now);
        self.post_grant(cause, Bucket::Included, more, None);
    }

    /// The subscription is over.
    fn end(&mut self, product: &Product, now: Timestamp) {
        self.lapse_included();
        self.ask_again_at = None;
        let Some(paid) = &mut self.paid else { return };
        paid.state = ProviderState::Ended;
        paid.cancel_at_period_end = false;
        let next = paid.next_plan.take().and_then(|code| product.plan(&code));
        if let Some(free) = next.filter(|plan| plan.is_free()) {
            // It is not live any more, so this is not refused.
            let _ = self.begin_free(free, now);
        }
    }

    /// Paying ends a trial. Its credits lapse, unless they just have by themselves.
    fn end_trial(&mut self, now: Timestamp) {
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.ended_at.is_none()) else { return };
        trial.ended_at = Some(trial.ends_at.min(now));
        if now < trial.ends_at {
            let cause = format!("trial-over/{}", self.tenant_id);
            self.postings.push(Posting { cause, bucket: Bucket::Trial, grant: None, expires_at: None });
        }
    }
}

/// The part of it that belongs to what is left of a month, in whole seconds, rounded down.
fn share(whole: Microcredits, month: Period, now: Timestamp) -> Microcredits {
    let (left, all) = (month.end.since(now).as_secs(), month.end.since(month.start).as_secs());
    let part = u128::from(whole.0) * u128::from(left.min(all)) / u128::from(all.max(1));
    Microcredits(u64::try_from(part).unwrap_or(whole.0))
}
