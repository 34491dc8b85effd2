//! Places in lists.

use std::str::FromStr;

use types::{Error, Result};

/// The place to go on after, as this list names its places.
///
/// # Errors
/// Invalid when it is one of another list.
pub fn after<T: FromStr>(place: Option<&str>) -> Result<Option<T>> {
    let foreign = |_| Error::invalid("cursor: is not one of this list's.");
    place.map(|place| place.parse().map_err(foreign)).transpose()
}
