//! Bytes both ways, read by nobody, until both sides have ended.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::time::Duration;

use super::error::Error;
use crate::clock::{Elapsed, Timer};
use crate::desk::{Buffers, Window};
use crate::transport::{Transport, fill, write_all};

/// One direction of a connection.
struct Lane<'a> {
    from: &'a Transport,
    to: &'a Transport,
    window: &'a mut Window,
    /// Bytes that were passed on.
    count: &'a Cell<u64>,
    /// Who is to blame when reading fails, and when writing fails.
    blame: [fn(io::Error) -> Error; 2],
}

/// Carries bytes both ways, `early` ones of the client first. Each side may end its direction and go on receiving. One timer
/// serves both: a connection is silent only when nothing moves either way. No buffer is held while nothing moves.
pub(super) async fn carry(
    client: &Transport,
    replica: &Transport,
    early: Window,
    (received, sent): (&Cell<u64>, &Cell<u64>),
    timer: &Timer,
    silence: Duration,
    buffers: &Buffers,
) -> Result<(), Error> {
    let (mut from_client, mut from_replica) = (early, Window::new(buffers));
    let blame: [fn(io::Error) -> Error; 2] = [Error::Client, Error::Replica];
    let up = Lane { from: client, to: replica, window: &mut from_client, count: received, blame };
    let blame: [fn(io::Error) -> Error; 2] = [Error::Replica, Error::Client];
    let down = Lane { from: replica, to: client, window: &mut from_replica, count: sent, blame };
    timer.arm(silence);
    let both = tokio::try_join!(up.run(timer, silence), down.run(timer, silence));
    both.map(|((), ())| ())
}

impl Lane<'_> {
    async fn run(self, timer: &Timer, silence: Duration) -> Result<(), Error> {
        let [reading, writing] = self.blame;
        loop {
            if self.window.is_empty() && limited(timer, fill(self.from, self.window)).await?.map_err(reading)? == 0 {
                self.to.finish();
                return Ok(());
            }
            let length = self.window.len();
            timer.arm(silence);
            limited(timer, write_all(self.to, &mut [IoSlice::new(self.window.filled())])).await?.map_err(writing)?;
            self.window.clear();
            self.count.set(self.count.get() + length as u64);
            timer.arm(silence);
        }
    }
}

async fn limited<F: Future>(timer: &Timer, work: F) -> Result<F::Output, Error> {
    timer.limit(work).await.map_err(|Elapsed| Error::Silent)
}
