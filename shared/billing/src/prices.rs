//! What is charged for, and what it costs where nothing else is agreed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Microcredits;

/// What a step costs: a thousandth of a credit.
pub const DEFAULT_STEP_PRICE: Microcredits = Microcredits(1_000);

/// Something that is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = MeteredAction)]
pub enum Action {
    /// An attempt at a step that succeeds.
    #[serde(rename = "workflow.step.execute")]
    StepExecute,
}

impl Action {
    /// Everything that is charged for.
    pub const ALL: [Self; 1] = [Self::StepExecute];

    /// The action as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StepExecute => "workflow.step.execute",
        }
    }

    /// What is counted.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::StepExecute => "step",
        }
    }

    /// Its price where nothing else is agreed with a tenant.
    pub const fn usual_price(self) -> Microcredits {
        match self {
            Self::StepExecute => DEFAULT_STEP_PRICE,
        }
    }
}
