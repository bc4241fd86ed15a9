//! What an ACME authority gets that looks whether a name is ours.

use std::sync::Arc;

use divisi_tls::{Choice, Speaks, Vault};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::stage::{Authority, BOTH, Met, meet, vault};

#[test]
fn the_certificate_of_a_challenge_is_shown_to_who_asks_for_it_and_to_nobody_else() {
    let (authority, challenger) = (Authority::new("test"), Authority::new("challenge"));
    let vault = vault(&authority, &["web.test"]);
    let mut asking = challenger.client(BOTH);
    asking.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let asking = Arc::new(asking);
    assert!(matches!(meet(&vault, &asking, "web.test"), Met::Refused), "before");
    let (certificate, key) = challenger.signed(&["web.test"]);
    vault.set_challenge("Web.test", certificate.clone(), key).expect("a challenge");
    let done = meet(&vault, &asking, "web.test").done();
    assert!(done.is_challenge);
    assert_eq!(done.server.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert_eq!(done.client.peer_certificates(), Some(&[certificate][..]));
    assert!(matches!(meet(&vault, &asking, "other.test"), Met::Refused), "another name");
    let usual = meet(&vault, &Arc::new(authority.client(BOTH)), "web.test").done();
    assert!(!usual.is_challenge, "who does not ask gets the usual one");
    vault.remove_challenge("web.test");
    assert!(matches!(meet(&vault, &asking, "web.test"), Met::Refused), "after");
}

#[test]
fn the_extension_that_nobody_else_knows_is_no_fault() {
    // RFC 8737 3: it is critical.
    let mut params = CertificateParams::new(["web.test".to_owned()]).expect("a name");
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed").der().clone();
    let vault = Vault::new().expect("a vault");
    vault
        .set_challenge("web.test", certificate, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a challenge");
    let choice = vault.choose(Some("web.test"), [&b"acme-tls/1"[..]].into_iter(), Speaks::Http);
    assert!(matches!(choice, Choice::Challenge(_)), "{choice:?}");
}

#[test]
fn who_names_nobody_has_no_challenge() {
    let vault = vault(&Authority::new("test"), &["web.test"]);
    let choice = vault.choose(None, [&b"acme-tls/1"[..]].into_iter(), Speaks::Http);
    assert!(matches!(choice, Choice::Refuse), "{choice:?}");
}

#[test]
fn tokens_are_answered_while_they_are_there() {
    let vault = Vault::new().expect("a vault");
    assert_eq!(vault.token("a"), None);
    vault.set_token("a", "a.thumbprint");
    vault.set_token("b", "b.thumbprint");
    assert_eq!(vault.token("a").as_deref(), Some("a.thumbprint"));
    vault.remove_token("a");
    assert_eq!((vault.token("a"), vault.token("b").as_deref()), (None, Some("b.thumbprint")));
}
