//! The row, and what the tenant and time do to it.

use serde::{Deserialize, Serialize};

use super::provider_state::ProviderState;
use super::window::Period;
use crate::plans::{Plan, Product};
use crate::{Bucket, Microcredits};
use types::clock::Timestamp;
use types::ids::TenantId;

/// What a tenant has of a product's plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whose.
    pub tenant_id: TenantId,
    /// The trial, which there is once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The free plan that it has or had: see [`Self::free`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) free: Option<Free>,
    /// What it pays for, or has paid for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Paid>,
    /// For which month credits have been granted with a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included: Option<Included>,
    /// Who it is to the payment provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The page on which somebody may be paying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<Checkout>,
    /// What the ledger may not have yet, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub postings: Vec<Posting>,
    /// When the provider is asked again although nothing is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_again_at: Option<Timestamp>,
    /// Counts the changes that the tenant has asked the provider for.
    #[serde(default)]
    pub changes: u64,
    /// Counts the writes of the row; 0 is a row that has not been written.
    pub revision: u64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The plan that is tried.
    pub plan_code: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it was over, if it is: at its end, or when its plan was paid before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A plan that costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Free {
    /// The plan.
    pub plan_code: String,
    /// When it was taken first. Its months are counted from here however often it is taken, so that the ledger knows
    /// each by its cause: who gives it up and takes it again is granted no month twice.
    pub since: Timestamp,
    /// It was given up.
    #[serde(default)]
    pub has_ended: bool,
}

/// A subscription at the payment provider, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The provider's id of it.
    pub id: String,
    /// The plan.
    pub plan_code: String,
    /// Where it stands.
    pub state: ProviderState,
    /// What is paid for.
    pub period: Period,
    /// Whether it ends then.
    pub cancel_at_period_end: bool,
    /// The plan that it goes on with then, when that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_plan: Option<String>,
}

/// Credits that were granted with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// The plan.
    pub plan_code: String,
    /// For this month.
    pub month: Period,
    /// What that plan grants for a whole month.
    pub microcredits: Microcredits,
}

/// A page of the provider's for paying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The provider's id of it.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// What is paid there.
    pub plan_code: String,
}

/// Something that the ledger is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// What causes it.
    pub cause: String,
    /// Of this bucket.
    pub bucket: Bucket,
    /// How much is granted; what is left lapses when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Microcredits>,
    /// When what is left of it lapses by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There was a trial.
    TrialUsed,
    /// There is a subscription that is paid.
    Subscribed,
}

impl Standing {
    /// The free plan, if it has it.
    pub fn free(&self) -> Option<&Free> {
        self.free.as_ref().filter(|free| !free.has_ended)
    }

