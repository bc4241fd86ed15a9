//! What is told to whoever goes on with a connection that has rested: all that its client has said that is still valid, in the form of
//! a client that says it now.

use std::future::poll_fn;
use std::iter::once;
use std::task::Poll;

use h2::Reason;
use h2::server::{Builder, Connection, SendResponse};
use http::Response;

use super::super::PREFACE;
use super::super::outlet::Parcel;
use super::super::splitter::{FrameHead, flag, kind};
use super::ledger::{FIRST_WINDOW, Facts};
use super::wire::{Script, Wire, window_update};

/// `:method: GET`, `:scheme: http` and `:path: /` by their numbers in the static table (RFC 7541 A), which leave the other as it is.
const REQUEST: &[u8] = b"\x82\x86\x84";

/// One field twice, so that what follows is no request, whatever it is (RFC 9113 8.3). It is read to its end all the same, for the table is
/// the connection's (4.3).
const NO_REQUEST: &[u8] = b"\x82\x82";

/// Makes a connection in which all of that was said.
///
/// # Errors
/// It was too much at once.
pub(super) async fn recite(
    facts: &Facts,
    script: &Script,
    settings: Builder,
    wire: Wire,
) -> Result<Connection<Wire, Parcel>, h2::Error> {
    script.add(PREFACE);
    script.add(&frame(kind::SETTINGS, 0, 0, &facts.settings()));
    let mut connection = settings.handshake(wire).await?;
    script.add(&frame(kind::SETTINGS, flag::ACK, 0, &[]));
    open_window(facts, script, &mut connection).await?;
    // One at the least, so that it is known how far the client has come with its streams (RFC 9113 5.1.1).
    for part in once(&[][..]).chain(facts.insertions.parts()) {
        let head = [NO_REQUEST, part].concat();
        script.add(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, facts.last_stream, &head));
    }
    listen(script, &mut connection).await?;
    script.end();
    Ok(connection)
}

/// Brings the window in which we send to where it was. It can be opened, but not closed (RFC 9113 6.9): where it is less open than at
/// first, the difference is used up by a response that goes nowhere.
async fn open_window(
    facts: &Facts,
    script: &Script,
    connection: &mut Connection<Wire, Parcel>,
) -> Result<(), h2::Error> {
    let first = i64::from(FIRST_WINDOW);
    if let Ok(more @ 1..) = u32::try_from(facts.window - first) {
        script.add(&window_update(0, more));
    }
    let Ok(used @ 1..) = u32::try_from(first - facts.window) else { return Ok(()) };
    script.add(&frame(kind::HEADERS, flag::END_HEADERS, facts.last_stream, REQUEST));
    if let Ok(more @ 1..) = u32::try_from(first - i64::from(facts.first_window())) {
        script.add(&window_update(facts.last_stream, more));
    }
    if let Some(mut respond) = listen(script, connection).await? {
        // Its head is one number in the static table, too.
        let mut body = respond.send_response(Response::new(()), false)?;
        body.send_data(Parcel::of(vec![0; used as usize]), true)?;
    }
    Ok(())
}

/// Has all that is in the script heard and answered. The request that was heard, if there was one.
async fn listen(
    script: &Script,
    connection: &mut Connection<Wire, Parcel>,
) -> Result<Option<SendResponse<Parcel>>, h2::Error> {
    let mut heard = None;
    poll_fn(|context| {
        while let Poll::Ready(accepted) = connection.poll_accept(context) {
            match accepted {
                Some(Ok((_, respond))) => heard = Some(respond),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::NO_ERROR.into())),
            }
        }
        Poll::Ready(Ok(()))
    })
    .await?;
    debug_assert!(script.is_read(), "nothing keeps it from being read");
    Ok(heard)
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let head = FrameHead { length: content.len() as u32, kind, flags, stream };
    [&head.bytes()[..], content].concat()
}
