//! The loop: who is wanted, what is there, what is to be done, and what became of it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use instant_acme::CertificateIdentifier;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tracing::{debug, error, info, warn};

use crate::ask::{Asker, Demands};
use crate::certificate::Certificate;
use crate::error::{AcmeError, clean};
use crate::ledger::{Job, Ledger};
use crate::names::NameSet;
use crate::schedule::{Now, Steadiness, Window};
use crate::seams::{Shelf, Stage};
use crate::session::on_disk;
use crate::settings::Settings;
use crate::status::Board;
use crate::store::{Store, StoreError};
use crate::work::{Outcome, Shop, Wish};

/// Others are looked after this often while they work, or earlier if they die.
const BUSY: Duration = Duration::from_secs(10);
/// The most that is told of a failure.
const LONGEST: usize = 1000;

/// What this room shares with others.
pub struct Seams {
    /// The sets of names that routes have, each with one certificate.
    pub wanted: watch::Receiver<Arc<[NameSet]>>,
    /// Asks about names that no route has.
    pub asker: Asker,
    /// What it finds.
    pub demands: Demands,
    /// Where challenges are shown.
    pub stage: Arc<dyn Stage>,
    /// Where certificates go.
    pub shelf: Arc<dyn Shelf>,
    /// Where it is told how all of them stand.
    pub board: Board,
}

impl std::fmt::Debug for Seams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seams")
    }
}

/// Keeps certificates for all names that are wanted, for ever. Nothing that goes wrong ends it.
pub async fn run(settings: Settings, seams: Seams) {
    let folder = settings.folder.join("acme").join(authority_folder(&settings.directory));
    let store = open(&settings, folder).await;
    let holder = format!("{:016x}", fastrand::u64(..));
    let Seams { mut wanted, asker, mut demands, stage, shelf, board } = seams;
    let ledger = Ledger::new(settings.pace.clone(), fastrand::u64(..));
    let shop = Arc::new(Shop { settings, store, stage, holder });
    let (certificates, seen) = (HashMap::new(), HashMap::new());
    let mut keeper = Keeper { ledger, shop, shelf, asker, certificates, seen, next_look: None };
    let mut tasks = Tasks::default();
    let mut clock = Steadiness::new(Now::read());
    keeper.look().await;
    let all = wanted.borrow_and_update().clone();
    keeper.route(&all).await;
    loop {
        let is_calm = clock.look(Now::read());
        keeper.begin(&mut tasks, is_calm);
        board.post(keeper.ledger.status());
        tokio::select! {
            // With nobody left who could want something, what is there is kept.
            Ok(()) = wanted.changed() => {
                let all = wanted.borrow_and_update().clone();
                keeper.route(&all).await;
            }
            Some(names) = demands.0.recv() => keeper.demand(&names).await,
            Some(done) = tasks.next() => keeper.done(done).await,
            () = sleep(keeper.wait()) => keeper.look_if_due(is_calm).await,
        }
    }
}

/// Where the authority's files are: its host, with the port where it is an unusual one.
fn authority_folder(directory: &str) -> String {
    let rest = directory.split_once("://").map_or(directory, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    host.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || ".-".contains(letter) { letter } else { '_' })
        .collect()
}

/// A volume may come late. Nobody waits for it but we.
async fn open(settings: &Settings, folder: PathBuf) -> Store {
    loop {
        let path = folder.clone();
        match on_disk(move || Store::open(&path)).await {
            Ok(store) => return store,
            Err(problem) => error!("acme: no certificates are ordered: {problem}"),
        }
        sleep(settings.pace.look).await;
    }
}

struct Keeper {
    ledger: Ledger,
    shop: Arc<Shop>,
    shelf: Arc<dyn Shelf>,
    asker: Asker,
    certificates: HashMap<NameSet, Arc<Certificate>>,
    /// What was seen in the folder, so that only what is new is read.
    seen: HashMap<PathBuf, SystemTime>,
    next_look: Option<Instant>,
}

