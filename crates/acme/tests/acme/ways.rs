//! Each way to a certificate.

use divisi_acme::{ExternalAccount, Kind, Secret};

use crate::authority::{Authority, Temper};
use crate::stage::Running;
use divisi_testkit::pebble::has;

#[tokio::test]
async fn two_names_share_a_certificate_by_http_01() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example", "b.example"]]);
    let one = running.certificate("a.example", None).await;
    assert_eq!(running.certificate("b.example", None).await, one);
    assert_eq!(*authority.house.shown.lock().unwrap(), ["http-01", "http-01"]);
    assert!(authority.house.is_empty(), "something is still shown: {:?}", authority.house);
    assert!(authority.house.coming.lock().unwrap().is_empty());
    assert_eq!(authority.orders(), 1);
    let status = running.status("a.example", |status| status.certificate.is_some()).await;
    assert!(status.is_wanted && status.trouble.is_none() && status.renewal.is_some(), "{status:?}");
}

#[tokio::test]
async fn a_certificate_by_tls_alpn_01_alone() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper::default()).await;
    let mut settings = authority.settings();
    settings.challenge = Some(Kind::TlsAlpn01);
    let running = Running::start(settings, &authority.house, &[&["a.example"]]);
    running.certificate("a.example", None).await;
    assert_eq!(*authority.house.shown.lock().unwrap(), ["tls-alpn-01"]);
    assert!(authority.house.is_empty());
}

#[tokio::test]
async fn where_http_01_fails_tls_alpn_01_follows() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start_without_http(Temper::default()).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    running.certificate("a.example", None).await;
    assert_eq!(*authority.house.shown.lock().unwrap(), ["http-01", "tls-alpn-01"]);
    assert_eq!(authority.orders(), 2);
}

#[tokio::test]
async fn an_external_account_is_bound() {
    if !has("pebble") {
        return;
    }
    let key = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
    let authority = Authority::start(Temper { external: Some(key), ..Temper::default() }).await;
    let running = Running::start(authority.settings(), &authority.house, &[&["a.example"]]);
    let refused = running.status("a.example", |status| status.trouble.is_some()).await.trouble.unwrap();
    assert!(refused.said.contains("externalAccountRequired"), "{refused:?}");
    running.kill().await;
    let mut settings = authority.settings();
    settings.external = Some(ExternalAccount { kid: key.0.to_owned(), hmac: Secret::from_base64(key.1).unwrap() });
    assert!(!format!("{settings:?}").contains(&key.1[..8]));
    let running = Running::start(settings, &authority.house, &[&["a.example"]]);
    running.certificate("a.example", None).await;
}
