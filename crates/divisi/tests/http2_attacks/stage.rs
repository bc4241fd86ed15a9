//! A divisi that is attacked, clients who only want to be served, and what is measured meanwhile.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::client::fetch;
use divisi_testkit::conn::Conn;
use divisi_testkit::http2::client::Client;
use divisi_testkit::http2::frame::{Frame, code, code_name};
use divisi_testkit::replica::{Replica, ok};

use crate::support::Program;

/// What an attack may add to the memory of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// 16 MiB, and no more than a hundred bytes for each one sent.
    Usual,
    /// So much, and no more than a hundred bytes for each one sent.
    Held(u64),
    /// So much, however little was sent: a connection or an answer costs more than it takes to ask for it.
    Asked(u64),
}

/// More than that nothing may add.
const GROWTH: u64 = 16 << 20;

/// For how long an attack goes on, one connection after the other. One that lasts longer is not repeated.
const ATTACK: Duration = Duration::from_secs(1);

/// Below this, memory is no more than pages that the allocator has not given back yet.
const NOISE: u64 = 2 << 20;

/// What many call an attack: that many bytes held for each one sent.
const AMPLIFICATION: u64 = 100;

/// The slowest answer that anybody else may get: long, since tests run beside each other.
const SLOWEST: Duration = Duration::from_secs(5);

/// What `/large` is answered with.
pub(crate) const LARGE: usize = 10 << 20;
/// What `/medium` is answered with: a hundred of them are many times what waits for one client.
pub(crate) const MEDIUM: usize = 200 << 10;

/// Everything an attack needs.
pub(crate) struct Stage {
    divisi: Program,
    pub(crate) replica: Replica,
}

/// What came of an attack.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Bytes that the attacker sent.
    pub(crate) sent: u64,
    /// What it was told.
    pub(crate) told: String,
}

impl Stage {
    /// A divisi of one worker, so that attackers and others share everything, that is told this, too.
    pub(crate) fn new(args: &[&str]) -> Self {
        let large = Arc::new(ok(vec![b'x'; LARGE]));
        let replica = Replica::start(move |conn| serve(conn, &large)).lenient();
        let addr = replica.addr().to_string();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--workers", "1", "--replica", &addr];
        let divisi = Program::start(&[&serve[..], args].concat());
        Self { divisi, replica }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.divisi.addr.parse().expect("an address")
    }

