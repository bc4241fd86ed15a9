//! Plugs the room of ACME in: what routes want becomes sets of names there, and what it brings goes to [`Orders`]; challenges
//! are shown in the [`Vault`], and its questions about unknown names are answered.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use divisi_acme::pki_types::{CertificateDer, PrivateKeyDer};
use divisi_acme::{Asker, Board, Seams, Settings, Shelf, Stage, asking};
use divisi_tls::{Certificate, Question, Source, Vault};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::orders::{NameSet, Orders};

/// Names beside a wildcard need not go without a certificate because the wildcard does.
const NO_WILDCARD: &str = "a wildcard is certified by dns-01 only, which needs somebody who changes records: --acme-dns-hook or \
                           --acme-dns-server";

/// Orders what is wanted, for ever, and posts on `board` how that stands.
pub async fn run(settings: Settings, vault: Arc<Vault>, orders: Arc<Orders>, board: Board) {
    let (asker, demands) = asking(&settings);
    // Without anybody to ask, unknown names are refused at once.
    let questions = settings.ask.as_ref().and_then(|_| vault.questions());
    let (want, wanted) = watch::channel(Arc::default());
    let (vault_of_bench, can_wildcards) = (Arc::clone(&vault), settings.dns.is_some());
    let bench = Arc::new(Bench { vault: vault_of_bench, orders, can_wildcards, sets: Mutex::default() });
    let stage = Arc::clone(&bench) as Arc<dyn Stage>;
    let shelf = Arc::clone(&bench) as Arc<dyn Shelf>;
    let seams = Seams { wanted, asker: asker.clone(), demands, stage, shelf, board: board.clone() };
    tokio::join!(
        divisi_acme::run(settings, seams),
        bench.translate(&want),
        bench.complain(&board),
        answer(questions, &asker, &vault),
    );
}

/// What stands between both rooms.
struct Bench {
    vault: Arc<Vault>,
    orders: Arc<Orders>,
    /// Whether somebody can change records.
    can_wildcards: bool,
    sets: Mutex<Sets>,
}

#[derive(Default)]
struct Sets {
    /// What routes want, by what is ordered for it. ACME leaves out names that a wildcard beside them covers.
    wanted: HashMap<divisi_acme::NameSet, Vec<NameSet>>,
    /// What there is by now.
    brought: HashMap<divisi_acme::NameSet, Arc<Certificate>>,
}

