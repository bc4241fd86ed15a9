//! Who must show a certificate.

use std::sync::Arc;

use divisi_tls::{AuthorityError, Demand, Keyring, Vault};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion, version};

use crate::stage::{Authority, Met, meet, vault};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A client that shows a certificate of `clients`.
fn known(authority: &Authority, clients: &Authority, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut config = authority.client(&[version]);
    let (chain, key) = clients.signed(&["somebody"]);
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
    let certified = rustls::sign::CertifiedKey::new(vec![chain], key);
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    Arc::new(config)
}

fn demand(vault: &Vault, name: &str, file: &str, clients: &Authority) {
    let signed = vault.client_authority(file.into(), clients.pem.as_bytes()).expect("an authority");
    let mut next = Keyring::clone(&vault.load());
    next.demands.insert(name.into(), Demand::Signed(signed));
    vault.publish(next);
}

#[test]
fn a_host_that_demands_a_certificate_gets_one() {
    let (authority, clients, strangers) = (Authority::new("test"), Authority::new("ours"), Authority::new("strange"));
    let vault = vault(&authority, &["web.test", "open.test", "a.below.test"]);
    demand(&vault, "web.test", "/ours.pem", &clients);
    demand(&vault, "**.below.test", "/ours.pem", &clients);
    for version in VERSIONS {
        for name in ["web.test", "a.below.test"] {
            let done = meet(&vault, &known(&authority, &clients, version), name).done();
            assert_eq!(done.client_authority.as_deref(), Some("/ours.pem"));
            assert!(done.server.peer_certificates().is_some());
            assert!(matches!(meet(&vault, &known(&authority, &strangers, version), name), Met::Failed(_)), "strange");
            assert!(matches!(meet(&vault, &Arc::new(authority.client(&[version])), name), Met::Failed(_)), "none");
        }
        let open = meet(&vault, &known(&authority, &clients, version), "open.test").done();
        assert!(open.client_authority.is_none() && open.server.peer_certificates().is_none());
    }
}

/// nginx CVE-2025-23419: a session that was made where nobody is checked, or where others are, is none here.
#[test]
fn a_session_from_where_nobody_is_checked_is_not_resumed_where_clients_are() {
    let (authority, first, second) = (Authority::new("test"), Authority::new("first"), Authority::new("second"));
    for version in VERSIONS {
        let vault = vault(&authority, &["web.test"]);
        let client = known(&authority, &first, version);
        meet(&vault, &client, "web.test").done();
        demand(&vault, "web.test", "/first.pem", &first);
        let checked = meet(&vault, &client, "web.test").done();
        assert_ne!(checked.server.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}: made while open");
        let again = meet(&vault, &client, "web.test").done();
        assert_eq!(again.server.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}: made with a certificate");
        assert!(again.server.peer_certificates().is_some(), "and it knows whose");
        demand(&vault, "web.test", "/second.pem", &second);
        assert!(matches!(meet(&vault, &client, "web.test"), Met::Failed(_)), "{version:?}: another authority's");
    }
}

#[test]
fn who_cannot_be_checked_is_refused() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test"]);
    let demands = [("web.test".into(), Demand::Unknown("/ours.pem: no such file".into()))].into();
    vault.publish(Keyring { demands, ..Keyring::clone(&vault.load()) });
    let client = Arc::new(authority.client(&[&version::TLS13]));
    assert!(matches!(meet(&vault, &client, "web.test"), Met::Refused));
    assert_eq!(vault.status().names[0].problem.as_deref(), Some("/ours.pem: no such file"));
}

#[test]
fn a_file_without_authorities_is_an_error() {
    let vault = Vault::new().expect("a vault");
    for pem in [&b""[..], b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = vault.client_authority("/ca.pem".into(), pem).expect_err("no authority");
        assert!(matches!(error, AuthorityError::Pem(_) | AuthorityError::Odd(_)), "{error}");
    }
}
