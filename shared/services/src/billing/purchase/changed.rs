//! What a change has led to.

use serde::Serialize;
use utoipa::ToSchema;

use crate::billing::standing::StandingView;
use crate::state::AppState;
use billing::subscription::{Checkout, Standing};
use types::Result;

/// What a change has led to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// Where the workspace stands now.
    #[serde(flatten)]
    standing: StandingView,
    /// The page on which the plan is paid; the plan begins when it is. Absent when nothing is to be paid there.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<String>,
    /// The payment provider's id of that page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "cs_…")]
    checkout_session_id: Option<String>,
}

impl Changed {
    pub(super) async fn done(state: &AppState, standing: &Standing) -> Result<Self> {
        let standing = StandingView::of(state, standing).await?;
        Ok(Self { standing, checkout_url: None, checkout_session_id: None })
    }

    pub(super) async fn to_pay(state: &AppState, standing: &Standing, checkout: Checkout) -> Result<Self> {
        let standing = StandingView::of(state, standing).await?;
        Ok(Self { standing, checkout_url: Some(checkout.url), checkout_session_id: Some(checkout.id) })
    }
}
