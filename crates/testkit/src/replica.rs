//! A scripted replica: a strict recording origin that answers as the test says, one script per connection.
//!
//! It records everything that reaches it and judges it by [`strict`](crate::strict): a request that is not canonical
//! fails the test when the replica is dropped, whatever the test was about.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::conn::Conn;
use crate::message::Head;

/// A request that was read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    /// The connection it came on, counted from 1.
    pub connection: usize,
    /// Request line and fields.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The trailer fields, each with its line end.
    pub trailers: Vec<u8>,
}

/// What has reached a replica so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Connections accepted.
    pub accepted: usize,
    /// The connections on which bytes came.
    pub used: Vec<usize>,
    /// Every byte, over all connections.
    pub raw: Vec<u8>,
    /// Requests read to their end.
    pub requests: Vec<Request>,
    /// Requests that broke off.
    pub partial: usize,
    /// What was not canonical.
    pub faults: Vec<String>,
}

/// Shared by the replica and its connections.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    record: Mutex<Record>,
    open: Mutex<HashMap<usize, TcpStream>>,
    ended: AtomicBool,
}

impl Shared {
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<usize, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A replica on a port of its own on loopback. Dropping it ends its connections.
#[derive(Debug)]
pub struct Replica {
    addr: SocketAddr,
    shared: Arc<Shared>,
    lenient: bool,
}

impl Replica {
    /// A replica that runs `script` for every connection and closes it when the script returns.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(script: impl Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// The same at an address that the test chose.
    ///
    /// # Panics
    /// When the address cannot be had.
    pub fn start_at(addr: SocketAddr, script: impl Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(addr).expect("a port for a replica");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.ended.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(stream) = stream {
                    serve(stream, &for_thread, &script);
                }
            }
        });
        Self { addr, shared, lenient: false }
    }

    /// A replica that reads each request to its end and answers it with what `answer` makes of it, kept alive.
    pub fn answering(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |conn| {
            while let Some(request) = conn.request()? {
                conn.send(answer(&request))?;
            }
            Ok(())
        })
    }

    /// A replica that answers every request with `200` and its name as the body.
    pub fn named(name: &'static str) -> Self {
        Self::answering(move |request| ok(if request.head.method() == "HEAD" { "" } else { name }))
    }

    /// The same replica, which does not mind what reaches it.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What has reached it so far.
    pub fn record(&self) -> Record {
        self.shared.record().clone()
    }

    /// Looks at what has reached it without copying it.
    pub fn look<T>(&self, at: impl FnOnce(&Record) -> T) -> T {
        at(&self.shared.record())
    }

    /// Forgets what has reached it, but not how many connections there were.
    pub fn forget(&self) -> Record {
        let mut record = self.shared.record();
        let fresh = Record { accepted: record.accepted, ..Record::default() };
        std::mem::replace(&mut *record, fresh)
    }

    /// The requests that were read to their end.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.record().requests.clone()
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.shared.record().accepted
    }

    /// How many of them are still open.
    pub fn open(&self) -> usize {
        self.shared.open().len()
    }

    /// Ends every connection that is open now, in order.
    pub fn close_all(&self) {
        for stream in self.shared.open().values() {
            // Fails only where the other side was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listening thread, so that it sees the flag and gives the port back.
        drop(TcpStream::connect(self.addr));
        self.close_all();
        let faults = self.shared.record().faults.clone();
        if !self.lenient && !thread::panicking() {
            assert!(faults.is_empty(), "what reached the replica was not canonical: {faults:?}");
        }
    }
}

type Script = dyn Fn(&mut Conn) -> io::Result<()> + Send + Sync;

fn serve<S>(stream: TcpStream, shared: &Arc<Shared>, script: &Arc<S>)
where
    S: Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static,
{
    let number = {
        let mut record = shared.record();
        record.accepted += 1;
        record.accepted
    };
    let Ok(handle) = stream.try_clone() else { return };
    shared.open().insert(number, handle);
    let script: Arc<Script> = Arc::<S>::clone(script);
    let shared = Arc::clone(shared);
    // A thousand connections are a thousand threads: none needs much of a stack.
    let spawned = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let mut conn = Conn::new(stream, number, Arc::clone(&shared));
        // An error is the other side going away, which is what many a test is about; it looks at the record.
        let _ = script(&mut conn);
        shared.open().remove(&number);
    });
    drop(spawned);
}

/// `200` with `body`, sized.
pub fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
