//! A case is a sentence and a connection or two; it fails by panicking.

use std::any::Any;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use divisi_testkit::http2::client::Client;

use crate::known;
use crate::stage::Stage;

/// How many cases go at a time, each through a proxy of its own.
const LANES: usize = 8;

/// One thing that a server must do.
pub(crate) struct Case {
    /// The paragraph that demands it.
    pub(crate) paragraph: &'static str,
    /// What is demanded.
    pub(crate) says: &'static str,
    run: Run,
}

enum Run {
    /// Against any server.
    Peer(fn(SocketAddr)),
    /// Against a proxy and replicas of its own.
    Proxy(fn()),
}

/// A case of that paragraph of RFC 9113, or of RFC 7541 where it says so, for any server.
pub(crate) const fn case(paragraph: &'static str, says: &'static str, run: fn(SocketAddr)) -> Case {
    Case { paragraph, says, run: Run::Peer(run) }
}

/// A case with a proxy and replicas of its own.
pub(crate) const fn proxied(paragraph: &'static str, says: &'static str, run: fn()) -> Case {
    Case { paragraph, says, run: Run::Proxy(run) }
}

/// Plays all of them, against `peer` or against a proxy per lane.
pub(crate) fn run_all(cases: &[&Case], peer: Option<SocketAddr>) {
    let todo: Mutex<VecDeque<&Case>> = Mutex::new(cases.iter().copied().collect());
    let wrong: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let next = || todo.lock().expect("no lane panics while it takes a case").pop_front();
    let lane = || {
        let stage = peer.is_none().then(Stage::new);
        let addr = peer.or_else(|| Some(stage.as_ref()?.proxy.addr())).expect("one of the two");
        while let Some(case) = next() {
            if let Some(why) = complaint(case, played(case, addr), peer.is_none()) {
                wrong.lock().expect("no lane panics here").push(format!("{} {}: {why}", case.paragraph, case.says));
            }
        }
    };
    thread::scope(|scope| (0..LANES).for_each(|_| drop(scope.spawn(lane))));
    let mut wrong = wrong.into_inner().expect("all lanes have ended");
    wrong.sort();
    println!("{} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {} cases went wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Whatever a case does to a connection, another one is served afterwards.
fn played(case: &Case, addr: SocketAddr) -> Result<(), String> {
    let caught = |act: &dyn Fn()| catch_unwind(AssertUnwindSafe(act)).map_err(|panic| reason(&*panic));
    let run = match case.run {
        Run::Peer(run) => run,
        Run::Proxy(run) => return caught(&run),
    };
    caught(&|| run(addr))?;
    let served = || {
        Client::open(addr).expect_served();
    };
    caught(&served).map_err(|why| format!("nobody is served afterwards: {why}"))
}

fn complaint(case: &Case, outcome: Result<(), String>, is_ours: bool) -> Option<String> {
    let known =
        known::KNOWN.iter().find(|known| is_ours && known.says == case.says && known.paragraph == case.paragraph);
    match (outcome, known) {
        (Ok(()), Some(_)) => Some("passes: take it off the list of known differences".to_owned()),
        (Err(why), Some(known)) if why.contains(known.seen) => None,
        (Ok(()), None) => None,
        (Err(why), _) => Some(why),
    }
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
