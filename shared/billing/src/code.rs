//! A code that grants credits, and its use.

use serde::{Deserialize, Serialize};

use super::Microcredits;
use types::clock::Timestamp;

/// A code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What people enter, in capitals.
    pub code: String,
    /// What it grants.
    pub microcredits: Microcredits,
    /// How many tenants may use it; any number when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_uses: Option<u64>,
    /// Until when; for ever when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A tenant's use of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// What it was granted.
    pub microcredits: Microcredits,
    /// When.
    pub at: Timestamp,
}
