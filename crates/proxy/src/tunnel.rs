//! After a 101: bytes both ways, read by nobody, until both sides have ended.

use std::cell::Cell;
use std::time::Duration;

use divisi_http1::{BodyLength, HeadLimits};

use crate::body::{Coding, Patience, Reader, Sink, Source, Writer, pump};
use crate::clock::Timer;
use crate::desk::Window;
use crate::error::{Error, Fault};
use crate::transport::Transport;

/// Carries bytes both ways. Each side may end its direction and go on receiving (RFC 6455 7.1.1 and plain TCP know that
/// half-close). One timer serves both directions: a tunnel is silent only when nothing moves either way.
pub(crate) async fn run(
    replica: &Transport,
    from_replica: &mut Window,
    to_replica: &mut Vec<u8>,
    client_source: &mut impl Source,
    client_sink: &mut impl Sink,
    timer: &Timer,
    silence: Duration,
) {
    let uncounted = Cell::new(0);
    let mut sink = Writer {
        transport: replica,
        pending: to_replica,
        coding: Coding::Plain,
        timer,
        silence,
        side: Fault::Upstream,
        limits: HeadLimits::default(),
        sent: false,
        count: &uncounted,
    };
    let patience = Patience::Silence(silence);
    let mut source =
        Reader::new(replica, from_replica, BodyLength::UntilClose, timer, patience, Fault::Upstream, &uncounted);
    client_source.become_tunnel(silence);
    let up = async {
        pump(client_source, &mut sink).await?;
        sink.finish();
        Ok::<_, Error>(())
    };
    let down = async {
        pump(&mut source, client_sink).await?;
        client_sink.finish();
        Ok::<_, Error>(())
    };
    if let Err(error) = tokio::try_join!(up, down) {
        tracing::debug!(%error, "a tunnel ended");
    }
}
