//! May a name that no route has get a certificate? Somebody of the user's is asked: `GET <URL>?domain=<name>`, and 2xx is a
//! yes. Strangers decide how often that happens, so everything about it is bounded.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use divisi_ask::Body;
use divisi_ask::hyper::{Request, Uri};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::names::NameSet;
use crate::settings::{Pace, Settings};
use crate::wire::Wire;

/// Most questions at a time; whoever comes then gets a no that is not remembered.
const AT_ONCE: usize = 16;
/// Most answers that are remembered.
const REMEMBERED: usize = 10_000;
/// How long a no holds. A name that was allowed a moment ago is rarely tried in between.
const NO: Duration = Duration::from_mins(5);
/// How long a yes holds: while a certificate is on its way, many may come for it.
const YES: Duration = Duration::from_mins(1);

/// Asks whether names may get a certificate, and orders it.
#[derive(Clone)]
pub struct Asker(Arc<Inner>);

struct Inner {
    url: Option<String>,
    wire: Wire,
    patience: Duration,
    places: Semaphore,
    answers: Mutex<HashMap<NameSet, (bool, Instant)>>,
    wanted: mpsc::Sender<NameSet>,
}

/// The other end of an [`Asker`]: what is to be ordered.
#[derive(Debug)]
pub struct Demands(pub(crate) mpsc::Receiver<NameSet>);

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("url", &self.0.url).finish_non_exhaustive()
    }
}

/// Both ends of the way in which unknown names become orders.
pub fn asking(settings: &Settings) -> (Asker, Demands) {
    let Pace { ask: patience, .. } = settings.pace;
    let (wanted, demands) = mpsc::channel(64);
    let inner = Inner {
        url: settings.ask.clone(),
        wire: Wire::new(&settings.roots, patience),
        patience,
        places: Semaphore::new(AT_ONCE),
        answers: Mutex::default(),
        wanted,
    };
    (Asker(Arc::new(inner)), Demands(demands))
}

impl Asker {
    /// Whether `name`, for which there is no certificate, gets one. With a yes it is being ordered, and
    /// [`Shelf::coming`](crate::Shelf::coming) tells so in a moment.
    pub async fn may(&self, name: &str) -> bool {
        let Some(url) = &self.0.url else { return false };
        let Ok(names) = NameSet::new([name]) else { return false };
        if name.starts_with('*') {
            return false;
        }
        if let Some(answer) = self.remembered(&names) {
            return answer;
        }
        let Ok(_place) = self.0.places.try_acquire() else {
            debug!("acme: too many unknown names at a time; {names} is refused");
            return false;
        };
        let Some(answer) = self.ask(url, &names).await else { return false };
        let answer = answer && self.0.wanted.try_send(names.clone()).is_ok();
        self.remember(names, answer);
        answer
    }

    /// None where nobody answers, which is not remembered.
    pub(crate) async fn ask(&self, url: &str, names: &NameSet) -> Option<bool> {
        let joint = if url.contains('?') { '&' } else { '?' };
        // Names have no letters that mean something in a URL.
        let uri = Uri::from_str(&format!("{url}{joint}domain={names}")).ok()?;
        let request = Request::get(uri).body(Body::default()).ok()?;
        match timeout(self.0.patience, self.0.wire.send(request)).await {
            Ok(Ok(answer)) => Some(answer.status().is_success()),
            Ok(Err(problem)) => {
                warn!("acme: whether {names} may have a certificate cannot be asked: {problem}");
                None
            }
            Err(_) => {
                warn!("acme: whether {names} may have a certificate was not answered within {:?}", self.0.patience);
                None
            }
        }
    }

    /// Asks again before a renewal. Nobody there is a yes: the name was wanted before.
    pub(crate) async fn still(&self, names: &NameSet) -> bool {
        match &self.0.url {
            Some(url) => self.ask(url, names).await.unwrap_or(true),
            None => false,
        }
    }

    fn remembered(&self, names: &NameSet) -> Option<bool> {
        let answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(names).filter(|(_, until)| *until > Instant::now()).map(|(answer, _)| *answer)
    }

    fn remember(&self, names: NameSet, answer: bool) {
        let now = Instant::now();
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= REMEMBERED {
            answers.retain(|_, (_, until)| *until > now);
        }
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(names, (answer, now + if answer { YES } else { NO }));
    }
}
