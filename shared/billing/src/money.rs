//! Credits, and whether they are asked for.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Millionths of a credit.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u64)]
pub struct Microcredits(pub u64);

impl Microcredits {
    /// None.
    pub const ZERO: Self = Self(0);

    /// So many whole credits.
    pub const fn credits(credits: u64) -> Self {
        Self(credits.saturating_mul(1_000_000))
    }

    /// What is left when `other` is taken; none when that is more.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times this.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Whether there are none.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Microcredits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Microcredits {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Microcredits {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Microcredits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What credits were granted for; the order is the one in which they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// To try the product.
    Trial,
    /// With a plan, for a period.
    Included,
    /// Bought beside a plan.
    Payg,
}

impl Bucket {
    /// Every bucket, in the order in which they are used.
    pub const ALL: [Self; 3] = [Self::Trial, Self::Included, Self::Payg];

    /// The bucket as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Included => "included",
            Self::Payg => "payg",
        }
    }
}

/// Whether a workspace without balance may go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Metering {
    /// Usage is counted, nothing is refused.
    #[default]
    Unlimited,
    /// Nothing starts without balance.
    Enforced,
}

impl std::str::FromStr for Metering {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "unlimited" => Ok(Self::Unlimited),
            "enforced" => Ok(Self::Enforced),
            _ => Err(format!("{text:?} is neither \"unlimited\" nor \"enforced\"")),
        }
    }
}
