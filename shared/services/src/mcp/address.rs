//! Addresses of servers, compared.

use types::text::trimmed;

/// Addresses that lead to the same place, with and without a slash at their end.
pub(super) fn is_same_url(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}

pub(super) fn bare(url: &str) -> &str {
    trimmed(url).trim_end_matches('/')
}
