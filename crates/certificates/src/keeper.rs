//! The one task that keeps the vault in line with the snapshot, with files and with what ACME brings.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use divisi_model::{Published, Snapshot};
use divisi_tls::{Demand, Keyring, Vault};
use tokio::sync::mpsc;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use crate::Settings;
use crate::assemble;
use crate::disk::{Disk, News};
use crate::local::Local;
use crate::orders::Orders;
use crate::wishes::Wishes;

/// How often the snapshot is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How often files are.
const READ: Duration = Duration::from_secs(1);

/// How often everything is made anew although nothing has changed but the time.
const RENEW: Duration = Duration::from_secs(3600);

/// So many certificates are signed before others on this thread have their turn.
const AT_ONCE: usize = 16;

/// Most names that are signed for because somebody asked. Strangers may ask, so it is a bound and no cache; the first goes first.
const MOST_ASKED: usize = 100;

/// Who asks within this time shares the work that a name means.
const GATHER: Duration = Duration::from_millis(20);

/// What keeps the vault in line.
#[derive(Debug)]
pub(crate) struct Keeper {
    vault: Arc<Vault>,
    orders: Arc<Orders>,
    has_acme: bool,
    /// None while it is read.
    disk: Option<Disk>,
    local: Option<Local>,
    /// Names for which somebody waits, or has waited; the last one last.
    asked: VecDeque<Arc<str>>,
    wishes: Wishes,
    demands: HashMap<Arc<str>, Demand>,
}

impl Keeper {
    pub(crate) async fn new(settings: Settings, vault: Arc<Vault>, orders: Arc<Orders>) -> Self {
        let Settings { folder, data, local_authority, acme } = settings;
        if let Some(folder) = folder.as_ref().filter(|folder| folder.is_dir()) {
            info!("certificates from {}", folder.display());
        }
        let open = move || local_authority.then(|| Local::open(data.as_deref()));
        let local = match spawn_blocking(open).await {
            Ok(Some(Err(problem))) => {
                error!("no local authority: {problem}");
                None
            }
            Ok(Some(Ok(local))) => Some(local),
            Ok(None) | Err(_) => None,
        };
        if let Some(local) = &local {
            vault.set_root(local.pem().to_owned());
        }
        let disk = Some(Disk::new(folder));
        let (asked, wishes, demands) = (VecDeque::new(), Wishes::default(), HashMap::new());
        Self { vault, orders, has_acme: acme, disk, local, asked, wishes, demands }
    }

    /// Never ends.
    pub(crate) async fn keep(mut self, published: &Published) {
        let mut clock = interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let orders = Arc::clone(&self.orders);
        let mut demanded = self.vault.demanded();
        let (mut seen, mut read_at, mut made_at) = (Weak::new(), None, None);
        loop {
            let is_other = tokio::select! {
                _ = clock.tick() => false,
                () = orders.heard() => true,
                Some(first) = next(demanded.as_mut()) => {
                    sleep(GATHER).await;
                    let others = std::iter::from_fn(|| demanded.as_mut()?.try_recv().ok());
                    self.ask(std::iter::once(first).chain(others))
                }
            };
            let is_wished = self.look(published, &mut seen);
            let is_read = (is_wished || is_due(&mut read_at, READ)) && self.read().await;
            let is_renewed = is_due(&mut made_at, RENEW);
            // Until the engine was heard nobody knows what there is, and whoever comes waits.
            let is_known = !published.engine().is_wanted() || published.engine().is_listed();
            if !is_known {
                made_at = None;
            } else if is_other || is_wished || is_read || is_renewed {
                self.publish().await;
            }
        }
    }

    /// Notes names for which somebody waits. Returns whether one of them is new.
    fn ask(&mut self, names: impl Iterator<Item = Box<str>>) -> bool {
        let before = self.asked.len();
        for name in names {
            if !self.asked.iter().any(|asked| **asked == *name) {
                self.asked.push_back(name.into());
            }
        }
        let is_other = self.asked.len() != before;
        self.asked.drain(..self.asked.len().saturating_sub(MOST_ASKED));
        is_other
    }

    /// Returns whether other things are wished.
    fn look(&mut self, published: &Published, seen: &mut Weak<Snapshot>) -> bool {
        let snapshot = published.keep();
        if seen.as_ptr() == Arc::as_ptr(&snapshot) {
            return false;
        }
        *seen = Arc::downgrade(&snapshot);
        let wishes = Wishes::of(&snapshot);
        if wishes == self.wishes {
            return false;
        }
        for route in wishes.hostless.difference(&self.wishes.hostless) {
            warn!(
                "route {route} demands certificates of clients, and its rule names no host: who comes inside TLS is not \
                 asked for one, so nobody is served; name a host in the rule"
            );
        }
        self.wishes = wishes;
        true
    }

