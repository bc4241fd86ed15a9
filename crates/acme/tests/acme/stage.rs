//! The side of divisi: where challenges are shown, where certificates go, and a keeper that uses both.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use divisi_acme::pki_types::{CertificateDer, PrivateKeyDer};
use divisi_acme::{
    Asker, Board, Certificate, NameSet, Pace, Roots, Seams, Settings, Shelf, Stage, Status, Validity, asking, run,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

/// Longer than anything takes, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What is shown and what has come, and how often.
#[derive(Debug, Default)]
pub(crate) struct House {
    pub(crate) tokens: Mutex<HashMap<String, String>>,
    pub(crate) challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    pub(crate) certificates: Mutex<HashMap<String, (Validity, CertificateDer<'static>)>>,
    pub(crate) coming: Mutex<HashSet<NameSet>>,
    pub(crate) shown: Mutex<Vec<&'static str>>,
    pub(crate) put: Mutex<Vec<NameSet>>,
    /// Whether connections for http-01 are closed at once.
    pub(crate) is_deaf: AtomicBool,
}

impl Stage for House {
    fn show_token(&self, token: &str, text: &str) {
        self.shown.lock().unwrap().push("http-01");
        self.tokens.lock().unwrap().insert(token.to_owned(), text.to_owned());
    }

    fn hide_token(&self, token: &str) {
        self.tokens.lock().unwrap().remove(token);
    }

    fn show_certificate(&self, name: &str, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) {
        self.shown.lock().unwrap().push("tls-alpn-01");
        let key = any_supported_type(&key).unwrap();
        self.challenges.lock().unwrap().insert(name.to_owned(), Arc::new(CertifiedKey::new(vec![certificate], key)));
    }

    fn hide_certificate(&self, name: &str) {
        self.challenges.lock().unwrap().remove(name);
    }
}

impl Shelf for House {
    fn put(&self, certificate: &Certificate) {
        any_supported_type(certificate.key()).unwrap();
        self.put.lock().unwrap().push(certificate.names().clone());
        let mut all = self.certificates.lock().unwrap();
        for name in certificate.names().iter() {
            all.insert(name.to_owned(), (certificate.validity(), certificate.chain()[0].clone()));
        }
    }

    fn remove(&self, certificate: &Certificate) {
        let mut all = self.certificates.lock().unwrap();
        for name in certificate.names().iter() {
            all.remove(name);
        }
    }

    fn coming(&self, names: &NameSet, is_coming: bool) {
        let mut coming = self.coming.lock().unwrap();
        if is_coming {
            coming.insert(names.clone())
        } else {
            coming.remove(names)
        };
    }
}

impl ResolvesServerCert for House {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.challenges.lock().unwrap().get(hello.server_name()?).cloned()
    }
}

impl House {
    /// What is served for a name by now.
    pub(crate) fn serves(&self, name: &str) -> Option<CertificateDer<'static>> {
        self.certificates.lock().unwrap().get(name).map(|(_, certificate)| certificate.clone())
    }

    /// Whether nothing is left of any challenge.
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.lock().unwrap().is_empty() && self.challenges.lock().unwrap().is_empty()
    }
}

/// Settings that hurry, for an authority whose root is in that file.
pub(crate) fn settings(directory: &str, root: &Path, folder: &Path) -> Settings {
    Settings {
        email: "you@divisi.example".to_owned(),
        directory: directory.to_owned(),
        roots: Roots::with(Some(root)).unwrap(),
        external: None,
        profile: None,
        challenge: None,
        dns: None,
        folder: folder.to_owned(),
        ask: None,
        pace: Pace {
            first_pause: Duration::from_millis(500),
            between: Duration::ZERO,
            lease: Duration::from_secs(3),
            patience: Duration::from_secs(20),
            poll: Duration::from_millis(50),
            look: Duration::from_millis(300),
            dns: Duration::from_secs(20),
            young: Duration::ZERO,
            ..Pace::default()
        },
    }
}

/// A keeper at work. It ends with the test.
pub(crate) struct Running {
    pub(crate) house: Arc<House>,
    pub(crate) board: Board,
    pub(crate) wanted: watch::Sender<Arc<[NameSet]>>,
    pub(crate) asker: Asker,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    pub(crate) fn start(settings: Settings, house: &Arc<House>, wanted: &[&[&str]]) -> Self {
        let (asker, demands) = asking(&settings);
        let (wanted, receiver) = watch::channel(sets(wanted));
        let board = Board::default();
        let seams = Seams {
            wanted: receiver,
            asker: asker.clone(),
            demands,
            stage: Arc::clone(house) as _,
            shelf: Arc::clone(house) as _,
            board: board.clone(),
        };
        Self { house: Arc::clone(house), board, wanted, asker, task: tokio::spawn(run(settings, seams)) }
    }

    pub(crate) fn want(&self, sets_of_names: &[&[&str]]) {
        self.wanted.send_replace(sets(sets_of_names));
    }

    /// The certificate for a name, when there is one that is not `old`.
    pub(crate) async fn certificate(
        &self,
        name: &str,
        old: Option<&CertificateDer<'static>>,
    ) -> CertificateDer<'static> {
        let board = self.board.clone();
        let house = Arc::clone(&self.house);
        until(|| house.serves(name).filter(|now| Some(now) != old), || format!("{name}: {:?}", board.read())).await
    }

    /// The status of the set with that name, when it is as wanted.
    pub(crate) async fn status(&self, name: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let find = || self.board.read().iter().find(|s| s.names.iter().any(|n| n == name) && is_so(s)).cloned();
        until(find, || format!("{name}: {:?}", self.board.read())).await
    }

    /// As if it were killed here.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = timeout(PATIENCE, async {
            while !self.task.is_finished() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

pub(crate) fn sets(of: &[&[&str]]) -> Arc<[NameSet]> {
    of.iter().map(|names| NameSet::new(*names).unwrap()).collect()
}

/// Waits for something, and tells how it stood if it does not come.
pub(crate) async fn until<T>(look: impl Fn() -> Option<T>, tell: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {}", tell());
        sleep(Duration::from_millis(20)).await;
    }
}
