//! What the cases are played against.

use divisi_testkit::replica::{Replica, Request, ok};

use crate::support::Proxy;

/// What `/` is answered with.
pub(crate) const BODY: &str = "hello, this is a body";

/// A proxy before one replica.
pub(crate) struct Stage {
    pub(crate) proxy: Proxy,
    // Ends, and judges what it saw, after the proxy.
    pub(crate) replica: Replica,
}

impl Stage {
    /// Before a replica that answers everything.
    pub(crate) fn new() -> Self {
        let replica = Replica::answering(answer);
        Self { proxy: Proxy::before(&[&replica]), replica }
    }
}

fn answer(request: &Request) -> Vec<u8> {
    let whole = match request.head.target().as_str() {
        "/big" => ok(vec![b'x'; 1 << 20]),
        _ => ok(BODY),
    };
    match request.head.method().as_str() {
        "HEAD" => {
            let end = whole.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
            whole[..end + 4].to_vec()
        }
        _ => whole,
    }
}
