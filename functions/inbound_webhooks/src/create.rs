//! `POST /v1/inbound-webhooks`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanWriteWebhooks, CommonErrors};
use shared::services::webhook::{Extras, NewSubscription, Sender, SubscriptionView, create};
use shared::types::ids::{PatId, WorkflowId};
use shared::types::text;
use shared::types::text::secret;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// A subscription to create. It holds a token, so it does not print.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInboundWebhook {
    /// The workflow it starts.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: String,
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "Shop orders")]
    name: String,
    /// The token with which deliveries start runs, and which its senders carry where that is required: one of this
    /// project with the scope `workflow:run`. Its validity, end and scopes are checked at every delivery.
    #[schema(value_type = Option<uuid::Uuid>)]
    automation_pat_id: Option<String>,
    /// The same token as text, instead or to check that the sender has the right one. It is not kept.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, example = "pat_…")]
    automation_bearer: Option<SecretString>,
    /// What its runs are started with, beside the body.
    #[serde(default)]
    extras: Extras,
    /// Who sends, and so how deliveries are signed; `generic` when absent, which is for scripts, the SDKs and libraries of
    /// Standard Webhooks.
    #[serde(default)]
    sender: Sender,
    /// Whether deliveries carry the token as `Authorization: Bearer pat_…`; true when absent, and false for each sender
    /// but `generic`, since they cannot. The SDKs' senders need false.
    require_bearer: Option<bool>,
    /// The secret that the sender has issued, 8–512 characters; one is made when absent. Stripe, Slack, Shopify and
    /// Twilio issue theirs. It is never shown.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, min_length = 8, max_length = 512, write_only)]
    signing_secret: Option<SecretString>,
}

/// A new subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedInboundWebhook {
    /// The subscription.
    subscription: SubscriptionView,
    /// What its senders sign with, shown this once; absent when the sender has issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_…")]
    signing_secret: Option<String>,
    /// Where they send, as this request was sent.
    #[schema(
        example = "https://agents.example.com/v1/inbound-webhooks/0199c000-0000-7000-8000-000000000001"
    )]
    ingress_url: String,
    /// The same without the host.
    #[schema(example = "/v1/inbound-webhooks/0199c000-0000-7000-8000-000000000001")]
    ingress_path: String,
}

/// Create an inbound webhook. Its signing secret is shown this once.
#[utoipa::path(post, path = "/v1/inbound-webhooks", tag = "inbound webhooks", request_body = CreateInboundWebhook,
               responses((status = 201, body = CreatedInboundWebhook), CommonErrors))]
pub async fn create_inbound_webhook(
    State(state): State<AppState>,
    CanWriteWebhooks(caller): CanWriteWebhooks,
    Body(new): Body<CreateInboundWebhook>,
) -> Result<(StatusCode, Json<CreatedInboundWebhook>)> {
    let workflow_id: WorkflowId =
        new.workflow_id.parse().map_err(|why| Error::invalid(format!("workflow_id: {why}.")))?;
    let pat_id = new
        .automation_pat_id
        .map(|id| id.parse::<PatId>().map_err(|why| Error::invalid(format!("automation_pat_id: {why}."))));
    let new = NewSubscription {
        workflow_id,
        name: text::name("name", &new.name)?,
        automation_pat_id: pat_id.transpose()?,
        automation_bearer: new.automation_bearer,
        extras: new.extras,
        sender: new.sender,
        require_bearer: new.require_bearer,
        signing_secret: new.signing_secret,
    };
    let created = create(&state, &caller.place, new).await?;
    let ingress_path = format!("/v1/inbound-webhooks/{}", created.record.id);
    let answer = CreatedInboundWebhook {
        ingress_url: format!("{}{ingress_path}", state.config.public_base_url),
        ingress_path,
        signing_secret: created.signing_secret.map(|secret| secret.expose_secret().to_owned()),
        subscription: SubscriptionView::new(created.record)?,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}
