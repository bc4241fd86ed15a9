//! What is told to whoever goes on with a connection that has rested: all that its client has said that is still valid, in the form of
//! a client that says it now.

use std::future::poll_fn;
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
    open_window(facts, script);
    end_last_stream(facts, script, &mut connection).await?;
    for part in facts.table.parts() {
        let head = [NO_REQUEST, &*part].concat();
        script.add(&frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, facts.last_stream, &head));
    }
    listen(script, &mut connection).await?;
    script.end();
    Ok(connection)
}

/// Opens the window in which we send where it is more open than at first.
fn open_window(facts: &Facts, script: &Script) {
    if let Ok(more @ 1..) = u32::try_from(facts.window - i64::from(FIRST_WINDOW)) {
        script.add(&window_update(0, more));
    }
}

/// Begins the client's last stream once more and gives it up, so that it is known how far the client has come, and how far it was served
/// (RFC 9113 5.1.1 and 6.8).
///
/// A window can be opened, but not closed (6.9): where it is less open than at first, the difference is used up by a response that goes
/// nowhere. Else there is none: its head would be the first, which says how large the table of our heads is (RFC 7541 4.2).
async fn end_last_stream(
    facts: &Facts,
    script: &Script,
    connection: &mut Connection<Wire, Parcel>,
) -> Result<(), h2::Error> {
    let first = i64::from(FIRST_WINDOW);
    script.add(&frame(kind::HEADERS, flag::END_HEADERS, facts.last_stream, REQUEST));
    if let Ok(more @ 1..) = u32::try_from(first - i64::from(facts.first_window())) {
        script.add(&window_update(facts.last_stream, more));
    }
    let mut respond = listen(script, connection).await?.ok_or(Reason::INTERNAL_ERROR)?;
    if let Ok(used @ 1..) = usize::try_from(first - facts.window) {
        // Its head is one number in the static table, too. The client was told the size of the table long ago: it was sent a body.
        let mut body = respond.send_response(Response::new(()), false)?;
        body.send_data(Parcel::of(vec![0; used]), true)?;
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
