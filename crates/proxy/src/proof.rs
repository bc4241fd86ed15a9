//! Whether a request that got no answer can have reached its replica at all.
//!
//! A replica closes a connection that has rested for long, and a request is on its way at that moment: nobody has read it. Where that
//! can be proved, another replica may be asked even to do what must not be done twice. The proof: the replica's end came before
//! any acknowledgement of the request, and its kernel then reset the connection, which it does with bytes for nobody.

use std::time::Duration;

use divisi_kernel::Receipt;
use tokio::time::sleep;

use crate::error::Error;
use crate::transport::Transport;

/// How long the reset may take to come after the end; the two are a round trip apart.
const PATIENCE: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// What was acknowledged before a request was sent.
#[derive(Debug)]
pub(crate) struct Proof {
    before: Option<Receipt>,
}

impl Proof {
    /// To be made before the first byte of a request is written on a connection that has rested. Costs a system call, so it is only
    /// made where it is `wanted`.
    pub(crate) fn begin(stream: &Transport, wanted: bool) -> Self {
        Self { before: if wanted { stream.receipt() } else { None } }
    }

    /// The error, or what it turns out to be: [`Error::Unreceived`].
    pub(crate) async fn examine(&self, stream: &Transport, error: Error) -> Error {
        let Some(before) = self.before.filter(|_| error.came_after_the_end()) else { return error };
        for _ in 0..PATIENCE {
            match stream.receipt() {
                Some(now) if now.acknowledged == before.acknowledged && !now.is_over => sleep(PAUSE).await,
                Some(now) if now.acknowledged == before.acknowledged => return Error::Unreceived,
                _ => return error,
            }
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;
    use crate::transport::Tcp;

    /// What becomes of a request that meets a replica which does that to its connection, and sees its end.
    async fn fate(replica: impl FnOnce(TcpStream) -> Option<TcpStream>) -> Error {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut near = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let far = listener.accept().expect("the other end").0;
        let stream = near.try_clone().expect("a second handle");
        stream.set_nonblocking(true).expect("a socket for the event loop");
        let stream = tokio::net::TcpStream::from_std(stream).expect("an event loop");
        let stream = Transport::Tcp(Tcp::new(stream));
        near.set_nonblocking(false).expect("a socket that blocks");
        let proof = Proof::begin(&stream, true);
        let _kept = replica(far);
        let sent = near.write_all(b"POST / HTTP/1.1\r\n\r\n");
        assert!(sent.is_ok(), "the kernel takes it");
        let end = near.read(&mut [0; 8]);
        assert!(!matches!(end, Ok(1..)), "nobody answers");
        proof.examine(&stream, Error::Unanswered { in_order: true }).await
    }

    #[tokio::test]
    async fn a_request_to_a_closed_connection_was_not_received() {
        assert!(matches!(
            fate(|far| {
                drop(far);
                None
            })
            .await,
            Error::Unreceived
        ));
    }

    #[tokio::test]
    async fn one_to_a_replica_that_still_listens_may_have_been() {
        let fate = fate(|far| {
            far.shutdown(Shutdown::Write).expect("half closed");
            Some(far)
        });
        assert!(matches!(fate.await, Error::Unanswered { .. }));
    }

    #[tokio::test]
    async fn one_that_was_read_has_been() {
        let fate = fate(|far| {
            std::thread::spawn(move || {
                let mut far = far;
                far.read(&mut [0; 64]).map(drop)
            });
            None
        });
        assert!(matches!(fate.await, Error::Unanswered { .. }));
    }
}