/// What has been done.
enum Done {
    Ordered(NameSet, Outcome),
    /// Nobody wants that name any more.
    Undemanded(NameSet),
    Asked(NameSet, CertificateIdentifier<'static>, Result<Option<(Window, Duration)>, AcmeError>),
    /// A mistake of ours.
    Panicked(NameSet),
}

/// What is being done.
#[derive(Default)]
struct Tasks {
    running: JoinSet<Done>,
    names: HashMap<Id, NameSet>,
}

impl Tasks {
    fn begin(&mut self, names: NameSet, task: impl Future<Output = Done> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, names);
    }

    async fn next(&mut self) -> Option<Done> {
        match self.running.join_next_with_id().await? {
            Ok((id, done)) => {
                self.names.remove(&id);
                Some(done)
            }
            Err(panicked) => {
                error!("acme: {panicked}");
                let names = self.names.remove(&panicked.id())?;
                Some(Done::Panicked(names))
            }
        }
    }
}

impl Keeper {
    fn wait(&self) -> Duration {
        let now = Now::read();
        let look = self.next_look.map_or(Duration::ZERO, |next| next.saturating_duration_since(now.steady));
        self.ledger.wait(now).unwrap_or(look).min(look)
    }

    /// Begins whatever is due.
    fn begin(&mut self, tasks: &mut Tasks, is_calm: bool) {
        while let Some(job) = self.ledger.next(Now::read(), is_calm) {
            let shop = Arc::clone(&self.shop);
            match job {
                Job::Ask { names, id } => {
                    let of = names.clone();
                    tasks.begin(names, async move {
                        let wish = shop.ask(&id).await;
                        Done::Asked(of, id, wish)
                    });
                }
                Job::Order { names, replaces, held, is_demanded } => {
                    if held.is_none() {
                        self.shelf.coming(&names, true);
                    }
                    let asker = (is_demanded && held.is_some()).then(|| self.asker.clone());
                    let failures = self.ledger.failures(&names);
                    let wish = Wish { names: names.clone(), replaces, held, failures };
                    tasks.begin(names, async move {
                        if let Some(asker) = asker
                            && !asker.still(&wish.names).await
                        {
                            return Done::Undemanded(wish.names);
                        }
                        let outcome = shop.obtain(&wish).await;
                        Done::Ordered(wish.names, outcome)
                    });
                }
            }
        }
    }

    /// These are the names that routes have by now.
    async fn route(&mut self, wanted: &[NameSet]) {
        for names in self.ledger.route(wanted) {
            self.expect(&names).await;
        }
    }

    async fn demand(&mut self, names: &NameSet) {
        if self.ledger.demand(names) {
            self.expect(names).await;
        }
    }

