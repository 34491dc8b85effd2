//! How long a request may wait for a run.

use std::time::Duration;

use shared::{Error, Result};

/// API Gateway gives up after 30 s.
const LONGEST: u64 = 20;

/// A `wait_s` parameter.
pub fn from_query(seconds: Option<u64>) -> Result<Duration> {
    match seconds.unwrap_or(0) {
        seconds if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::invalid(format!("wait_s: must be 0 to {LONGEST}."))),
    }
}

/// The `wait=N` of a `Prefer` header (RFC 7240). A preference that cannot be met as asked is met as far as it
/// can be, and one that cannot be read is ignored, as that RFC says.
pub fn from_prefer(headers: &http::HeaderMap) -> Option<Duration> {
    let headers = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = headers.flat_map(|value| value.split([',', ';']));
    let wait = preferences.find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| value.parse::<u64>().ok()).flatten()
    });
    wait.map(|seconds| Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefer_wait_is_read_wherever_it_stands_and_cut_to_what_is_possible() {
        let wait = |text: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("prefer", text.parse().unwrap());
            from_prefer(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, Wait=\"7\""), Some(7));
        assert_eq!(wait("wait=100"), Some(20));
        assert_eq!(wait("wait=soon"), None);
        assert_eq!(wait("return=minimal"), None);
    }
}