    /// Takes up what has changed in files. Returns whether something has.
    async fn read(&mut self) -> bool {
        let Some(mut disk) = self.disk.take() else { return false };
        let clients = self.wishes.hosts.values().flat_map(|wish| &wish.client_authorities).cloned().collect();
        let trusts = self.wishes.trusts.clone();
        let looking = spawn_blocking(move || {
            let news = disk.look(&clients, &trusts);
            (disk, news)
        });
        // It fails when the program ends; else it is a flaw of ours, and what is known stays in use.
        let Ok((disk, news)) = looking.await else {
            error!("certificates in files are not looked at any more");
            return false;
        };
        self.disk = Some(disk);
        self.take_up(news)
    }

    fn take_up(&mut self, news: News) -> bool {
        let upstreams = self.vault.upstreams();
        upstreams.retain(|file| self.wishes.trusts.contains(file));
        let wishes = &self.wishes;
        self.demands.retain(|file, _| wishes.hosts.values().any(|wish| wish.client_authorities.contains(file)));
        for (file, read) in news.trusts {
            if let Err(problem) = upstreams.set(&file, read.as_deref().map_err(Clone::clone)) {
                warn!("{problem}");
            }
        }
        let is_other = news.is_other || !news.clients.is_empty();
        for (file, read) in news.clients {
            let made = read.and_then(|pem| {
                self.vault.client_authority(Arc::clone(&file), &pem).map_err(|problem| problem.to_string())
            });
            let last = self.demands.get(&file).filter(|last| matches!(last, Demand::Signed(_)));
            let demand = match (made, last) {
                (Ok(authority), _) => Demand::Signed(authority),
                (Err(why), Some(last)) => {
                    warn!("{file}: {why}; clients are checked as before");
                    last.clone()
                }
                (Err(why), None) => Demand::Unknown(format!("{file}: {why}").into()),
            };
            self.demands.insert(file, demand);
        }
        is_other
    }

    async fn publish(&mut self) {
        let now = SystemTime::now();
        let brought = self.orders.brought();
        let mut ring = Keyring::default();
        let folder = self.disk.as_ref().and_then(|disk| disk.folder.as_ref());
        if let Some(folder) = folder {
            assemble::lay_files(&mut ring, folder, &self.wishes, now);
        }
        let wanted = if self.has_acme { assemble::wanted(&ring, &self.wishes) } else { BTreeSet::new() };
        assemble::lay_brought(&mut ring, &brought, &wanted, now);
        self.orders.want(wanted);
        self.sign(&mut ring, now).await;
        let folder = self.disk.as_ref().and_then(|disk| disk.folder.as_ref());
        assemble::lay_expired(&mut ring, folder, &brought, &self.wishes);
        assemble::lay_demands(&mut ring, &self.wishes, &self.demands);
        assemble::lay_problems(&mut ring, folder, &self.wishes, self.has_acme);
        tell(&self.vault.load(), &ring);
        self.vault.publish(ring);
    }

    /// Has the local authority sign what private hosts need.
    async fn sign(&mut self, ring: &mut Keyring, now: SystemTime) {
        let Some(local) = &mut self.local else { return };
        assemble::lay_on_demand(ring, &self.wishes);
        let hosts = assemble::for_local(ring, &self.wishes, self.asked.iter());
        local.retain(|name| hosts.contains(name));
        let mut signed = 0;
        for host in hosts {
            if local.known(&host, now).is_none() {
                signed += 1;
                if signed % AT_ONCE == 0 {
                    yield_now().await;
                }
            }
            match local.leaf(&host, now) {
                Ok(leaf) => drop(ring.certificates.insert(host, leaf)),
                Err(problem) => drop(ring.problems.insert(host, problem.to_string().into())),
            }
        }
    }
}

/// The next name for which somebody waits.
async fn next(demanded: Option<&mut mpsc::Receiver<Box<str>>>) -> Option<Box<str>> {
    match demanded {
        Some(demanded) => demanded.recv().await,
        None => std::future::pending().await,
    }
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= every);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

/// Says whose clients are refused from now on.
fn tell(last: &Keyring, next: &Keyring) {
    let why = |ring: &Keyring, host: &str| match ring.demands.get(host) {
        Some(Demand::Unknown(why)) => Some(Arc::clone(why)),
        _ => None,
    };
    for host in next.demands.keys() {
        if let Some(reason) = why(next, host).filter(|reason| why(last, host).as_ref() != Some(reason)) {
            warn!("clients of {host} are refused inside TLS: {reason}");
        }
    }
}

#[cfg(test)]
mod tests;
