//! TLS on rustls and ring: whom a client trusts.

use std::env;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error, RootCertStore};

/// Amazon Trust Services, <https://www.amazontrust.com/repository/>.
const AMAZON: [&[u8]; 5] = [
    include_bytes!("tls/AmazonRootCA1.cer"),
    include_bytes!("tls/AmazonRootCA2.cer"),
    include_bytes!("tls/AmazonRootCA3.cer"),
    include_bytes!("tls/AmazonRootCA4.cer"),
    include_bytes!("tls/StarfieldServicesRootCA-G2.cer"),
];
/// Names a file of certificates to trust instead.
const OTHERS: &str = "SSL_CERT_FILE";

/// For servers of the world: those that the machine trusts, with its environment's `SSL_CERT_FILE`, so that a deployment
/// can add an authority of its own.
///
/// # Errors
/// When the library has no version of TLS in common with itself.
pub fn for_the_world() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (_, unreadable) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!(unreadable, errors = ?found.errors, "there are no certificates: no https server is trusted");
    }
    trusting(roots)
}

/// For AWS: the few authorities that sign its servers. Reading the machine's whole list, some 140 certificates, was most of
/// what a function did before its first invocation (docs/decisions/0021-small-choices-of-operations.md). Where AWS is
/// reached through a proxy that signs for itself, or others sign for it, `SSL_CERT_FILE` names whom to trust.
///
/// # Errors
/// As [`for_the_world`].
pub fn for_aws() -> Result<ClientConfig, Error> {
    if env::var_os(OTHERS).is_some() {
        return for_the_world();
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(AMAZON.map(CertificateDer::from_slice));
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_amazons_certificates_can_be_read_and_is_an_authority() {
        let mut store = RootCertStore::empty();
        for certificate in AMAZON {
            store.add(CertificateDer::from_slice(certificate)).unwrap();
        }
        assert_eq!(store.len(), 5);
        let _ = for_aws().unwrap();
    }
}
