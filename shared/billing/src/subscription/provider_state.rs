//! Where a subscription stands with the payment provider.

use serde::{Deserialize, Serialize};

/// Where a subscription stands at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// Its first payment is not made.
    Incomplete,
    /// It is paid from the trial's end.
    Trialing,
    /// It goes on.
    Active,
    /// A payment has failed.
    PastDue,
    /// It is over.
    Ended,
}

impl ProviderState {
    /// Whether it is not over.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }

    /// Whether what it gives may be used.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Active)
    }
}
