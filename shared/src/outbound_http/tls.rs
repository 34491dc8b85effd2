//! TLS on the stack that the AWS SDK brings: rustls on aws-lc-rs, with the certificates of the machine.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::OutboundError;

/// Whom the machine trusts, with its environment's `SSL_CERT_FILE`, so that a deployment can add an authority of
/// its own.
pub(super) fn config() -> Result<ClientConfig, OutboundError> {
    let failed = |error: rustls::Error| OutboundError::Invalid(format!("TLS: {error}"));
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (_, unreadable) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!(unreadable, errors = ?found.errors, "there are no certificates: no https server is trusted");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
