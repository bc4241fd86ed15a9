//! Sessions are resumed by tickets, and only where they were made.

use std::sync::Arc;

use divisi_tls::{Demand, Keyring};
use rustls::{HandshakeKind, version};

use crate::stage::{Authority, meet, vault};

#[test]
fn sessions_are_resumed_by_tickets() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test", "other.test"]);
    for versions in [&version::TLS12, &version::TLS13] {
        let client = Arc::new(authority.client(&[versions]));
        let first = meet(&vault, &client, "web.test").done();
        assert_ne!(first.server.handshake_kind(), Some(HandshakeKind::Resumed));
        let second = meet(&vault, &client, "web.test").done();
        assert_eq!(second.server.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}");
        let other = meet(&vault, &client, "other.test").done();
        assert_ne!(other.server.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}: another name");
    }
}

#[test]
fn new_certificates_do_not_end_sessions() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test"]);
    let signed = vault.client_authority("/ca.pem".into(), authority.pem.as_bytes()).expect("an authority");
    for versions in [&version::TLS12, &version::TLS13] {
        let client = Arc::new(authority.client(&[versions]));
        meet(&vault, &client, "web.test").done();
        let certificates = [("web.test".into(), authority.certificate(&["web.test"]))].into();
        let demands = [("strict.test".into(), Demand::Signed(Arc::clone(&signed)))].into();
        vault.publish(Keyring { certificates, demands, ..Keyring::default() });
        let again = meet(&vault, &client, "web.test").done();
        assert_eq!(again.server.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}");
    }
}

#[test]
fn another_divisi_begins_anew() {
    let authority = Authority::new("test");
    for versions in [&version::TLS12, &version::TLS13] {
        let client = Arc::new(authority.client(&[versions]));
        meet(&vault(&authority, &["web.test"]), &client, "web.test").done();
        let second = meet(&vault(&authority, &["web.test"]), &client, "web.test").done();
        assert_ne!(second.server.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}");
    }
}
