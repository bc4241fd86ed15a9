//! The load against servers that do what it must tell apart.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::{NOT_RESUMED, Options, STALLED, run};
use crate::case::Case;
use crate::measurement::Measurement;
use crate::tls;

/// Answers one request per connection, inside TLS, and gives as many tickets as it is told to.
fn serve_tls(dir: &Path, tickets: usize) -> SocketAddr {
    let folder = dir.join("certificates");
    let certificate = CertificateDer::from_pem_file(folder.join("app.test.crt")).expect("issued");
    let key = PrivateKeyDer::from_pem_file(folder.join("app.test.key")).expect("issued");
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).expect("a pair");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.send_tls13_tickets = tickets;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a valid configuration");
            thread::spawn(move || answer(StreamOwned::new(session, stream)));
        }
    });
    address
}

/// The load may hang up whenever it likes.
fn answer(mut stream: StreamOwned<ServerConnection, std::net::TcpStream>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 128\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&[b'x'; 128])?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn load(case: &str, tickets: usize) -> Measurement {
    let dir = TempDir::new().expect("temporary folder");
    tls::issue(dir.path()).expect("write a certificate");
    let options = Options {
        to: serve_tls(dir.path(), tickets),
        case: Case::named(case).expect("there is one"),
        warmup: 2.0,
        seconds: 1.0,
        cpu_of: vec![std::process::id()],
        dir: dir.path().to_owned(),
    };
    run(&options).expect("a server that answers")
}

#[test]
fn handshakes_that_should_be_full_need_no_tickets() {
    let measured = load("tls-full-c64", 0);
    assert!(measured.requests > 0);
    // A busy machine may let a client starve.
    assert!(["", STALLED].contains(&measured.first_error.as_str()), "{measured}");
}

#[test]
fn handshakes_are_resumed_where_there_are_tickets() {
    let measured = load("tls-resumed-c64", 2);
    assert!(measured.requests > 0);
    // A busy machine may let a client starve.
    assert!(["", STALLED].contains(&measured.first_error.as_str()), "{measured}");
}

#[test]
fn a_full_handshake_instead_of_a_resumption_is_an_error() {
    let measured = load("tls-resumed-c64", 0);
    assert!(measured.errors > 0);
    assert_eq!(measured.first_error, NOT_RESUMED);
}
