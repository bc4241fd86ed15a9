//! Replicas prove who they are.

use std::sync::Arc;

use divisi_model::speech::Trust;
use divisi_tls::{Means, Protocol, Vault};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConnection, ServerConfig, ServerConnection};

use crate::stage::{Authority, server, talk, with_certificate};

fn reach(vault: &Vault, trust: &Trust, protocol: Protocol, replica: &Authority) -> Result<Vec<u8>, String> {
    let Means::Ready(config) = vault.upstreams().get(trust, protocol) else { panic!("no means") };
    let client = ClientConnection::new(config, ServerName::try_from("web.test").expect("a name")).expect("a client");
    let server = ServerConnection::new(server(replica, "web.test", &[b"h2", b"http/1.1"])).expect("a server");
    talk(client, server).map(|(client, _)| client.alpn_protocol().unwrap_or_default().to_vec())
}

#[test]
fn only_who_proves_it_is_the_replica() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let vault = Vault::new().expect("a vault");
    let file: Arc<str> = "/ca.pem".into();
    let trust = Trust::Authority(Arc::clone(&file));
    assert!(matches!(vault.upstreams().get(&trust, Protocol::Http1), Means::Soon), "not read yet");
    let news = vault.news();
    vault.upstreams().set(&file, Ok(ours.pem.as_bytes())).expect("an authority");
    assert!(news.has_changed().expect("the vault is there"));
    assert_eq!(reach(&vault, &trust, Protocol::Http1, &ours).as_deref(), Ok(&b"http/1.1"[..]));
    assert_eq!(reach(&vault, &trust, Protocol::Http2, &ours).as_deref(), Ok(&b"h2"[..]));
    assert!(reach(&vault, &trust, Protocol::Http1, &other).is_err());
    assert!(reach(&vault, &Trust::Public, Protocol::Http1, &ours).is_err(), "no browser trusts in it");
    assert_eq!(reach(&vault, &Trust::Unproven, Protocol::Http2, &other).as_deref(), Ok(&b"h2"[..]));
}

/// What `openssl req -x509` makes: a certificate that says that it is an authority, signed by itself.
#[test]
fn a_certificate_in_the_file_is_believed_for_its_name_while_it_is_valid() {
    let made = |name: &str, year: i32| {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate");
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        (certificate.pem(), with_certificate(certificate.der().clone(), secret, &[b"http/1.1"]))
    };
    let believed = |pem: &str, server: &Arc<ServerConfig>| {
        let vault = Vault::new().expect("a vault");
        let file: Arc<str> = "/ca.pem".into();
        vault.upstreams().set(&file, Ok(pem.as_bytes())).expect("an authority");
        let trust = Trust::Authority(file);
        let Means::Ready(config) = vault.upstreams().get(&trust, Protocol::Http1) else { panic!("no means") };
        let client =
            ClientConnection::new(config, ServerName::try_from("web.test").expect("a name")).expect("a client");
        talk(client, ServerConnection::new(Arc::clone(server)).expect("a server")).is_ok()
    };
    let (pem, server) = made("web.test", 2100);
    assert!(believed(&pem, &server));
    let (other, _) = made("web.test", 2100);
    assert!(!believed(&other, &server), "another one of that name");
    let (pem, server) = made("other.test", 2100);
    assert!(!believed(&pem, &server), "for another name");
    let (pem, server) = made("web.test", 2020);
    assert!(!believed(&pem, &server), "it is over");
}

#[test]
fn a_file_that_was_good_stays_in_use() {
    let ours = Authority::new("ours");
    let vault = Vault::new().expect("a vault");
    let file: Arc<str> = "/ca.pem".into();
    let trust = Trust::Authority(Arc::clone(&file));
    let upstreams = vault.upstreams();
    let error = upstreams.set(&file, Err("no such file".to_owned())).expect_err("nothing to read");
    assert!(error.to_string().starts_with("/ca.pem: no such file"), "{error}");
    assert!(matches!(upstreams.get(&trust, Protocol::Http1), Means::Broken(_)));
    upstreams.set(&file, Ok(ours.pem.as_bytes())).expect("an authority");
    upstreams.set(&file, Ok(b"half a file")).expect_err("no PEM");
    assert!(reach(&vault, &trust, Protocol::Http1, &ours).is_ok());
    upstreams.retain(|_| false);
    assert!(matches!(upstreams.get(&trust, Protocol::Http1), Means::Soon), "named again, it is read again");
}