    /// Names that are newly wanted: perhaps there is a certificate, or there was trouble before.
    async fn expect(&mut self, names: &NameSet) {
        if let Some(certificate) = self.certificates.get(names) {
            self.shelf.put(certificate);
        }
        let (store, of) = (self.shop.store.clone(), names.clone());
        match on_disk(move || store.trouble(&of)).await {
            Ok(Some(trouble)) => self.ledger.recall(names, trouble, Now::read()),
            Ok(None) => {}
            Err(problem) => warn!("acme: {problem}"),
        }
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Panicked(names) => {
                self.ledger.lost(&names);
                self.settle(&names, Outcome::Failed(AcmeError::Panicked, None)).await;
                self.shelf.coming(&names, false);
            }
            Done::Asked(names, id, wish) => {
                let wish = wish.unwrap_or_else(|problem| {
                    debug!("acme: when to renew {names} could not be asked: {problem}");
                    None
                });
                self.ledger.asked(&names, &id, wish, Now::read());
            }
            Done::Undemanded(names) => {
                info!("acme: {names} is not wanted any more and not renewed");
                self.ledger.ended(&names);
                self.ledger.undemand(&names);
            }
            Done::Ordered(names, outcome) => {
                self.ledger.ended(&names);
                self.settle(&names, outcome).await;
                self.shelf.coming(&names, false);
            }
        }
    }

    async fn settle(&mut self, names: &NameSet, outcome: Outcome) {
        let now = Now::read();
        match outcome {
            Outcome::Got(certificate) => {
                info!("acme: a certificate for {names}");
                self.take(certificate);
            }
            Outcome::Found(certificate) => {
                info!("acme: a certificate for {names}, which another divisi has ordered");
                self.take(certificate);
            }
            Outcome::Busy(left) => self.ledger.leave_alone(names, now.steady + left.min(BUSY)),
            Outcome::FailedElsewhere(trouble) => self.ledger.recall(names, trouble, now),
            Outcome::Failed(AcmeError::Overtaken, _) => self.ledger.leave_alone(names, now.steady + BUSY),
            Outcome::Failed(error, asked) => self.failed(names, &error, asked).await,
        }
    }

    async fn failed(&mut self, names: &NameSet, error: &AcmeError, asked: Option<Duration>) {
        let now = Now::read();
        if error.is_rate_limit() {
            self.ledger.crowd(asked, now);
        }
        let said = clean(&error.to_string(), LONGEST);
        let Some(trouble) = self.ledger.fail(names, said, asked, now) else { return };
        let wait = Duration::from_secs(trouble.next)
            .saturating_sub(now.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let times = trouble.times;
        let said = &trouble.said;
        warn!("acme: no certificate for {names}: {said}; failure {times} in a row, next try in {} s", wait.as_secs());
        let (store, of) = (self.shop.store.clone(), names.clone());
        if let Err(problem) = on_disk(move || store.put_trouble(&of, &trouble)).await {
            warn!("acme: {problem}");
        }
    }

    fn take(&mut self, certificate: Certificate) {
        self.ledger.hold(&certificate);
        self.shelf.put(&certificate);
        self.certificates.insert(certificate.names().clone(), Arc::new(certificate));
    }

    async fn look_if_due(&mut self, is_calm: bool) {
        if self.next_look.is_some_and(|next| next > Instant::now()) {
            return;
        }
        self.look().await;
        if is_calm {
            self.remove_expired().await;
        }
    }

    /// Takes what is new in the folder: at the start all of it, later what another divisi has put there.
    async fn look(&mut self) {
        self.next_look = Some(Instant::now() + self.shop.settings.pace.look);
        let (store, mut seen) = (self.shop.store.clone(), std::mem::take(&mut self.seen));
        let looked = on_disk(move || {
            let found = store.news(&mut seen);
            Ok((found, seen))
        });
        let (found, seen) = match looked.await {
            Ok((Ok(found), seen)) => (found, seen),
            Ok((Err(problem), _)) | Err(problem) => {
                warn!("acme: {problem}");
                return;
            }
        };
        self.seen = seen;
        // The newest last, which is the one meant where several have a name.
        let mut by_age: BTreeMap<SystemTime, Vec<Certificate>> = BTreeMap::new();
        for read in found {
            match read {
                Ok(certificate) => by_age.entry(certificate.validity().from).or_default().push(certificate),
                Err(problem) => warn!("acme: {problem}"),
            }
        }
        for certificate in by_age.into_values().flatten() {
            if self.ledger.is_news(&certificate) {
                self.take(certificate);
            }
        }
    }

    /// Names that left the routes keep their certificate until it is over.
    async fn remove_expired(&mut self) {
        for names in self.ledger.take_expired(Now::read()) {
            if let Some(certificate) = self.certificates.remove(&names) {
                self.shelf.remove(&certificate);
            }
            info!("acme: the certificate for {names} is over, and nobody wants another one");
            let store = self.shop.store.clone();
            let removed: Result<(), StoreError> = on_disk(move || {
                store.remove_certificate(&names)?;
                store.clear_trouble(&names)
            })
            .await;
            if let Err(problem) = removed {
                warn!("acme: {problem}");
            }
        }
    }
}
