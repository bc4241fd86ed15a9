//! A replica that takes its time: a thread per connection, which sleeps before it answers.
//!
//! Unlike the origin of the other cases it need not be fast; it must be slow, to the fraction of a millisecond.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// The field in which it names itself.
pub(super) const NUMBER: &str = "Replica";

/// Starts a replica that answers everything after `delay`, for as long as this process lives.
///
/// # Errors
/// When it cannot listen.
pub(super) fn start(number: usize, delay: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A proxy that hangs up ends the thread, and nobody wants to know.
            thread::spawn(move || answer(stream, number, delay));
        }
    });
    Ok(addr)
}

fn answer(mut stream: TcpStream, number: usize, delay: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let body = [b'x'; 128];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{NUMBER}: {number}\r\n\r\n", body.len());
    let whole = [head.as_bytes(), &body].concat();
    let (mut buffer, mut filled) = ([0; 4096], 0);
    loop {
        // The load sends a request without a body, and no other before it has the answer.
        while !buffer[..filled].ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        }
        filled = 0;
        thread::sleep(delay);
        stream.write_all(&whole)?;
    }
}
