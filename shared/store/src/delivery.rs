//! What became of a delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long the log of deliveries goes back.
pub const DELIVERIES_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryOutcome)]
pub enum Outcome {
    /// It started a run.
    Accepted,
    /// It had been accepted before, and was answered with the first one's run.
    Duplicate,
    /// It started nothing.
    Refused,
}

impl Outcome {
    /// The outcome as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}
