//! The authority of these tests, and what TLS needs of it on either side.

use std::sync::{Arc, LazyLock};

use divisi_tls::{Certificate, Keyring, Source, Vault};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The host of every request here.
pub(crate) const HOST: &str = "app.test";

/// The file in which divisi has the authority of replicas; its content is published without it.
pub(crate) const FILE: &str = "/authority.pem";

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("divisi tests"));

/// Who signs certificates.
pub(crate) struct Authority {
    pub(crate) pem: String,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a root");
        Self { pem: root.pem(), root: root.der().clone(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn signed(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// The authority that everybody here trusts in.
pub(crate) fn authority() -> &'static Authority {
    &AUTHORITY
}

/// A certificate for that name, as divisi has it.
pub(crate) fn certificate(name: &str) -> Arc<Certificate> {
    let (chain, key) = AUTHORITY.signed(name);
    Arc::new(Certificate::from_der(vec![chain], key, Source::Acme).expect("a certificate"))
}

/// Certificates for those names.
pub(crate) fn keyring(names: &[&str]) -> Keyring {
    let certificates = names.iter().map(|name| ((*name).into(), certificate(name))).collect();
    Keyring { certificates, ..Keyring::default() }
}

/// What divisi knows of TLS: a certificate for [`HOST`], and who signs those of replicas.
pub(crate) fn vault() -> Arc<Vault> {
    let vault = Vault::new().expect("random numbers");
    vault.publish(keyring(&[HOST]));
    vault.upstreams().set(&FILE.into(), Ok(AUTHORITY.pem.as_bytes())).expect("an authority");
    vault
}

/// A client that trusts in the authority, and shows a certificate of `own` if there is one.
pub(crate) fn client_config(protocol: &[u8], own: Option<&Authority>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(AUTHORITY.root.clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    let mut config = match own.map(|own| own.signed("client.test")) {
        Some((chain, key)) => builder.with_client_auth_cert(vec![chain], key).expect("a certificate"),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// A server for [`HOST`] whose certificate `authority` has signed.
pub(crate) fn server_config(authority: &Authority, protocol: &[u8]) -> Arc<ServerConfig> {
    let (chain, key) = authority.signed(HOST);
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let mut config = builder.with_single_cert(vec![chain], key).expect("a certificate");
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}
