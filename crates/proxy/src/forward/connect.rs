//! A new connection to a replica, in TLS where the replica is spoken to so.

use std::future::poll_fn;
use std::io::{self, IoSlice};

use divisi_model::Moment;
use divisi_tls::upstream::{Means, Protocol};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::Attempt;
use crate::clock::Elapsed;
use crate::door::without_port;
use crate::error::Error;
use crate::proxy_protocol;
use crate::transport::{Tcp, Tls, Transport};

impl Attempt<'_> {
    /// Connects to the replica, for what is spoken then.
    pub(super) async fn connect(&self, protocol: Protocol) -> Result<Transport, Error> {
        let begun = Moment::now();
        self.upload.arm(self.worker.settings.limits.connect_timeout);
        let replica = self.lease.replica();
        let connected = self.upload.limit(TcpStream::connect(replica.addr())).await;
        let stream = connected.map_err(|Elapsed| Error::ConnectTimeout)?.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        let tcp = Tcp::new(stream);
        self.upload.limit(self.introduce(&tcp)).await.map_err(|Elapsed| Error::ConnectTimeout)??;
        let transport = if replica.speech().scheme.is_secure() {
            // On the heap: the state of a handshake is large, and every exchange would be larger by it.
            let sealed = self.upload.limit(Box::pin(self.seal(tcp, protocol))).await;
            Transport::Tls(Box::new(sealed.map_err(|Elapsed| Error::ConnectTimeout)??))
        } else {
            Transport::Tcp(tcp)
        };
        self.marks.connect.set(Some(Moment::now().since(begun)));
        self.worker.tally.count_opened();
        Ok(transport)
    }

    /// Tells the replica whose connection it is, where it wants to know (PROXY protocol 2). Where the client had connected to is told as
    /// our own address with the port at which we listen.
    async fn introduce(&self, tcp: &Tcp) -> Result<(), Error> {
        let Some(version) = self.lease.replica().speech().proxy_header else { return Ok(()) };
        let mut destination = tcp.local_addr().map_err(Error::Connect)?;
        let settings = &self.worker.settings;
        let entrance = settings.listen_tls.filter(|_| self.identity.seal.is_some()).unwrap_or(settings.listen);
        destination.set_port(entrance.port());
        let mut header = Vec::new();
        proxy_protocol::write(version, self.identity.source(), destination, &mut header);
        let mut rest = &header[..];
        while !rest.is_empty() {
            let written = poll_fn(|context| tcp.poll_write(context, &[IoSlice::new(rest)])).await;
            rest = &rest[written.map_err(Error::Connect)?..];
        }
        Ok(())
    }

    /// What tells a connection from others to the same replica: for whom its certificate is, and for which client it was made,
    /// where the replica was told.
    pub(super) fn purpose(&self) -> Option<String> {
        let name = self.server_name();
        match self.lease.replica().speech().proxy_header {
            None => name,
            Some(_) => Some(format!("{} {}", self.identity.source(), name.unwrap_or_default())),
        }
    }

    /// For whom the replica's certificate has to be; None where there is no TLS. A connection serves only requests for
    /// whose name it was made.
    fn server_name(&self) -> Option<String> {
        let speech = self.lease.replica().speech();
        if !speech.scheme.is_secure() {
            return None;
        }
        let said = speech.server_name.as_deref().map(str::to_owned);
        let asked = || self.request.authority().map(|host| String::from_utf8_lossy(without_port(host)).into_owned());
        said.or_else(asked).or_else(|| Some(self.lease.replica().addr().ip().to_string()))
    }

    async fn seal(&self, tcp: Tcp, protocol: Protocol) -> Result<Tls, Error> {
        let vault = &self.worker.vault;
        let mut news = vault.news();
        let config = loop {
            news.mark_unchanged();
            match vault.upstreams().get(&self.lease.replica().speech().trust, protocol) {
                Means::Ready(config) => break config,
                Means::Broken(why) => return Err(Error::Untrusted(why)),
                Means::Soon => news.changed().await.map_err(|_| Error::ConnectTimeout)?,
            }
        };
        let name = self.server_name().unwrap_or_default();
        let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| Error::Handshake(io::ErrorKind::InvalidInput.into()))?;
        let tls = Tls::client(tcp, config, name, &self.worker.desks.buffers).map_err(Error::Handshake)?;
        poll_fn(|context| tls.poll_handshake(context)).await.map_err(Error::Handshake)?;
        let agreed = tls.protocol();
        if protocol == Protocol::Http2 && agreed.as_deref() != Some(b"h2") {
            return Err(Error::Handshake(io::Error::other("it does not speak HTTP/2 (ALPN h2)")));
        }
        Ok(tls)
    }
}
