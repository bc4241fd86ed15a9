//! What only the kernel knows of a connection: whether the peer has acknowledged what was written. And what it gets back: memory that
//! nobody uses any more.
//!
//! No crate offers either without `unsafe`, so here are the two calls, with their proofs and their tests.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// What the kernel knows of a connection at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Bytes of ours that the peer's kernel has acknowledged since the connection was made, and one or two for its beginning and
    /// end. To be compared with an earlier receipt.
    pub acknowledged: u64,
    /// Both sides have ended, or a reset came: nothing more will be acknowledged.
    pub is_over: bool,
}

/// Gives memory back that this thread has not used for a second, where mimalloc is the allocator; else it does nothing.
///
/// The allocator does that by itself while memory is asked for, and keeps what it has when nobody asks for any more: after a burst.
#[expect(unsafe_code, reason = "the allocator's crate offers no safe form")]
pub fn give_back_memory() {
    // SAFETY: the function has no precondition. It looks through the calling thread's own pages for those that are empty, which nobody
    // has a pointer into, and may be called at any time; `false` has it leave alone what was in use a moment ago.
    unsafe { libmimalloc_sys::mi_collect(false) }
}

/// Where `tcpi_state` and `tcpi_bytes_acked` (Linux 4.1) stand in the kernel's `struct tcp_info`, which only ever grows.
const STATE: usize = 0;
const BYTES_ACKED: usize = 120;
/// `TCP_CLOSE` in the kernel's numbering.
const CLOSED: u8 = 7;

/// Asks the kernel about a TCP connection.
///
/// # Errors
/// The socket is no TCP socket, or the kernel is too old to know.
pub fn receipt(socket: &impl AsFd) -> io::Result<Receipt> {
    let mut info = [0_u8; BYTES_ACKED + 8];
    if tcp_info(socket, &mut info)? < info.len() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut acknowledged = [0; 8];
    acknowledged.copy_from_slice(&info[BYTES_ACKED..]);
    Ok(Receipt { acknowledged: u64::from_ne_bytes(acknowledged), is_over: info[STATE] == CLOSED })
}

/// Fills `info` with what fits of the kernel's `struct tcp_info`; returns how many bytes that were.
#[expect(unsafe_code, reason = "the system call has no safe form in any crate")]
fn tcp_info(socket: &impl AsFd, info: &mut [u8]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(info.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is borrowed and so open during the call. The kernel writes at most `length` bytes to `info`, which
    // has that many, and the number of bytes written to `length`; both outlive the call and nobody else sees them. Every
    // pattern of bytes is a valid `[u8]`, written or not.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(length as usize) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        (near, listener.accept().expect("the other end").0)
    }

    fn wait(near: &TcpStream, what: impl Fn(Receipt) -> bool) -> bool {
        (0..2000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            what(receipt(near).expect("a receipt"))
        })
    }

    #[test]
    fn what_arrives_is_acknowledged_even_unread() {
        let (mut near, _far) = pair();
        let before = receipt(&near).expect("a receipt");
        assert!(!before.is_over);
        near.write_all(b"hello").expect("written");
        assert!(wait(&near, |now| now.acknowledged == before.acknowledged + 5));
    }

    #[test]
    fn what_comes_after_the_close_is_never_acknowledged() {
        let (mut near, far) = pair();
        drop(far);
        assert_eq!(near.read(&mut [0; 8]).expect("the end"), 0);
        let before = receipt(&near).expect("a receipt");
        near.write_all(b"hello").expect("the kernel takes it");
        assert!(wait(&near, |now| now.is_over), "a reset comes");
        assert_eq!(receipt(&near).expect("a receipt").acknowledged, before.acknowledged);
    }

    #[test]
    fn one_who_has_only_stopped_sending_acknowledges() {
        let (mut near, far) = pair();
        far.shutdown(Shutdown::Write).expect("half closed");
        assert_eq!(near.read(&mut [0; 8]).expect("the end"), 0);
        let before = receipt(&near).expect("a receipt");
        near.write_all(b"hello").expect("written");
        assert!(wait(&near, |now| now.acknowledged == before.acknowledged + 5 && !now.is_over));
    }

    #[test]
    fn what_is_no_connection_has_no_receipt() {
        assert!(receipt(&UdpSocket::bind("127.0.0.1:0").expect("a port")).is_err());
    }
}
