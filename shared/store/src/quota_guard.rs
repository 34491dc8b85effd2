//! What keeps two that are made at the same moment from taking one place: see `quotas`.

use aws_sdk_dynamodb::types::TransactWriteItem;

/// What is written with a new thing, so that two do not take one place.
#[derive(Debug, Clone, Default)]
pub struct QuotaGuard(Option<TransactWriteItem>);

impl QuotaGuard {
    pub(super) const fn of(write: TransactWriteItem) -> Self {
        Self(Some(write))
    }

    /// Whether there is something to write.
    pub const fn is_set(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn writes(self) -> Option<TransactWriteItem> {
        self.0
    }
}
