//! Payments, as the payment provider tells of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use types::clock::Timestamp;

/// What was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// A plan.
    Subscription,
    /// Credits.
    Topup,
}

/// Whether it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// It was.
    Paid,
    /// It was tried and failed; it may be tried again.
    Failed,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// The payment provider's id of it: an invoice's or a payment's.
    #[schema(example = "in_…")]
    pub id: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was paid for.
    pub kind: PaymentKind,
    /// Whether it was.
    pub status: PaymentStatus,
    /// In the currency's smallest unit.
    pub amount_cents: u64,
    /// The currency, in three small letters.
    #[schema(example = "usd")]
    pub currency: String,
    /// The plan that was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_code: Option<String>,
    /// The credits that were bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcredits: Option<u64>,
    /// The provider's page with the invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_url: Option<String>,
}
