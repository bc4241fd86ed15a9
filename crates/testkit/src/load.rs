//! A steady load on a proxy, counted request by request: what was asked, what failed and how, how long it took.
//!
//! Half of the clients keep their connections and half make one per request. Every client asks GET and POST in turn, each
//! request different, and compares the answer with what `divisi echo` must say to just that request.

mod report;
mod visitor;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::message::Head;
use crate::pattern::Pattern;
use crate::wait::until;
pub use report::{Report, Tally};
use visitor::Visitor;

/// How many clients ask at a time.
const CLIENTS: usize = 6;
/// How long each rests between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(8);
/// The largest body, in bytes.
const BODY: usize = 8 * 1024;

/// Clients at work, until [`stop`](Self::stop) or until it is dropped.
#[derive(Debug)]
pub struct Load {
    over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Report>>,
}

impl Load {
    /// Begins to ask `addr`.
    pub fn start(addr: SocketAddr) -> Self {
        let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let began = Instant::now();
        let client = |number| {
            let (over, asked) = (Arc::clone(&over), Arc::clone(&asked));
            thread::spawn(move || {
                let mut client = Client::new(number, addr, began);
                while !over.load(Ordering::Relaxed) {
                    client.ask();
                    asked.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
                client.finish()
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { over, asked, clients }
    }

    /// Waits until so many more requests have come to their end, good or bad.
    pub fn go_on_for(&self, requests: usize) {
        let enough = self.asked.load(Ordering::Relaxed) + requests;
        until("more requests have come to their end", || self.asked.load(Ordering::Relaxed) >= enough);
    }

    /// Lets every client finish its request; what they saw.
    ///
    /// # Panics
    /// When a client did.
    pub fn stop(mut self) -> Report {
        self.over.store(true, Ordering::Relaxed);
        let mut report = Report::default();
        for client in self.clients.drain(..) {
            report.add(client.join().expect("a client of the load ends"));
        }
        report
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// One client, and what it saw so far.
#[derive(Debug)]
struct Client {
    number: usize,
    asked: usize,
    began: Instant,
    visitor: Visitor,
    pattern: Pattern,
    report: Report,
}

impl Client {
    fn new(number: usize, addr: SocketAddr, began: Instant) -> Self {
        let keeps = number.is_multiple_of(2);
        let pattern = Pattern::new(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1));
        Self { number, asked: 0, began, visitor: Visitor::new(addr, keeps), pattern, report: Report::default() }
    }

    /// The next request, and its place in the report.
    fn ask(&mut self) {
        let is_post = self.asked % 2 == 1;
        let id = format!("client={}&request={}", self.number, self.asked);
        let body = if is_post { self.pattern.piece(self.asked * 1009, BODY) } else { &[] };
        let request = request(&id, body, self.asked % 4 == 3, self.visitor.keeps);
        let asked = Instant::now();
        let result = self.visitor.ask(&request, !is_post).and_then(|(head, answer)| judge(&id, body, &head, &answer));
        let tally = if is_post { &mut self.report.posts } else { &mut self.report.gets };
        tally.note(asked.duration_since(self.began), asked.elapsed(), result.err());
        self.asked += 1;
    }

    fn finish(mut self) -> Report {
        self.report.repeated = self.visitor.repeated;
        self.report.reopened = self.visitor.reopened;
        self.report
    }
}

fn request(id: &str, body: &[u8], is_chunked: bool, keeps: bool) -> Vec<u8> {
    let end = if keeps { "" } else { "Connection: close\r\n" };
    if body.is_empty() {
        return format!("GET /hello?{id} HTTP/1.1\r\nHost: load\r\n{end}\r\n").into_bytes();
    }
    let line = format!("POST /body?{id} HTTP/1.1\r\nHost: load\r\n{end}");
    if is_chunked {
        let head = format!("{line}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        return [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
    }
    let head = format!("{line}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Whether that is the answer to just that request, and if not what it is.
fn judge(id: &str, body: &[u8], head: &Head, answer: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    if head.status() != 200 {
        return Err(format!("{} {:?}", head.status(), text.lines().next().unwrap_or_default()));
    }
    let is_right = if body.is_empty() {
        text.lines().nth(1) == Some(format!("GET /hello?{id} HTTP/1.1").as_str())
    } else {
        answer == body
    };
    if is_right { Ok(()) } else { Err("200 with the answer to something else".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::{Replica, Request, ok};

    /// What `divisi echo` answers, as far as the load looks at it.
    fn echo(request: &Request) -> Vec<u8> {
        match request.head.method().as_str() {
            "GET" => ok(format!("me\n{}\n", request.head.first_line())),
            _ => ok(&request.body),
        }
    }

    fn seen(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Report {
        let replica = Replica::answering(answer);
        let load = Load::start(replica.addr());
        load.go_on_for(60);
        load.stop()
    }

    #[test]
    fn right_answers_are_no_failures() {
        let report = seen(echo);
        assert!(report.asked() >= 60 && report.failed() == 0, "{report}");
        assert!(report.longest() >= report.percentile(50), "{report}");
    }

    #[test]
    fn every_failure_is_told_by_its_kind() {
        let refused = "HTTP/1.1 503 x\r\nContent-Length: 8\r\n\r\nnobody\r\n";
        let report = seen(|request| if request.head.method() == "GET" { refused.into() } else { ok("else") });
        assert_eq!(report.gets.failed_with("503 \"nobody\""), report.gets.asked(), "{report}");
        assert_eq!(report.posts.failed_with("200 with the answer to something else"), report.posts.asked(), "{report}");
    }

    #[test]
    fn a_closed_connection_fails_only_what_must_not_be_repeated() {
        let replica = Replica::start(|conn| {
            for _ in 0..3 {
                let Some(request) = conn.request()? else { return Ok(()) };
                conn.send(echo(&request))?;
            }
            // One more is read, and not answered.
            conn.request().map(drop)
        });
        let load = Load::start(replica.addr());
        load.go_on_for(120);
        let report = load.stop();
        // On a kept connection the fourth request is a POST every time.
        let lost = report.posts.failed_with("the connection ended without a response");
        assert!(report.gets.failed() == 0 && lost == report.posts.failed() && lost > 0, "{report}");
    }
}
