//! Requests at a steady rate, whatever becomes of those before.
//!
//! Each request has a moment at which it is due, and its time counts from there. Were the next one sent only when the last is
//! answered, a slow answer would keep requests from being asked that would have had to wait as well, and the figure would be
//! the better the worse the proxy is.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::replica::NUMBER;

/// How many requests can be under way at a time: several times what the slowest policy leads to.
const CLIENTS: usize = 128;

/// No answer within this is an error.
const PATIENCE: Duration = Duration::from_secs(10);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// Whom to ask, how often, how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) to: SocketAddr,
    pub(super) interval: Duration,
    pub(super) warmup: Duration,
    pub(super) window: Duration,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// How long after it was due.
    pub(super) took: Duration,
    /// Who gave it.
    pub(super) replica: usize,
}

/// What became of the requests that were due in the window.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) answers: Vec<Answer>,
    pub(super) errors: usize,
}

/// Asks as planned.
///
/// # Errors
/// When a client cannot even begin.
pub(super) fn drive(plan: Plan) -> crate::Result<Outcome> {
    let (next, start) = (AtomicU32::new(0), Instant::now());
    let outcomes = thread::scope(|scope| -> crate::Result<Vec<Outcome>> {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| ask_on(plan, start, &next))).collect();
        clients.into_iter().map(|client| Ok(client.join().map_err(|_| "a client has panicked")?)).collect()
    })?;
    let mut whole = Outcome::default();
    for outcome in outcomes {
        whole.answers.extend(outcome.answers);
        whole.errors += outcome.errors;
    }
    Ok(whole)
}

/// One of the clients: takes the next request that is due, until the window is over.
fn ask_on(plan: Plan, start: Instant, next: &AtomicU32) -> Outcome {
    let mut outcome = Outcome::default();
    let mut connection = None;
    loop {
        let after = plan.interval * next.fetch_add(1, Ordering::Relaxed);
        if after >= plan.warmup + plan.window {
            return outcome;
        }
        let due = start + after;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let answered = ask(&mut connection, plan.to);
        let took = due.elapsed();
        if answered.is_err() {
            connection = None;
        }
        if after >= plan.warmup {
            match answered {
                Ok(replica) => outcome.answers.push(Answer { took, replica }),
                Err(_) => outcome.errors += 1,
            }
        }
    }
}

/// Asks once, on the connection of before where there is one; says who answered.
fn ask(connection: &mut Option<TcpStream>, to: SocketAddr) -> Result<usize> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(to)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            connection.insert(stream)
        }
    };
    stream.write_all(REQUEST)?;
    let (mut buffer, mut filled) = ([0; 4096], 0);
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        filled += read;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(replica) = parse(&buffer[..filled])? {
            return Ok(replica);
        }
    }
}

/// Who gave the answer, once it is whole; it must be a 200.
fn parse(bytes: &[u8]) -> Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let head = match response.parse(bytes).map_err(Error::other)? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Ok(None),
    };
    let number = |name: &str| -> Result<usize> {
        let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let value = field.and_then(|field| str::from_utf8(field.value).ok()).and_then(|value| value.parse().ok());
        value.ok_or_else(|| Error::other(format!("no {name} in status {:?}", response.code)))
    };
    let replica = number(NUMBER)?;
    let is_whole = bytes.len() - head == number("Content-Length")?;
    if response.code == Some(200) { Ok(is_whole.then_some(replica)) } else { Err(Error::other("not a 200")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::replica;

    #[test]
    fn requests_are_sent_when_they_are_due_and_their_time_counts_from_there() {
        let delay = Duration::from_millis(50);
        let to = replica::start(7, delay).expect("port");
        let plan = Plan {
            to,
            interval: Duration::from_millis(5),
            warmup: Duration::from_millis(100),
            window: Duration::from_millis(300),
        };
        let outcome = drive(plan).expect("clients");
        assert_eq!((outcome.answers.len(), outcome.errors), (60, 0));
        assert!(outcome.answers.iter().all(|answer| answer.replica == 7 && answer.took >= delay));
    }

    #[test]
    fn an_answer_counts_when_it_is_whole_and_right() {
        let answer = b"HTTP/1.1 200 OK\r\nReplica: 3\r\nContent-Length: 2\r\n\r\nxx";
        assert_eq!(parse(answer).expect("right"), Some(3));
        assert_eq!(parse(&answer[..answer.len() - 1]).expect("so far"), None);
        assert_eq!(parse(&answer[..10]).expect("so far"), None);
        assert!(parse(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").is_err());
    }
}
