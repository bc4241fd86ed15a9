//! One worker's connections to replicas that speak HTTP/2: each carries many requests at a time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::{Moment, Readiness, Replica, ReplicaId};
use h2::client::SendRequest;
use tokio::sync::Notify;

use crate::http2::budget::Budget;
use crate::http2::census::Census;
use crate::http2::outlet::Parcel;

/// How long a connection is kept that nobody uses.
const OLDEST: Duration = Duration::from_secs(60);

/// Requests at a time on one connection, however many more its replica would take.
pub(super) const MOST: u32 = 128;

/// The connections by replica. No locks: they are a worker's own.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    shelves: RefCell<HashMap<ReplicaId, Shelf>>,
}

#[derive(Debug)]
struct Shelf {
    replica: Arc<Replica>,
    lines: Vec<Rc<Line>>,
    /// Somebody is connecting: whoever comes meanwhile waits for that connection and does not make one of its own.
    making: Rc<Making>,
}

/// That a connection is being made.
#[derive(Debug, Default)]
struct Making {
    is_on: Cell<bool>,
    over: Notify,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<Parcel>,
    budget: Budget,
    /// For whom the replica's certificate is, inside TLS.
    name: Option<String>,
    /// Requests that are on it.
    open: Cell<usize>,
    rested: Cell<Moment>,
    /// What the replica has sent.
    pub(super) census: Rc<Census>,
    /// It takes no more of them.
    pub(super) is_over: Cell<bool>,
}

/// A place for one request on a line; free again when dropped.
#[derive(Debug)]
pub(super) struct Call(Rc<Line>);

/// The duty to make a line; over when dropped.
#[derive(Debug)]
pub(super) struct Duty(Rc<Making>);

/// How one comes to a line.
pub(super) enum Way {
    There(Call),
    /// It is to be made.
    Make(Duty),
}

impl Lines {
    /// A place on a line to the replica, or the duty to make one.
    pub(super) async fn find(&self, replica: &Arc<Replica>, name: Option<&str>) -> Way {
        loop {
            let making = {
                let mut shelves = self.shelves.borrow_mut();
                let shelf = shelves.entry(replica.id()).or_insert_with(|| Shelf::new(replica));
                if let Some(line) = shelf.lines.iter().find(|line| line.has_room(name)) {
                    return Way::There(Call::on(line));
                }
                if !shelf.making.is_on.replace(true) {
                    return Way::Make(Duty(Rc::clone(&shelf.making)));
                }
                Rc::clone(&shelf.making)
            };
            making.over.notified().await;
        }
    }

    /// Puts a new line where others find it, and takes the first place on it.
    pub(super) fn put(
        &self,
        replica: &Arc<Replica>,
        name: Option<String>,
        sender: SendRequest<Parcel>,
        census: Rc<Census>,
    ) -> (Call, Rc<Line>) {
        let (open, rested, is_over) = (Cell::new(0), Cell::new(Moment::now()), Cell::new(false));
        let line = Rc::new(Line { sender, budget: Budget::new(), name, open, rested, census, is_over });
        let mut shelves = self.shelves.borrow_mut();
        shelves.entry(replica.id()).or_insert_with(|| Shelf::new(replica)).lines.push(Rc::clone(&line));
        (Call::on(&line), line)
    }

    /// How many lines nobody uses at the moment.
    pub(crate) fn idle(&self) -> usize {
        self.shelves.borrow().values().flat_map(|shelf| &shelf.lines).filter(|line| line.open.get() == 0).count()
    }

    /// Lets go of what has grown old, has ended, or leads to replicas that get no more requests. What is on a line goes on.
    pub(crate) fn sweep(&self) {
        let now = Moment::now();
        self.shelves.borrow_mut().retain(|_, shelf| {
            let wanted = shelf.replica.readiness() == Readiness::Ready;
            let is_young = |line: &Line| line.open.get() > 0 || now.since(line.rested.get()) < OLDEST;
            shelf.lines.retain(|line| wanted && !line.is_over.get() && is_young(line));
            !shelf.lines.is_empty() || shelf.making.is_on.get()
        });
    }
}

impl Shelf {
    fn new(replica: &Arc<Replica>) -> Self {
        Self { replica: Arc::clone(replica), lines: Vec::new(), making: Rc::default() }
    }
}

impl Line {
    /// RFC 9113 5.1.2: the replica says how many requests it takes at a time.
    fn has_room(&self, name: Option<&str>) -> bool {
        let most = self.sender.current_max_send_streams().min(MOST as usize);
        !self.is_over.get() && self.name.as_deref() == name && self.open.get() < most
    }
}

impl Call {
    fn on(line: &Rc<Line>) -> Self {
        line.open.set(line.open.get() + 1);
        Self(Rc::clone(line))
    }

    /// Where requests are sent.
    pub(super) fn sender(&self) -> SendRequest<Parcel> {
        self.0.sender.clone()
    }

    /// Waits until the replica has said how it wants to be spoken to.
    pub(super) async fn settled(&self) {
        self.0.census.settled().await;
    }

    /// What its requests share.
    pub(super) fn budget(&self) -> Budget {
        self.0.budget.clone()
    }

    /// Whether the line takes no more requests.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    /// The line takes no more requests.
    pub(super) fn hang_up(&self) {
        self.0.is_over.set(true);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.rested.set(Moment::now());
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.0.is_on.set(false);
        self.0.over.notify_waiters();
    }
}
