//! Sessions are resumed by tickets, and only where they were made.

use std::sync::Arc;
use std::time::Duration;

use divisi_tls::{Demand, Keyring};
use rustls::crypto::GetRandomFailed;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use rustls::{ClientConfig, HandshakeKind, ServerConfig, TicketRotator, version};

use crate::stage::{Authority, meet, meet_with, served, vault};

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

/// Keys of tickets are replaced from time to time, and what the last ones signed is still good.
#[test]
fn sessions_outlive_one_rotation_of_keys() {
    #[derive(Debug)]
    struct Keys(Arc<dyn ProducesTickets>);

    impl ProducesTickets for Keys {
        fn enabled(&self) -> bool {
            self.0.enabled()
        }
        fn lifetime(&self) -> u32 {
            self.0.lifetime()
        }
        fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
            self.0.encrypt(plain)
        }
        fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
            self.0.decrypt(cipher)
        }
    }

    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test"]);
    let mut config = ServerConfig::clone(&served(&vault));
    assert!(config.ticketer.enabled() && config.ticketer.lifetime() >= 3600, "ours rotate, too");
    let fresh = || Ok(Box::new(Keys(Ticketer::new().map_err(|_| GetRandomFailed)?)) as _);
    config.ticketer = Arc::new(TicketRotator::new(3, fresh).expect("keys"));
    let config = Arc::new(config);
    let clients = [&version::TLS12, &version::TLS13].map(|version| Arc::new(authority.client(&[version])));
    let kind = |client: &Arc<ClientConfig>| meet_with(&config, client, "web.test").server.handshake_kind();
    assert!(clients.iter().all(|client| kind(client) != Some(HandshakeKind::Resumed)));
    // Keys are switched once the clock, in whole seconds, is beyond their time; tickets are good for twice that.
    std::thread::sleep(Duration::from_millis(4050));
    for client in &clients {
        assert_eq!(kind(client), Some(HandshakeKind::Resumed), "after one rotation");
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
