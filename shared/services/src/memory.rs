//! Room for what is read out of a request's body.

use platform::boxed;
use platform::memory::Permit;
use types::error::{ErrorCode, Kind};
use types::json_cost::{MAX_COST, cost};
use types::{Error, Result};

use crate::state::AppState;

/// What a request carries that is covered already by one around it.
pub const COVERED: platform::memory::Covered = platform::memory::Covered;

/// How often a body stands in memory at most while a request is carried out: as it was read, and as it is kept.
const COPIES: usize = 2;

/// Waits until there is memory for the values of a body, if they are large. `is_covered` says that the request is a part of
/// another one that has a permit.
///
/// # Errors
/// Too large, when they take more than any may; unavailable, when other large ones take all there is.
#[boxed]
pub async fn room_for(state: &AppState, body: &[u8], is_covered: bool) -> Result<Option<Permit>> {
    let cost = cost(body);
    if cost > MAX_COST {
        let message = format!(
            "The body takes more than {} MiB of memory once it is read, because it consists of very many small values; send \
             fewer, or some of them as a text.",
            MAX_COST / 1024 / 1024
        );
        return Err(Error::new(Kind::TooLarge, ErrorCode::TooLarge, message));
    }
    if is_covered {
        return Ok(None);
    }
    let permit = state.memory.values_soon(cost.saturating_mul(COPIES)).await;
    permit
        .map(Some)
        .ok_or_else(|| Error::unavailable("The service", "other large bodies take the memory for them"))
}