    /// Of a tenant that has nothing.
    pub const fn none(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            trial: None,
            free: None,
            paid: None,
            included: None,
            customer_id: None,
            checkout: None,
            postings: Vec::new(),
            ask_again_at: None,
            changes: 0,
            revision: 0,
            updated_at: Timestamp::from_millis(0),
        }
    }

    /// The subscription at the provider, when it is not over.
    pub fn live(&self) -> Option<&Paid> {
        self.paid.as_ref().filter(|paid| paid.state.is_live())
    }

    /// The trial, when it is not over.
    pub fn open_trial(&self) -> Option<&Trial> {
        self.trial.as_ref().filter(|trial| trial.ended_at.is_none())
    }

    /// Begins the trial of a plan that has one.
    ///
    /// # Errors
    /// When there was one, or a plan is paid.
    pub fn begin_trial(&mut self, plan: &Plan, now: Timestamp) -> Result<(), Refusal> {
        if self.trial.is_some() {
            return Err(Refusal::TrialUsed);
        }
        if self.live().is_some() {
            return Err(Refusal::Subscribed);
        }
        let days = plan.trial.map_or(0, |offer| u64::from(offer.days));
        self.open_trial_until(plan, now, now.plus(std::time::Duration::from_secs(days * 24 * 3600)));
        Ok(())
    }

    pub(super) fn open_trial_until(&mut self, plan: &Plan, started_at: Timestamp, ends_at: Timestamp) {
        let cause = format!("trial/{}", self.tenant_id);
        let microcredits = plan.trial.map_or(Microcredits::ZERO, |offer| Microcredits(offer.microcredits));
        self.post_grant(cause, Bucket::Trial, microcredits, Some(ends_at));
        self.trial = Some(Trial { plan_code: plan.plan_code.clone(), started_at, ends_at, ended_at: None });
    }

    /// Takes the free plan.
    ///
    /// # Errors
    /// When a plan is paid: it is cancelled at its period's end instead.
    pub fn begin_free(&mut self, plan: &Plan, now: Timestamp) -> Result<(), Refusal> {
        if self.live().is_some() {
            return Err(Refusal::Subscribed);
        }
        if self.free().is_none() {
            let since = self.free.as_ref().map_or(now, |free| free.since);
            self.free = Some(Free { plan_code: plan.plan_code.clone(), since, has_ended: false });
            self.grant_free(plan, now);
        }
        Ok(())
    }

    /// Gives the free plan up. Its credits lapse.
    pub fn end_free(&mut self) {
        if let Some(free) = self.free.as_mut().filter(|free| !free.has_ended) {
            free.has_ended = true;
            self.lapse_included();
        }
    }

    /// What time has done: the trial's end, another month of the free plan or of a year that is paid.
    pub fn pass(&mut self, product: &Product, now: Timestamp) {
        if let Some(trial) = &mut self.trial
            && trial.ended_at.is_none()
            && trial.ends_at <= now
        {
            // Its credits lapse by themselves.
            trial.ended_at = Some(trial.ends_at);
        }
        if let Some(plan) = self.free_plan(product) {
            self.grant_free(plan, now);
        }
        if let Some(paid) = self.live().filter(|paid| paid.state.is_paid()).cloned()
            && let Some(plan) = product.plan(&paid.plan_code)
            && self.included.as_ref().is_some_and(|included| {
                // Another month of what is paid; whether the next period is, only the provider knows.
                included.month.end <= now && included.month.end < paid.period.end
            })
        {
            self.grant_month(plan, paid.period.month_within(now), &paid.id);
        }
    }

    /// Whether only the provider knows how it goes on.
    pub fn must_ask(&self, now: Timestamp) -> bool {
        let due = self.ask_again_at.or_else(|| self.live().map(|paid| paid.period.end));
        self.live().is_some() && due.is_some_and(|at| at <= now)
    }

    /// When something is to be done next.
    pub fn next_look(&self, product: &Product) -> Option<Timestamp> {
        if !self.postings.is_empty() {
            return Some(self.updated_at);
        }
        let provider = self.live().map(|paid| self.ask_again_at.unwrap_or(paid.period.end));
        let within = self.live().and_then(|paid| {
            let end = self.included.as_ref()?.month.end;
            (paid.state.is_paid() && end < paid.period.end).then_some(end)
        });
        let free = self.free_plan(product).and_then(|_| Some(self.included.as_ref()?.month.end));
        let trial = self.open_trial().map(|trial| trial.ends_at);
        [provider, within, free, trial].into_iter().flatten().min()
    }

    /// The free plan, when it is had and grants something.
    fn free_plan<'a>(&self, product: &'a Product) -> Option<&'a Plan> {
        let plan = product.plan(&self.free()?.plan_code)?;
        Some(plan).filter(|plan| plan.included_microcredits > 0)
    }

    fn grant_free(&mut self, plan: &Plan, now: Timestamp) {
        let Some(free) = self.free().filter(|_| plan.included_microcredits > 0) else { return };
        let month = Period::month_at(free.since, now);
        if self.included.as_ref().is_none_or(|included| included.month.end <= month.start) {
            self.grant_month(plan, month, &format!("free/{}", plan.plan_code));
        }
    }

    /// What is left of the month before lapses, and this one's is granted.
    pub(super) fn grant_month(&mut self, plan: &Plan, month: Period, of: &str) {
        self.lapse_included();
        let microcredits = Microcredits(plan.included_microcredits);
        let cause = format!("{of}/{}", month.start.as_seconds());
        self.post_grant(cause, Bucket::Included, microcredits, None);
        self.included = Some(Included { plan_code: plan.plan_code.clone(), month, microcredits });
    }

    /// What is left of the last month that was granted lapses.
    pub(super) fn lapse_included(&mut self) {
        if let Some(Included { plan_code, month, .. }) = self.included.take() {
            let cause = format!("lapse/{plan_code}/{}", month.start.as_seconds());
            self.postings.push(Posting { cause, bucket: Bucket::Included, grant: None, expires_at: None });
        }
    }

    pub(super) fn post_grant(
        &mut self,
        cause: String,
        bucket: Bucket,
        microcredits: Microcredits,
        expires_at: Option<Timestamp>,
    ) {
        if !microcredits.is_zero() {
            self.postings.push(Posting { cause, bucket, grant: Some(microcredits), expires_at });
        }
    }
}
