//! The loop: takes what the link, the engine's answers and the probes say to the table, and publishes what follows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::{Moment, Published, Readiness, Snapshot};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::container::{Container, ContainerId};
use crate::engine::{Engine, List};
use crate::link::{Feed, Line, Link};
use crate::own::Own;
use crate::probe::{Candidate, Prober};
use crate::report::Inquiries;
use crate::settings::Settings;
use crate::table::{Job, Table};
use crate::wire::EngineError;

/// Failed lists in a row after which the link is made anew.
const LIST_FAILURES: u32 = 3;
/// Messages that are applied before one publish.
const BATCH: usize = 1024;

/// What a task brings back.
#[derive(Debug)]
enum Report {
    Listed(u64, Result<List, EngineError>),
    Inspected(Inspection, Result<Option<Container>, EngineError>),
    Own(Result<Own, EngineError>),
    Probed(Candidate, bool),
}

/// An inspection that is wanted or under way.
#[derive(Debug)]
struct Inspection {
    id: ContainerId,
    ticket: u64,
    urgent: bool,
}

/// Inspections, most urgent first; those that nobody waits for go one by one, to leave the engine alone.
#[derive(Debug, Default)]
struct Inspections {
    urgent: VecDeque<Inspection>,
    idle: VecDeque<Inspection>,
    urgent_running: usize,
    idle_running: usize,
}

impl Inspections {
    const URGENT_AT_ONCE: usize = 16;
    const IDLE_AT_ONCE: usize = 1;

    fn add(&mut self, inspection: Inspection) {
        if inspection.urgent { &mut self.urgent } else { &mut self.idle }.push_back(inspection);
    }

    fn next(&mut self) -> Option<Inspection> {
        if self.urgent_running < Self::URGENT_AT_ONCE
            && let Some(inspection) = self.urgent.pop_front()
        {
            self.urgent_running += 1;
            return Some(inspection);
        }
        if self.idle_running < Self::IDLE_AT_ONCE {
            let inspection = self.idle.pop_front()?;
            self.idle_running += 1;
            return Some(inspection);
        }
        None
    }

    fn done(&mut self, inspection: &Inspection) {
        *(if inspection.urgent { &mut self.urgent_running } else { &mut self.idle_running }) -= 1;
    }
}

/// Everything the loop holds.
#[derive(Debug)]
pub(crate) struct Watch {
    settings: Settings,
    published: Arc<Published>,
    inquiries: Inquiries,
    table: Table,
    prober: Prober,
    inspections: Inspections,
    engine: Option<Engine>,
    tasks: JoinSet<()>,
    feed: mpsc::Receiver<Feed>,
    line: Arc<Line>,
    reports: mpsc::UnboundedReceiver<Report>,
    reporter: mpsc::UnboundedSender<Report>,
    /// Numbers the lists; an answer to any but the last is not wanted.
    list: u64,
    listing: bool,
    /// Whether something was lost while a list was on its way, which may be too old to have it.
    list_again: bool,
    list_failures: u32,
    last_list: Option<Instant>,
    next_list: Instant,
    /// When ready replicas are asked again; only while the engine is away.
    next_recheck: Option<Instant>,
    is_down_said: bool,
}

impl Watch {
    /// Begins to look for the engine.
    pub(crate) fn new(settings: Settings, published: Arc<Published>, inquiries: Inquiries) -> Self {
        let (reporter, reports) = mpsc::unbounded_channel();
        published.engine().set_wanted();
        let (link, feed, line) = Link::new(&settings);
        let mut tasks = JoinSet::new();
        tasks.spawn(link.keep());
        Self {
            table: Table::new(&settings),
            prober: Prober::new(settings.tuning.probe.clone()),
            inspections: Inspections::default(),
            engine: None,
            published,
            inquiries,
            tasks,
            feed,
            line,
            reports,
            reporter,
            list: 0,
            listing: false,
            list_again: false,
            list_failures: 0,
            last_list: None,
            next_list: Instant::now(),
            next_recheck: None,
            is_down_said: false,
            settings,
        }
    }

