//! How TLS begins: what a client says before anything is secret decides who answers, so it is read before anything is answered.

use divisi_model::tcp::Hello;
use rustls::Error;
use rustls::server::{Acceptor, ClientHello};

/// What a client asks for in its hello (RFC 8446 4.1.2).
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    /// The server that is meant (RFC 6066 3).
    pub(crate) server_name: Option<String>,
    protocols: Vec<Vec<u8>>,
}

impl Greeting {
    fn of(hello: &ClientHello<'_>) -> Self {
        let protocols = hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect();
        Self { server_name: hello.server_name().map(str::to_owned), protocols }
    }

    /// The protocols that are offered (RFC 7301).
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &[u8]> {
        self.protocols.iter().map(Vec::as_slice)
    }

    /// The form in which the model wants it.
    pub(crate) fn hello<'a>(&'a self, protocols: &'a [&'a [u8]]) -> Hello<'a> {
        Hello { server_name: self.server_name.as_deref().unwrap_or_default().as_bytes(), protocols }
    }
}

/// Why there is no hello.
#[derive(Debug)]
pub(crate) enum NoHello {
    /// It is longer than any is.
    Long,
    /// It cannot be read; the alert tells the client so.
    Bad { error: Error, alert: Vec<u8> },
}

/// Reads a hello, which may come in as many records and pieces as the client likes (RFC 8446 5.1).
#[derive(Default)]
pub(crate) struct Reader {
    acceptor: Acceptor,
    read: usize,
}

impl Reader {
    /// Reads on; `said` is all that has come so far. None where the hello is not over.
    pub(crate) fn read(&mut self, said: &[u8]) -> Result<Option<Greeting>, NoHello> {
        while self.read < said.len() {
            match self.acceptor.read_tls(&mut &said[self.read..]) {
                Ok(count @ 1..) => self.read += count,
                _ => return Err(NoHello::Long),
            }
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok(Some(Greeting::of(&accepted.client_hello()))),
                Err((error, mut unsaid)) => {
                    let mut alert = Vec::new();
                    // It is written into memory, which takes everything.
                    let _ = unsaid.write_all(&mut alert);
                    return Err(NoHello::Bad { error, alert });
                }
            }
        }
        Ok(None)
    }
}
