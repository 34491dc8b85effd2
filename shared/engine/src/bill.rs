//! What of a run is charged, as part of its state. Pure.

use serde::{Deserialize, Serialize};

use billing::Microcredits;
use types::clock::Timestamp;

/// The part of a run's state that remembers what it costs and what of that is in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// What a step costs, from the run's start to its end.
    #[serde(rename = "p", default)]
    pub(crate) price: Microcredits,
    /// How many debits there were.
    #[serde(rename = "n", default)]
    pub(crate) debits: u64,
    /// How many steps they were for.
    #[serde(rename = "s", default)]
    pub(crate) steps: u64,
    /// What they came to.
    #[serde(rename = "c", default)]
    pub(crate) debited: Microcredits,
    /// When the last one was.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
}

impl Bill {
    /// Of a run that begins.
    pub fn at_price(price: Microcredits) -> Self {
        Self { price, ..Self::default() }
    }

    /// What a step costs.
    pub const fn price(&self) -> Microcredits {
        self.price
    }

    /// What of the run's use is in the ledger.
    pub const fn debited(&self) -> Microcredits {
        self.debited
    }
}