impl Bench {
    async fn translate(&self, want: &watch::Sender<Arc<[divisi_acme::NameSet]>>) {
        let mut wanted = self.orders.wanted();
        loop {
            let all = Arc::clone(&wanted.borrow_and_update());
            want.send_replace(self.understand(&all));
            if wanted.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    fn understand(&self, all: &BTreeSet<NameSet>) -> Arc<[divisi_acme::NameSet]> {
        let mut wanted: HashMap<_, Vec<NameSet>> = HashMap::new();
        for names in all {
            let (possible, impossible): (NameSet, NameSet) =
                names.iter().cloned().partition(|name| self.can_wildcards || !name.starts_with("*."));
            if !impossible.is_empty() {
                self.orders.problem(&impossible, Some(NO_WILDCARD));
            }
            if possible.is_empty() {
                continue;
            }
            match divisi_acme::NameSet::new(&possible) {
                Ok(ordered) => wanted.entry(ordered).or_default().push(names.clone()),
                Err(problem) => {
                    warn!("acme: {problem}");
                    self.orders.problem(names, Some(&problem.to_string()));
                }
            }
        }
        let ordered = wanted.keys().cloned().collect();
        let put: Vec<_> = self.with(|sets| {
            sets.wanted = wanted;
            let has = |(ordered, _): &(&_, &_)| sets.brought.contains_key(*ordered);
            let those = sets.wanted.iter().filter(has);
            those.map(|(ordered, names)| (names.clone(), Arc::clone(&sets.brought[ordered]))).collect()
        });
        for (names, certificate) in put {
            names.into_iter().for_each(|names| self.orders.put(names, Arc::clone(&certificate)));
        }
        ordered
    }

    /// Tells with each name what keeps it from its certificate.
    async fn complain(&self, board: &Board) {
        let mut posted = board.subscribe();
        let mut last: HashMap<divisi_acme::NameSet, String> = HashMap::new();
        loop {
            let all = Arc::clone(&posted.borrow_and_update());
            let problem = |status: &divisi_acme::Status| {
                status.trouble.as_ref().map(|trouble| (status.names.clone(), trouble.to_string()))
            };
            let now: HashMap<_, _> = all.iter().filter_map(problem).collect();
            for (names, text) in now.iter().filter(|(names, text)| last.get(*names) != Some(text)) {
                self.of(names).iter().for_each(|names| self.orders.problem(names, Some(text)));
            }
            for names in last.keys().filter(|names| !now.contains_key(*names)) {
                self.of(names).iter().for_each(|names| self.orders.problem(names, None));
            }
            last = now;
            if posted.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// What routes call these names.
    fn of(&self, ordered: &divisi_acme::NameSet) -> Vec<NameSet> {
        let wanted = self.with(|sets| sets.wanted.get(ordered).cloned());
        wanted.unwrap_or_else(|| vec![plain(ordered)])
    }

    fn with<T>(&self, act: impl FnOnce(&mut Sets) -> T) -> T {
        // Whatever panicked left both maps whole.
        act(&mut self.sets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn plain(names: &divisi_acme::NameSet) -> NameSet {
    names.iter().map(Arc::from).collect()
}

impl Stage for Bench {
    fn show_token(&self, token: &str, text: &str) {
        self.vault.set_token(token, text);
    }

    fn hide_token(&self, token: &str) {
        self.vault.remove_token(token);
    }

    fn show_certificate(&self, name: &str, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) {
        if let Err(problem) = self.vault.set_challenge(name, certificate, key) {
            error!("acme: the certificate for the challenge of {name}: {problem}");
        }
    }

    fn hide_certificate(&self, name: &str) {
        self.vault.remove_challenge(name);
    }
}

impl Shelf for Bench {
    fn put(&self, certificate: &divisi_acme::Certificate) {
        let (chain, key) = (certificate.chain().to_vec(), certificate.key().clone_key());
        let names = certificate.names();
        match Certificate::from_der(chain, key, Source::Acme) {
            Ok(certificate) => {
                let certificate = Arc::new(certificate);
                self.with(|sets| sets.brought.insert(names.clone(), Arc::clone(&certificate)));
                self.of(names).into_iter().for_each(|names| self.orders.put(names, Arc::clone(&certificate)));
            }
            Err(problem) => error!("acme: the certificate for {names} cannot be used: {problem}"),
        }
    }

    fn remove(&self, certificate: &divisi_acme::Certificate) {
        self.with(|sets| sets.brought.remove(certificate.names()));
        self.of(certificate.names()).iter().for_each(|names| self.orders.remove(names));
        self.orders.remove(&plain(certificate.names()));
    }

    fn coming(&self, names: &divisi_acme::NameSet, is_coming: bool) {
        match self.with(|sets| sets.wanted.get(names).cloned()) {
            Some(wanted) => wanted.iter().for_each(|names| self.orders.coming(names, is_coming)),
            None => self.orders.coming_on_demand(&plain(names), is_coming),
        }
    }
}

/// How long a handshake waits for its name to be on its way, once that was allowed.
const BEGIN: Duration = Duration::from_secs(5);

/// Answers handshakes for names that nobody here has.
async fn answer(questions: Option<mpsc::Receiver<Question>>, asker: &Asker, vault: &Arc<Vault>) {
    let Some(mut questions) = questions else { return };
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(Question { name, answer }) = question else { return };
                let (asker, vault) = (asker.clone(), Arc::clone(vault));
                asked.spawn(async move {
                    let may = asker.may(&name).await && timeout(BEGIN, begun(&vault, &name)).await.is_ok();
                    // Nobody waits any more: that is no harm.
                    let _ = answer.send(may);
                });
            }
            Some(_) = asked.join_next() => {}
        }
    }
}

/// Waits until there is a certificate for the name, or it is on its way.
async fn begun(vault: &Vault, name: &str) {
    let mut news = vault.news();
    loop {
        let is_there = {
            let ring = vault.load();
            ring.own(name).is_some() || ring.is_coming(name)
        };
        if is_there || news.changed().await.is_err() {
            return;
        }
    }
}
