//! One proxy with one origin behind it, through which cases go one after the other.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::client::{Client, Closed};
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::{Record, Replica, ok};

use crate::answer::{answers, finals};
use crate::case::{Case, Step, Then, expand};

/// How long a connection must be silent to be taken for done while something may still come.
const IDLE: Duration = Duration::from_millis(800);
/// The same once every response that is due has come.
const QUIET: Duration = Duration::from_millis(150);

/// An origin, and the address of the proxy before it.
pub(crate) struct Lane {
    proxy: SocketAddr,
    origin: Replica,
    reply: Arc<Mutex<Option<Reply>>>,
}

/// What the origin answers instead of a plain 200.
#[derive(Clone)]
struct Reply {
    raw: Vec<u8>,
    then: Then,
    after_head: bool,
}

/// What one case came to.
pub(crate) struct Outcome {
    /// What the client got.
    pub(crate) out: Vec<u8>,
    /// How its connection ended, if it did.
    pub(crate) closed: Option<Closed>,
    /// What reached the origin.
    pub(crate) record: Record,
    /// What is wrong with a clean request sent right after.
    pub(crate) clean: Result<(), String>,
    /// Whether that request came on a connection of the case's.
    pub(crate) reused: bool,
}

impl Lane {
    /// An origin at `addr`, and the proxy that `proxy` starts before it.
    pub(crate) fn new(addr: SocketAddr, proxy: impl FnOnce(&Replica) -> SocketAddr) -> Self {
        let reply: Arc<Mutex<Option<Reply>>> = Arc::default();
        let current = Arc::clone(&reply);
        let script = move |conn: &mut Conn| {
            let reply = || current.lock().unwrap_or_else(PoisonError::into_inner).clone();
            serve(conn, &reply)
        };
        // The faults of a case are for its judge.
        let origin = Replica::start_at(addr, script).lenient();
        Self { proxy: proxy(&origin), origin, reply }
    }

    /// Sends one case through the proxy, and a clean request after it.
    pub(crate) fn run(&self, case: &Case) -> Outcome {
        self.origin.forget();
        self.set_reply(case.backend_raw.as_deref().map(|raw| Reply {
            raw: expand(raw),
            then: case.backend_then,
            after_head: case.respond_after_headers,
        }));
        let (out, closed) = exchange(self.proxy, case);
        // What the proxy has sent may still be on its way into the record.
        thread::sleep(Duration::from_millis(20));
        let record = self.origin.forget();
        self.set_reply(None);
        let clean = clean_request(self.proxy);
        let after = self.origin.forget();
        let reused = after.requests.iter().any(|request| record.used.contains(&request.connection));
        Outcome { out, closed, record, clean, reused }
    }

    fn set_reply(&self, reply: Option<Reply>) {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }
}

fn serve(conn: &mut Conn, reply: &dyn Fn() -> Option<Reply>) -> io::Result<()> {
    while let Some(head) = conn.head()? {
        let early = reply().filter(|reply| reply.after_head);
        if let Some(early) = early {
            conn.note(head);
            conn.send(&early.raw)?;
            if early.then == Then::Hold {
                thread::sleep(Duration::from_millis(600));
                return Ok(());
            }
            conn.finish()?;
            thread::sleep(Duration::from_millis(300));
            return Ok(());
        }
        conn.rest_of_request(&head)?;
        match reply() {
            None => conn.send(ok(if head.method() == "HEAD" { "" } else { "OK-CLEAN" }))?,
            Some(reply) => {
                conn.send(&reply.raw)?;
                match reply.then {
                    Then::Hold => {}
                    Then::Close => return Ok(()),
                    Then::Rst => {
                        thread::sleep(Duration::from_millis(50));
                        return conn.reset();
                    }
                }
            }
        }
    }
    Ok(())
}

fn exchange(proxy: SocketAddr, case: &Case) -> (Vec<u8>, Option<Closed>) {
    let Ok(mut client) = Client::try_connect(proxy) else { return (Vec::new(), Some(Closed::Reset)) };
    // A proxy that has seen enough may close before it took everything: the answer says more than the error.
    let send = |client: &mut Client, text: &str| drop(client.try_send(expand(text)));
    if case.steps.is_empty() {
        send(&mut client, &case.raw);
    }
    for step in &case.steps {
        match step {
            Step::Send(text) => send(&mut client, text),
            Step::WaitMs(ms) => thread::sleep(Duration::from_millis(*ms)),
            other => unreachable!("{other:?} is judged by time"),
        }
    }
    if case.half_close {
        client.finish();
    }
    read(&mut client, case)
}

fn read(client: &mut Client, case: &Case) -> (Vec<u8>, Option<Closed>) {
    let due = match case.expect.as_str() {
        "forward-two" | "forward-n" | "forward-then-reject" | "any-safe" => case.responses.unwrap_or(2),
        _ => 1,
    };
    let mut out = Vec::new();
    let mut last = Instant::now();
    loop {
        let (bytes, closed) = client.read_for(QUIET);
        if !bytes.is_empty() {
            last = Instant::now();
        }
        out.extend(bytes);
        let finals = finals(&out, case.raw.starts_with("HEAD "));
        let whole = finals.len() >= due && finals.iter().all(|answer| answer.complete == Some(true));
        let limit = if whole && !case.close { QUIET } else { IDLE };
        if closed.is_some() || last.elapsed() >= limit {
            return (out, closed);
        }
    }
}

fn clean_request(proxy: SocketAddr) -> Result<(), String> {
    let case = Case {
        raw: "GET /clean HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n".to_owned(),
        ..Case::default()
    };
    let (out, _) = exchange(proxy, &case);
    match answers(&out, false).first() {
        Some(answer) if answer.status == 200 && answer.body == b"OK-CLEAN" => Ok(()),
        _ => Err(format!("got {:?}", String::from_utf8_lossy(&out[..out.len().min(80)]))),
    }
}