    /// Runs the attack; meanwhile the process held no more than `bound` allows, and everybody else was served.
    pub(crate) fn attack(&self, name: &str, bound: Bound, mut act: impl FnMut(SocketAddr) -> Outcome) -> Outcome {
        let addr = self.addr();
        // What every process needs once it is at work is not the attack's doing.
        for _ in 0..100 {
            fetch(addr, GET);
            Client::open(addr).expect_served();
        }
        let before = resident(self.divisi.pid());
        let watch = Watch::start(self.divisi.pid());
        let others = Others::start(addr);
        let begun = Instant::now();
        let (mut rounds, mut outcome) = (1, act(addr));
        while begun.elapsed() < ATTACK {
            let another = act(addr);
            outcome = Outcome { sent: outcome.sent + another.sent, ..another };
            rounds += 1;
        }
        let lasted = begun.elapsed();
        let (served, slowest) = others.end();
        let grown = watch.end().saturating_sub(before);
        println!(
            "{name}: {rounds} times, {} KiB sent in {lasted:.1?}, memory {} + {} KiB, others {served} served, \
             slowest {slowest:.1?}; {}",
            outcome.sent >> 10,
            before >> 10,
            grown >> 10,
            outcome.told
        );
        let is_amplified = grown > NOISE && grown / AMPLIFICATION > outcome.sent;
        let (most, is_amplified) = match bound {
            Bound::Usual => (GROWTH, is_amplified),
            Bound::Held(most) => (most, is_amplified),
            Bound::Asked(most) => (most, false),
        };
        assert!(grown < most, "{name}: memory grew by {grown} bytes, and by {most} at most it may");
        assert!(!is_amplified, "{name}: {} bytes sent made {grown} bytes held", outcome.sent);
        assert!(
            served > 0 && slowest < SLOWEST,
            "{name}: of the others {served} were served, the slowest in {slowest:?}"
        );
        Client::open(addr).expect_served();
        outcome
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// `/large` and `/medium` are large, `/wait` takes long, everything else is answered at once.
fn serve(conn: &mut Conn, large: &[u8]) -> io::Result<()> {
    while let Some(request) = conn.request()? {
        match request.head.target().as_str() {
            "/large" => conn.send(large)?,
            "/medium" => conn.send(ok(vec![b'x'; MEDIUM]))?,
            "/wait" => {
                // Until whoever asked has had enough, but not for ever.
                if conn.read_for(Duration::from_secs(10)).is_ok() {
                    return Ok(());
                }
            }
            _ => conn.send(ok("hello"))?,
        }
    }
    Ok(())
}

/// Clients who ask for little, one by one, over both protocols. None of them may be refused.
struct Others {
    ended: Arc<AtomicBool>,
    asking: thread::JoinHandle<(usize, Duration)>,
}

impl Others {
    fn start(addr: SocketAddr) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let asking = thread::spawn(move || {
            let (mut served, mut slowest) = (0, Duration::ZERO);
            let mut kept = Client::open(addr);
            while !until.load(Ordering::SeqCst) || served == 0 {
                let asked = Instant::now();
                assert_eq!(fetch(addr, GET).status(), 200, "a client of HTTP/1.1 was not served");
                kept.expect_served();
                Client::open(addr).expect_served();
                slowest = slowest.max(asked.elapsed());
                served += 3;
                // They are no load test.
                thread::sleep(Duration::from_millis(5));
            }
            (served, slowest)
        });
        Self { ended, asking }
    }

    fn end(self) -> (usize, Duration) {
        self.ended.store(true, Ordering::SeqCst);
        self.asking.join().expect("everybody else is served")
    }
}

/// Looks how much memory a process has, again and again.
struct Watch {
    ended: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    looking: thread::JoinHandle<()>,
}

impl Watch {
    fn start(pid: u32) -> Self {
        let (ended, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (until, seen) = (Arc::clone(&ended), Arc::clone(&most));
        let looking = thread::spawn(move || {
            loop {
                seen.fetch_max(resident(pid), Ordering::SeqCst);
                if until.load(Ordering::SeqCst) {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self { ended, most, looking }
    }

    fn end(self) -> u64 {
        self.ended.store(true, Ordering::SeqCst);
        self.looking.join().expect("looking does not fail");
        self.most.load(Ordering::SeqCst)
    }
}

/// Resident memory of a process in bytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the program runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// Sends pieces until so many have gone, or the other side has had enough of it; listens meanwhile. Returns the bytes sent.
pub(crate) fn flood(client: &mut Client, count: usize, piece: impl FnMut(usize) -> Vec<u8>) -> u64 {
    pour(client, count, piece, |client| {
        client.drain();
    })
}

/// The same, and does not listen.
pub(crate) fn flood_deaf(client: &mut Client, count: usize, piece: impl FnMut(usize) -> Vec<u8>) -> u64 {
    pour(client, count, piece, |_| {})
}

fn pour(
    client: &mut Client,
    count: usize,
    mut piece: impl FnMut(usize) -> Vec<u8>,
    between: impl Fn(&mut Client),
) -> u64 {
    const AT_A_TIME: usize = 64;
    let mut sent = 0;
    client.impatient(Duration::from_secs(3));
    for start in (0..count).step_by(AT_A_TIME) {
        let bytes: Vec<u8> = (start..count.min(start + AT_A_TIME)).flat_map(&mut piece).collect();
        if client.closed().is_some() || client.try_send_raw(&bytes).is_err() {
            break;
        }
        sent += bytes.len() as u64;
        between(client);
    }
    sent
}

/// What the attacker was told at the end, and that it was.
pub(crate) fn ended(client: &mut Client, sent: u64) -> Outcome {
    client.listen(Duration::from_secs(3));
    let said = client.goaway().and_then(Frame::code).map(code_name);
    Outcome { sent, told: format!("GOAWAY {said:?}, closed {:?}", client.closed()) }
}

/// The same for one who must have been told to be calm, or was cut off before that arrived.
pub(crate) fn calmed(client: &mut Client, sent: u64) -> Outcome {
    let outcome = ended(client, sent);
    let said = client.goaway().and_then(Frame::code);
    assert!(said.is_none_or(|said| said == code::ENHANCE_YOUR_CALM), "{outcome:?}");
    assert!(client.closed().is_some(), "nobody has ended it: {outcome:?}");
    outcome
}
