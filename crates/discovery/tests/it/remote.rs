//! An engine that is reached over TCP, in the clear and by TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divisi_discovery::{EngineAddress, Settings};
use divisi_testkit::engine::FakeEngine;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::harness::{Discovery, Port, replica, web};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("a CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

fn certificate(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (params.signed_by(&key, authority).expect("signed"), key)
}

/// The folder that `DOCKER_CERT_PATH` names.
fn folder(server: &Authority, client: &Authority) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let (certificate, key) = certificate(client, "divisi");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    write("ca.pem", server.pem());
    write("cert.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    folder
}

/// Only those with a certificate of the authority are let in.
fn acceptor(authority: &Authority, name: &str) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a root");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (certificate, key) = certificate(authority, name);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a certificate");
    TlsAcceptor::from(Arc::new(config))
}

/// A way to the fake engine over TCP, until the test program ends.
fn front(engine: &FakeEngine, tls: Option<TlsAcceptor>) -> SocketAddr {
    let (bound, address) = std::sync::mpsc::channel();
    let socket = engine.socket();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            bound.send(listener.local_addr().expect("bound")).expect("the test waits");
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, socket) = (tls.clone(), socket.clone());
                tokio::spawn(async move {
                    match tls {
                        None => relay(stream, &socket).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                relay(stream, &socket).await;
                            }
                        }
                    }
                });
            }
        });
    });
    address.recv().expect("it is bound")
}

async fn relay(mut stream: impl AsyncRead + AsyncWrite + Unpin, socket: &Path) {
    if let Ok(mut engine) = UnixStream::connect(socket).await {
        // Whoever hangs up, that is the end.
        let _ = copy_bidirectional(&mut stream, &mut engine).await;
    }
}

fn at(engine: &FakeEngine, host: &str, certs: Option<&TempDir>) -> Settings {
    let certs = certs.map(|folder| folder.path().to_str().expect("plain"));
    let address = EngineAddress::from_parts(Some(host), certs.map(|_| "1"), certs).expect("an address");
    let mut settings = Settings { engine: address, ..web(engine) };
    settings.tuning.answer_timeout = Duration::from_secs(5);
    settings
}

#[test]
fn an_engine_over_tcp_is_followed() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let address = front(&engine, None);
    let discovery = Discovery::start(at(&engine, &format!("tcp://{address}"), None));
    discovery.until_known(0);
    engine.run(replica(1, port.number()));
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn an_engine_behind_tls_is_followed_by_address_and_by_name() {
    for name in ["127.0.0.1", "localhost"] {
        let (engine, port) = (FakeEngine::new(), Port::open());
        let authority = authority();
        let port_of_engine = front(&engine, Some(acceptor(&authority, name))).port();
        let certs = folder(&authority, &authority);
        let discovery = Discovery::start(at(&engine, &format!("tcp://{name}:{port_of_engine}"), Some(&certs)));
        discovery.until_known(0);
        engine.run(replica(1, port.number()));
        discovery.until_ready(&["shop-web-1"]);
    }
}

#[test]
fn whoever_has_the_wrong_certificate_is_not_spoken_to() {
    let (engine, ours, theirs) = (FakeEngine::new(), authority(), authority());
    engine.run_silently(replica(1, Port::open().number()));
    let address = front(&engine, Some(acceptor(&ours, "127.0.0.1")));
    let reason = |certs: &TempDir, host: &str, part: &str| {
        let discovery = Discovery::start(at(&engine, host, Some(certs)));
        discovery.until_reason(part);
        assert!(discovery.names().is_empty());
    };
    let host = format!("tcp://{address}");
    reason(&folder(&theirs, &ours), &host, "invalid peer certificate");
    reason(&folder(&ours, &theirs), &host, "cannot reach the Docker engine");
    let certs = folder(&ours, &ours);
    reason(&certs, &format!("tcp://localhost:{}", address.port()), "not valid for name");
    std::fs::remove_file(certs.path().join("key.pem")).expect("it was there");
    reason(&certs, &host, "key.pem: I/O error: No such file");
    std::fs::write(certs.path().join("key.pem"), "nonsense").expect("written");
    reason(&certs, &host, "key.pem: no items found");
    assert_eq!(engine.calls().pings, 0);
}
