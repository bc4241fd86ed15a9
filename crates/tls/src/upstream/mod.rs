//! Handshakes with replicas: how they prove who they are, and what is spoken then.
//!
//! | module | job |
//! |---|---|
//! | `mod` | the cell in which the change's way puts what the request's way takes |
//! | `verifier` | believes whom a file of authorities says to believe, or everybody, because a user said so |
//!
//! What needs no file is there from the start. A file of authorities is read by the change's way as soon as a replica names
//! it, and again when it changes; who comes before that is told [`Means::Soon`].

mod verifier;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use divisi_model::speech::Trust;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, Error, RootCertStore};
use thiserror::Error;
use tokio::sync::watch;

use self::verifier::{Believed, Verifier};
use crate::client_authority::roots;
use crate::configs::provider;

/// What is to be spoken with a replica inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// How a replica is spoken to, or why it cannot be.
#[derive(Clone, Debug)]
pub enum Means {
    /// So.
    Ready(Arc<ClientConfig>),
    /// The file of its authorities has not been read yet: ask again when [`Vault::news`](crate::Vault::news) has changed.
    Soon,
    /// Nobody could prove to be the replica.
    Broken(Arc<UpstreamError>),
}

/// Why nobody can prove to be a replica.
#[derive(Debug, Error)]
#[error(
    "{file}: {why}; no replica that trusts in this file (label divisi.upstream-ca) gets a request until it is mended"
)]
pub struct UpstreamError {
    /// The file that the label names.
    pub file: Arc<str>,
    /// What is wrong with it.
    pub why: String,
}

/// The configs for one kind of trust, by protocol.
#[derive(Clone, Debug)]
struct Both {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

type Files = HashMap<Arc<str>, Result<Both, Arc<UpstreamError>>>;

/// The cell in which the change's way puts what the request's way takes.
pub struct Upstreams {
    public: Both,
    unproven: Both,
    files: ArcSwap<Files>,
    news: watch::Sender<()>,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").field("files", &self.files.load().keys()).finish_non_exhaustive()
    }
}

impl Upstreams {
    pub(crate) fn new(news: watch::Sender<()>) -> Result<Self, Error> {
        let public = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let everybody: Arc<dyn ServerCertVerifier> = Arc::new(Verifier::new(Believed::Everybody));
        Ok(Self {
            public: proven(public).map_err(Error::General)?,
            unproven: both(&everybody)?,
            files: ArcSwap::default(),
            news,
        })
    }

    /// How replicas of that kind of trust are spoken to. Takes no lock and reads no file.
    pub fn get(&self, trust: &Trust, protocol: Protocol) -> Means {
        match trust {
            Trust::Public => Means::Ready(self.public.get(protocol)),
            Trust::Unproven => Means::Ready(self.unproven.get(protocol)),
            Trust::Authority(file) => match self.files.load().get(file) {
                Some(Ok(both)) => Means::Ready(both.get(protocol)),
                Some(Err(why)) => Means::Broken(Arc::clone(why)),
                None => Means::Soon,
            },
        }
    }

    /// What was found in a file of authorities, or why nothing was. One that was good stays in use when it is not any more:
    /// the error is returned, for the log.
    ///
    /// # Errors
    /// It could not be read, or is no PEM with certificates of authorities.
    pub fn set(&self, file: &Arc<str>, read: Result<&[u8], String>) -> Result<(), Arc<UpstreamError>> {
        let made = read.and_then(by_file);
        let made = made.map_err(|why| Arc::new(UpstreamError { file: Arc::clone(file), why }));
        let error = made.as_ref().err().cloned();
        self.files.rcu(|old| {
            let mut next = Files::clone(old);
            if made.is_ok() || !matches!(next.get(file), Some(Ok(_))) {
                next.insert(Arc::clone(file), made.clone());
            }
            next
        });
        self.news.send_replace(());
        error.map_or(Ok(()), Err)
    }

    /// Forgets the files that no replica names any more.
    pub fn retain(&self, is_named: impl Fn(&Arc<str>) -> bool) {
        if self.files.load().keys().all(&is_named) {
            return;
        }
        self.files.rcu(|old| {
            old.iter().filter(|(file, _)| is_named(file)).map(|(k, v)| (k.clone(), v.clone())).collect::<Files>()
        });
    }
}

impl Both {
    fn get(&self, protocol: Protocol) -> Arc<ClientConfig> {
        Arc::clone(match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        })
    }
}

fn proven(roots: RootCertStore) -> Result<Both, String> {
    both(&(verifier(roots)? as _)).map_err(|why| why.to_string())
}

fn by_file(pem: &[u8]) -> Result<Both, String> {
    let authorities = verifier(roots(pem).map_err(|why| why.to_string())?)?;
    let file = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    both(&(Arc::new(Verifier::new(Believed::ByFile { authorities, file })) as _)).map_err(|why| why.to_string())
}

fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build();
    verifier.map_err(|why| why.to_string())
}

/// No early data: it can be replayed. No certificate of our own.
fn both(verifier: &Arc<dyn ServerCertVerifier>) -> Result<Both, Error> {
    let with = |protocol: &[u8]| -> Result<_, Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(Arc::new(config))
    };
    Ok(Both { http1: with(b"http/1.1")?, http2: with(b"h2")? })
}
