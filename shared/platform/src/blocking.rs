//! Work that takes long without waiting for anything.

use types::{Error, Result};

/// Does what may take some tenths of a second, such as a check against somebody else's schema, on a thread of its own, so
/// that it holds up nothing else.
///
/// # Errors
/// Internal, when it panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal_from)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn other_work_goes_on_meanwhile() {
        let (other, told) = mpsc::channel();
        let (heard, ()) = tokio::join!(blocking(move || told.recv()), async move { other.send(7).unwrap() });
        assert_eq!(heard.unwrap(), Ok(7));
        assert!(blocking(|| panic!("broken")).await.is_err());
    }
}
