//! The time that a query is about, the same for each route.

use serde::Deserialize;
use shared::services::analytics::{Asked, Granularity, Window};
use shared::types::clock::Timestamp;
use utoipa::IntoParams;

/// Which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RangeQuery {
    /// `week` (7 days), `month` (30 days; when nothing is said) or `all`; whole days in UTC, today included.
    #[param(inline)]
    window: Option<Window>,
    /// Instead of a window: from this time (RFC 3339) on, as whole hours or days.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until this time (RFC 3339), as whole hours or days; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `hour` or `day`; for `from` and `to` no more than 48 hours apart `hour` when absent, else `day`. Hours go with
    /// at most 31 days.
    #[param(inline)]
    granularity: Option<Granularity>,
}

impl From<RangeQuery> for Asked {
    fn from(query: RangeQuery) -> Self {
        let RangeQuery { window, from, to, granularity } = query;
        Self { window, from, to, granularity }
    }
}
