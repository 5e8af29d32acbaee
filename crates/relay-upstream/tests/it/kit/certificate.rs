//! A certificate made for the run, for targets and proxies that speak TLS, and who trusts it.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

struct Made {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let names = ["localhost", "127.0.0.1", "::1", "known-to-the-proxy.invalid"];
    let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
    Made { certificate: made.cert.der().clone(), key: made.signing_key.serialize_der() }
});

/// The settings that all clients are made from: one value, as in the relay, so that whatever they
/// hold in common would show.
pub(crate) static TRUSTING: LazyLock<Arc<rustls::ClientConfig>> = LazyLock::new(|| {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(MADE.certificate.clone()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
});

/// The server's side of TLS.
pub(crate) fn acceptor() -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(MADE.key.clone()));
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![MADE.certificate.clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
