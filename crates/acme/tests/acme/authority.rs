//! The authority, with the servers that it looks at.

use std::path::PathBuf;
use std::sync::Arc;

use divisi_acme::Settings;
use divisi_testkit::pebble::Pebble;
pub(crate) use divisi_testkit::pebble::Temper;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::stage::{House, settings};

/// Pebble, and what it looks at.
pub(crate) struct Authority {
    pub(crate) pebble: Pebble,
    pub(crate) house: Arc<House>,
    pub(crate) folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) async fn start(temper: Temper) -> Self {
        let mut authority = Self::prepare(temper).await;
        authority.pebble.resume();
        authority
    }

    /// The same, with nobody who answers http-01.
    pub(crate) async fn start_without_http(temper: Temper) -> Self {
        let authority = Self::start(temper).await;
        authority.house.is_deaf.store(true, std::sync::atomic::Ordering::SeqCst);
        authority
    }

    /// Everything but Pebble itself.
    pub(crate) async fn prepare(temper: Temper) -> Self {
        let house = Arc::new(House::default());
        let folder = tempfile::tempdir().unwrap();
        let looks_at = (serve_http(&house).await, serve_tls(&house).await);
        Self { pebble: Pebble::prepare(temper, looks_at), house, folder }
    }

    /// The settings for this authority.
    pub(crate) fn settings(&self) -> Settings {
        settings(&self.pebble.directory(), &self.pebble.folder().join("root.pem"), self.folder.path())
    }

    /// The folder of this authority among those of the settings.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("acme").join(format!("127.0.0.1_{}", self.pebble.port()))
    }

    /// How many orders have been made.
    pub(crate) fn orders(&self) -> usize {
        self.pebble.orders()
    }
}

/// What divisi does for http-01, by other means.
async fn serve_http(house: &Arc<House>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let house = Arc::clone(house);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if !house.is_deaf.load(std::sync::atomic::Ordering::SeqCst) {
                tokio::spawn(answer(stream, Arc::clone(&house)));
            }
        }
    });
    port
}

async fn answer(mut stream: TcpStream, house: Arc<House>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let token = path.strip_prefix("/.well-known/acme-challenge/").unwrap_or_default();
    let found = house.tokens.lock().unwrap().get(token).cloned();
    let (status, text) = found.map_or(("404 Not Found", String::new()), |text| ("200 OK", text));
    let length = text.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// What divisi does for tls-alpn-01, by other means.
async fn serve_tls(house: &Arc<House>) -> u16 {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::clone(house) as _);
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    port
}
