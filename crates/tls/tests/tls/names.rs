//! Which certificate whoever calls us so gets.

use std::sync::Arc;
use std::time::Instant;

use divisi_tls::{Choice, Keyring, Speaks, Vault};
use rustls::{NamedGroup, ProtocolVersion, version};

use crate::stage::{Authority, BOTH, Met, meet, vault};

#[test]
fn both_versions_are_spoken_and_http_2_comes_first() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test"]);
    for (versions, expected) in
        [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut client = authority.client(&[versions]);
        client.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let done = meet(&vault, &Arc::new(client), "web.test").done();
        assert_eq!(done.server.protocol_version(), Some(expected));
        assert_eq!(done.server.alpn_protocol(), Some(&b"h2"[..]));
        assert_eq!(done.client_authority, None);
    }
}

#[test]
fn key_exchange_withstands_quantum_computers() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test"]);
    let client = Arc::new(authority.client(BOTH));
    let done = meet(&vault, &client, "web.test").done();
    let group = |group: Option<&'static dyn rustls::crypto::SupportedKxGroup>| {
        group.map(rustls::crypto::SupportedKxGroup::name)
    };
    assert_eq!(group(done.server.negotiated_key_exchange_group()), Some(NamedGroup::X25519MLKEM768));
    let outward = rustls::crypto::aws_lc_rs::default_provider();
    assert_eq!(outward.kx_groups[0].name(), NamedGroup::X25519MLKEM768, "offered to replicas, too");
}

#[test]
fn names_are_the_same_in_whatever_case_and_with_the_roots_dot() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test", "*.shop.test"]);
    let client = Arc::new(authority.client(BOTH));
    for name in ["web.test", "WEB.Test", "web.test.", "a.shop.test", "A.SHOP.test."] {
        assert!(matches!(meet(&vault, &client, name), Met::Done(_)), "{name}");
    }
    for name in ["other.test", "shop.test", "a.b.shop.test", "test"] {
        assert!(matches!(meet(&vault, &client, name), Met::Refused), "{name}");
    }
    // As whoever peeks at the bytes has it.
    for (name, is_served) in [("WEB.test.", true), ("", false), (".", false), ("b.web.test", false)] {
        let choice = vault.choose(Some(name), [].into_iter(), Speaks::Stream);
        assert_eq!(matches!(choice, Choice::Serve { .. }), is_served, "{name:?}: {choice:?}");
    }
}

#[test]
fn who_names_nobody_gets_the_default_or_the_only_one() {
    let authority = Authority::new("test");
    let one = vault(&authority, &["web.test"]);
    let mut client = authority.client(BOTH);
    client.enable_sni = false;
    let client = Arc::new(client);
    assert!(matches!(meet(&one, &client, "web.test"), Met::Done(_)), "the only one");
    // An address is no name (RFC 6066 3).
    assert!(matches!(meet(&one, &Arc::new(authority.client(BOTH)), "127.0.0.1"), Met::Failed(_)), "not for an address");
    let two = vault(&authority, &["web.test", "other.test"]);
    assert!(matches!(meet(&two, &client, "web.test"), Met::Refused), "one of two");
    two.publish(Keyring { default: Some(authority.certificate(&["web.test"])), ..Keyring::clone(&two.load()) });
    assert!(matches!(meet(&two, &client, "web.test"), Met::Done(_)), "the default");
}

#[test]
fn who_names_nobody_is_shown_localhost_rather_than_nothing() {
    let authority = Authority::new("authority");
    let find = |names: &[&str]| {
        let vault = vault(&authority, names);
        vault.load().find(None).map(|found| found.names().to_vec())
    };
    assert_eq!(find(&["a.test", "localhost"]), Some(vec!["localhost".into()]));
    assert_eq!(find(&["a.test", "b.test"]), None);
}

#[test]
fn the_default_is_for_every_name_without_a_certificate() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["web.test"]);
    let client = Arc::new(authority.client(BOTH));
    assert!(matches!(meet(&vault, &client, "unknown.test"), Met::Refused));
    vault.publish(Keyring { default: Some(authority.certificate(&["unknown.test"])), ..Keyring::clone(&vault.load()) });
    assert!(matches!(meet(&vault, &client, "unknown.test"), Met::Done(_)));
    assert!(matches!(meet(&vault, &client, "web.test"), Met::Done(_)), "not the default, which is for another name");
}

#[test]
fn who_comes_before_anything_is_known_waits() {
    let vault = Vault::new().expect("a vault");
    for name in [None, Some("web.test")] {
        assert!(matches!(vault.choose(name, [].into_iter(), Speaks::Http), Choice::Soon));
    }
    vault.publish(Keyring::default());
    assert!(matches!(vault.choose(Some("web.test"), [].into_iter(), Speaks::Http), Choice::Refuse));
}

#[test]
fn a_name_whose_certificate_is_on_its_way_is_waited_for() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &[]);
    let coming = [Arc::from("web.test"), Arc::from("*.shop.test")].into();
    vault.publish(Keyring { default: Some(authority.certificate(&["x"])), coming, ..Keyring::default() });
    let client = Arc::new(authority.client(BOTH));
    let mut news = vault.news();
    assert!(matches!(meet(&vault, &client, "web.test"), Met::Soon));
    assert!(matches!(meet(&vault, &client, "a.shop.test"), Met::Soon));
    assert!(!news.has_changed().expect("the vault is there"));
    let certificates = [("web.test".into(), authority.certificate(&["web.test"]))].into();
    vault.publish(Keyring { certificates, ..Keyring::clone(&vault.load()) });
    assert!(news.has_changed().expect("the vault is there"));
    news.mark_unchanged();
    assert!(matches!(meet(&vault, &client, "web.test"), Met::Done(_)), "renewal is not waited for");
}

#[test]
fn what_is_not_http_is_spoken_under_no_name_of_ours() {
    let authority = Authority::new("test");
    let vault = vault(&authority, &["db.test"]);
    let choose = |speaks| match vault.choose(Some("db.test"), [&b"postgresql"[..]].into_iter(), speaks) {
        Choice::Serve { config, .. } => config,
        other => panic!("{other:?}"),
    };
    assert_eq!(choose(Speaks::Http).alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert!(choose(Speaks::Stream).alpn_protocols.is_empty());
}

/// Generous: in a debug build, on a busy machine. An optimised build takes a tenth of it.
#[test]
fn ten_thousand_names_cost_what_ten_cost() {
    let authority = Authority::new("test");
    let certificate = authority.certificate(&["x.test"]);
    let names = (0..10_000).map(|number| (format!("host-{number}.test").into(), Arc::clone(&certificate)));
    let vault = Vault::new().expect("a vault");
    vault.publish(Keyring { certificates: names.collect(), ..Keyring::default() });
    let asked: Vec<_> = (0..10_000).map(|number| format!("host-{}.test", number * 7 % 10_000)).collect();
    let begun = Instant::now();
    let served = asked
        .iter()
        .filter(|name| matches!(vault.choose(Some(name), [].into_iter(), Speaks::Http), Choice::Serve { .. }));
    assert_eq!(served.count(), 10_000);
    let each = begun.elapsed() / 10_000;
    println!("{each:?} each");
    assert!(each.as_micros() < 50, "{each:?} each");
}
