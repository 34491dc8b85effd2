//! A client for HTTP over sockets.

/// A client of its own.
pub fn http_client() -> reqwest::Client {
    // There is one already when another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
