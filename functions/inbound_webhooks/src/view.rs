//! Subscriptions as callers see them: never a secret.

use serde::Serialize;
use shared::Result;
use shared::services::webhook::Extras;
use shared::store::SubscriptionRecord;
use shared::store::sender::Sender;
use shared::types::clock::Timestamp;
use shared::types::ids::{PatId, SubscriptionId, WorkflowId};
use utoipa::ToSchema;

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