    /// For ever.
    pub(crate) async fn run(mut self) {
        loop {
            let timer = self.due();
            let timer = async {
                match timer {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(message) = self.feed.recv() => self.hear(message),
                Some(report) = self.reports.recv() => self.take(report),
                Some(_) = self.tasks.join_next() => {}
                Some(asker) = self.inquiries.next() => drop(asker.send(self.table.sightings())),
                () = timer => {}
            }
            self.hear_the_rest();
            self.conclude();
        }
    }

    fn due(&self) -> Option<Instant> {
        let list = (self.engine.is_some() && !self.listing).then_some(self.next_list);
        [list, self.next_recheck, self.table.due(), self.prober.due()].into_iter().flatten().min()
    }

    /// What is already waiting is applied before the one publish that follows.
    fn hear_the_rest(&mut self) {
        for _ in 0..BATCH {
            let Ok(message) = self.feed.try_recv() else { break };
            self.hear(message);
        }
        for _ in 0..BATCH {
            let Ok(report) = self.reports.try_recv() else { break };
            self.take(report);
        }
        while self.tasks.try_join_next().is_some() {}
    }

    fn conclude(&mut self) {
        let now = Instant::now();
        self.table.expire(now);
        if let Some(snapshot) = self.table.commit(now) {
            self.published.publish(snapshot);
        }
        if self.line.take_overflow() {
            self.list_soon(now);
        }
        for job in self.table.take_jobs() {
            self.note(job, now);
        }
        if self.engine.is_some() && !self.listing && self.next_list <= now {
            self.begin_list();
            self.inspect_own();
        }
        if self.next_recheck.is_some_and(|due| due <= now) {
            self.recheck(now);
        }
        while let Some(inspection) = self.inspections.next() {
            self.inspect(inspection);
        }
        while let Some(candidate) = self.prober.next(now) {
            self.probe(candidate);
        }
    }

    fn note(&mut self, job: Job, now: Instant) {
        match job {
            Job::Inspect { id, ticket, urgent } => self.inspections.add(Inspection { id, ticket, urgent }),
            Job::InspectOwn => self.inspect_own(),
            Job::Probe(id, replica) => self.prober.add(id, replica, Readiness::Starting, now),
            Job::List => self.list_soon(now),
        }
    }

    fn hear(&mut self, message: Feed) {
        let now = Instant::now();
        self.published.engine().note_heard(Moment::of(now));
        match message {
            Feed::Event(event) => self.table.apply(event, now),
            Feed::Lost => {
                warn!("the Docker engine at {} told of something that cannot be read", self.settings.engine);
                self.list_soon(now);
            }
            Feed::Down(reason) => self.down(&reason),
            Feed::Up(engine, own) => {
                if self.is_down_said {
                    info!("the Docker engine at {} is there again", self.settings.engine);
                }
                self.is_down_said = false;
                self.published.engine().set_connected(true, Moment::of(now));
                self.next_recheck = None;
                self.table.set_own(own, now);
                self.engine = Some(engine);
                self.list_failures = 0;
                self.begin_list();
            }
        }
    }

    fn down(&mut self, reason: &str) {
        self.engine = None;
        self.published.engine().set_connected(false, Moment::now());
        let address = &self.settings.engine;
        if self.table.is_listed() {
            if !self.is_down_said {
                warn!("lost the Docker engine at {address}: {reason}; the replicas known so far keep serving");
            }
        } else {
            let reason = format!("cannot reach the Docker engine at {address}: {reason}; {}", address.hint(reason));
            if !self.is_down_said {
                warn!("{reason}");
            }
            self.publish_unrouted(reason);
        }
        self.is_down_said = true;
        self.next_recheck.get_or_insert_with(|| Instant::now() + self.settings.tuning.recheck);
    }

    fn publish_unrouted(&self, reason: String) {
        let is_known = self.published.load().route().is_err_and(|unrouted| unrouted.reason == reason);
        if !is_known {
            self.published.publish(Snapshot::unrouted(reason));
        }
    }

    /// Nobody tells us of a replica's end while the engine is away, so the replicas themselves are asked.
    fn recheck(&mut self, now: Instant) {
        for (id, replica) in self.table.ready() {
            self.prober.add(Arc::clone(id), Arc::clone(replica), Readiness::Ready, now);
        }
        self.next_recheck = Some(now + self.settings.tuning.recheck);
    }

    fn take(&mut self, report: Report) {
        let now = Instant::now();
        match report {
            Report::Listed(number, answer) if number == self.list => self.listed(answer, now),
            Report::Listed(..) => {}
            Report::Inspected(inspection, answer) => {
                self.inspections.done(&inspection);
                match answer {
                    Ok(answer) => self.table.inspected(&inspection.id, inspection.ticket, answer, now),
                    Err(error) => {
                        let why = error.is_nonsense().then(|| error.to_string());
                        self.table.inspection_failed(&inspection.id, why, now);
                    }
                }
            }
            Report::Own(Ok(own)) => self.table.set_own(own, now),
            // The next reconcile asks again.
            Report::Own(Err(_)) => {}
            Report::Probed(candidate, accepted) => {
                if accepted || candidate.asked_as == Readiness::Ready {
                    self.table.probed(&candidate.id, candidate.replica.id(), accepted);
                }
                self.prober.answered(candidate, accepted, now);
            }
        }
    }

    fn listed(&mut self, answer: Result<List, EngineError>, now: Instant) {
        self.listing = false;
        self.last_list = Some(now);
        match answer {
            Ok(list) => {
                self.list_failures = 0;
                let tuning = &self.settings.tuning;
                self.next_list = now + if self.list_again { tuning.list_pause } else { tuning.reconcile };
                self.table.apply_list(list, now);
                self.published.engine().set_listed();
            }
            Err(error) => {
                self.table.abandon_list();
                self.list_failed(&error, now);
            }
        }
    }

    fn list_failed(&mut self, error: &EngineError, now: Instant) {
        let reason = format!("the Docker engine at {} lists no containers: {error}", self.settings.engine);
        if self.list_failures == 0 {
            warn!("{reason}");
        }
        if !self.table.is_listed() {
            self.publish_unrouted(reason);
        }
        self.next_list = now + self.list_backoff();
        self.list_failures += 1;
        if self.list_failures.is_multiple_of(LIST_FAILURES) {
            self.line.cut();
        }
    }

    fn list_backoff(&self) -> Duration {
        let pause = self.settings.tuning.list_pause * 2_u32.pow(self.list_failures.min(8));
        pause.min(self.settings.tuning.reconcile)
    }

    fn list_soon(&mut self, now: Instant) {
        self.list_again |= self.listing;
        let earliest = self.last_list.map_or(now, |last| now.max(last + self.settings.tuning.list_pause));
        self.next_list = self.next_list.min(earliest);
    }

    fn begin_list(&mut self) {
        let Some(engine) = self.engine.clone() else { return };
        self.list += 1;
        self.listing = true;
        self.list_again = false;
        self.table.begin_list();
        let (number, reporter) = (self.list, self.reporter.clone());
        self.tasks.spawn(async move {
            let _ = reporter.send(Report::Listed(number, engine.list().await));
        });
    }

    fn inspect(&mut self, inspection: Inspection) {
        let reporter = self.reporter.clone();
        let Some(engine) = self.engine.clone() else {
            self.inspections.done(&inspection);
            return self.table.inspection_failed(&inspection.id, None, Instant::now());
        };
        self.tasks.spawn(async move {
            let answer = engine.inspect(&inspection.id).await;
            let _ = reporter.send(Report::Inspected(inspection, answer));
        });
    }

    fn inspect_own(&mut self) {
        let (Some(engine), reporter) = (self.engine.clone(), self.reporter.clone()) else { return };
        let clues = self.settings.clues.clone();
        self.tasks.spawn(async move {
            let _ = reporter.send(Report::Own(engine.own(&clues).await));
        });
    }

    fn probe(&mut self, candidate: Candidate) {
        let (reporter, patience) = (self.reporter.clone(), self.settings.tuning.probe.timeout);
        self.tasks.spawn(async move {
            let accepted = candidate.ask(patience).await;
            let _ = reporter.send(Report::Probed(candidate, accepted));
        });
    }
}
