//! Subscriptions as callers see them, never a secret, and what was delivered to them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::extras::Extras;
use store::delivery::Outcome;
use store::sender::Sender;
use store::{DeliveryRecord, SubscriptionRecord};
use types::Result;
use types::clock::Timestamp;
use types::ids::{PatId, RunId, SubscriptionId, WorkflowId};

/// A subscription of an inbound webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// The subscription.
    #[schema(value_type = uuid::Uuid)]
    id: SubscriptionId,
    /// Its workspace.
    tenant_id: String,
    /// Its project.
    project_id: String,
    /// The workflow it starts.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// Its name.
    name: String,
    /// Whether it takes deliveries.
    enabled: bool,
    /// Who sends, and so how deliveries are signed.
    sender: Sender,
    /// Whether deliveries carry the token as their bearer.
    require_bearer: bool,
    /// The token with which its deliveries start runs, and which they carry where that is required.
    #[schema(value_type = uuid::Uuid)]
    automation_pat_id: PatId,
    /// What its runs are started with, beside the body.
    extras: Extras,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When somebody changed it.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl SubscriptionView {
    /// A subscription as callers see it.
    ///
    /// # Errors
    /// Internal, when its row is damaged.
    pub fn new(record: SubscriptionRecord) -> Result<Self> {
        Ok(Self {
            extras: Extras::read(&record.extras)?,
            id: record.id,
            tenant_id: record.place.tenant_id.to_string(),
            project_id: record.place.project_id.to_string(),
            workflow_id: record.workflow_id,
            name: record.name,
            enabled: record.enabled,
            sender: record.sender,
            require_bearer: record.require_bearer,
            automation_pat_id: record.automation_pat_id,
            created_at: record.created_at,
            updated_at: record.updated_at,
        })
    }
}

/// A delivery; those that were refused in one minute are one entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// When it came; of several refusals, the last.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// What became of it.
    outcome: Outcome,
    /// The run that it started, or that its first delivery did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    run_id: Option<RunId>,
    /// Why it was refused: of several refusals, the most frequent reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "SIGNATURE_WRONG")]
    reason: Option<String>,
    /// How many were refused in this minute, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({ "SIGNATURE_WRONG": 2 }))]
    refused: BTreeMap<String, u64>,
}

impl DeliveryView {
    pub(super) fn new(record: DeliveryRecord) -> Self {
        let most = record.refused.iter().max_by_key(|(_, count)| **count);
        Self {
            time: record.time,
            outcome: record.outcome,
            run_id: record.run_id,
            reason: most.map(|(reason, _)| reason.clone()),
            refused: record.refused,
        }
    }
}
