//! The HTTP client with which the AWS SDK calls AWS: it trusts the few authorities that sign AWS's own servers.
//!
//! Reading the machine's whole list, some 140 certificates, was most of what a function did before its first
//! invocation (docs/decisions/0021-small-choices-of-operations.md).

mod call;

pub use call::Call;

use std::env;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// Amazon Trust Services, <https://www.amazontrust.com/repository/>.
const ROOTS: &[u8] = include_bytes!("aws/roots.pem");
/// Names a file of certificates to trust instead: where AWS is reached through a proxy that signs for itself, or in a
/// partition whose servers others sign for.
const OTHERS: &str = "SSL_CERT_FILE";

/// A client for the SDK.
pub fn http_client() -> SharedHttpClient {
    let trusted = match env::var_os(OTHERS) {
        Some(_) => TrustStore::default(),
        None => TrustStore::empty().with_pem_certificate(ROOTS),
    };
    let client = Builder::new().tls_provider(Provider::rustls(CryptoMode::AwsLc));
    match TlsContext::builder().with_trust_store(trusted).build() {
        Ok(context) => client.tls_context(context).build_https(),
        Err(error) => {
            tracing::warn!(%error, "the certificates of AWS cannot be used; the machine's are");
            client.build_https()
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn each_certificate_can_be_read_and_is_an_authority() {
        let mut store = RootCertStore::empty();
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(ROOTS).map(Result::unwrap).collect();
        assert_eq!(certificates.len(), 5);
        for certificate in certificates {
            store.add(certificate).unwrap();
        }
        assert_eq!(store.len(), 5);
        let _ = http_client();
    }
}
