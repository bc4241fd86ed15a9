//! One job for one set of names, while nobody else works on it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::CertificateIdentifier;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::certificate::Certificate;
use crate::error::AcmeError;
use crate::lease::{Lease, Taken, take};
use crate::names::NameSet;
use crate::order;
use crate::schedule::{Window, renewal};
use crate::seams::Stage;
use crate::session::{Session, on_disk};
use crate::settings::{Kind, Settings};
use crate::store::{Store, StoreError, StoredTrouble};

/// What every job needs.
pub(crate) struct Shop {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) stage: Arc<dyn Stage>,
    /// Who we are among several divisi on one folder.
    pub(crate) holder: String,
}

/// How a job has ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is a new certificate, and it is in the folder.
    Got(Certificate),
    /// Another divisi has put it there.
    Found(Certificate),
    /// Another divisi is working on it, for so long if it dies now.
    Busy(Duration),
    /// Another divisi has failed a moment ago.
    FailedElsewhere(StoredTrouble),
    /// It failed, and the authority asked to be left alone for so long.
    Failed(AcmeError, Option<Duration>),
}

/// What is to be had.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) names: NameSet,
    pub(crate) replaces: Option<CertificateIdentifier<'static>>,
    /// From when the one is that we have.
    pub(crate) held: Option<SystemTime>,
    /// How often it has failed here, up to now.
    pub(crate) failures: u32,
}

impl Shop {
    /// Gets a certificate, unless somebody else does or has done.
    pub(crate) async fn obtain(&self, wish: &Wish) -> Outcome {
        let (leases, key, holder) = (self.store.leases(), wish.names.key(), self.holder.clone());
        let length = self.settings.pace.lease;
        let lease = match on_disk(move || take(&leases, &key, &holder, length, SystemTime::now())).await {
            Ok(Taken::Ours(lease)) => Arc::new(lease),
            Ok(Taken::Anothers(left)) => return Outcome::Busy(left),
            Err(problem) => return Outcome::Failed(problem.into(), None),
        };
        let outcome = tokio::select! {
            outcome = timeout(self.settings.pace.whole, self.alone(wish)) => {
                outcome.unwrap_or_else(|_| Outcome::Failed(AcmeError::Slow(self.settings.pace.whole), None))
            }
            () = lost(&lease) => Outcome::Failed(AcmeError::Overtaken, None),
        };
        if let Err(problem) = on_disk(move || lease.release()).await {
            warn!("acme: {problem}");
        }
        outcome
    }

    async fn alone(&self, wish: &Wish) -> Outcome {
        if let Some(outcome) = self.somebody_elses(wish).await {
            return outcome;
        }
        let mut wait = None;
        let certificate = match self.by_any_way(wish, &mut wait).await {
            Ok(certificate) => certificate,
            Err(error) => return Outcome::Failed(error, wait),
        };
        let storing = self.store.clone();
        let stored = on_disk(move || {
            let stored = storing.put_certificate(&certificate);
            // It matters little if this stays: whoever finds a fresh certificate does not look there.
            let _ = storing.clear_trouble(certificate.names());
            Ok((stored, certificate))
        });
        match stored.await {
            Ok((Ok(()), certificate)) => Outcome::Got(certificate),
            Ok((Err(problem), certificate)) => {
                // It is served nevertheless; the next start orders again.
                warn!("acme: the certificate for {} cannot be kept: {problem}", certificate.names());
                Outcome::Got(certificate)
            }
            Err(problem) => Outcome::Failed(problem.into(), None),
        }
    }

    /// What another divisi has done about it since we looked last.
    async fn somebody_elses(&self, wish: &Wish) -> Option<Outcome> {
        let (store, names) = (self.store.clone(), wish.names.clone());
        let seen: Result<_, StoreError> =
            on_disk(move || Ok((store.certificate(&names), store.trouble(&names)?))).await;
        let (certificate, trouble) = match seen {
            Ok(seen) => seen,
            Err(problem) => {
                // A spoilt file is written anew by what follows.
                warn!("acme: {problem}");
                return None;
            }
        };
        match certificate {
            Ok(Some(certificate)) if is_fresh(&certificate, wish.held) => return Some(Outcome::Found(certificate)),
            Ok(_) => {}
            Err(problem) => warn!("acme: {problem}"),
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let is_news = |trouble: &StoredTrouble| trouble.next > now && trouble.times > wish.failures;
        trouble.filter(is_news).map(Outcome::FailedElsewhere)
    }

    /// By the ways that are wanted, one after the other, until one succeeds. `wait` becomes what the authority asked for.
    async fn by_any_way(&self, wish: &Wish, wait: &mut Option<Duration>) -> Result<Certificate, AcmeError> {
        let mut failures = Vec::new();
        for &kind in self.kinds(&wish.names) {
            match self.with_account(wish, kind, wait).await {
                Ok(certificate) => return Ok(certificate),
                Err(error @ (AcmeError::Unverified { .. } | AcmeError::NoWay { .. })) => {
                    info!("acme: {} not by {}: {error}", wish.names, kind.name());
                    failures.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(AcmeError::every(failures))
    }

    fn kinds(&self, names: &NameSet) -> &'static [Kind] {
        let only_wildcards = names.iter().all(|name| name.starts_with("*."));
        match self.settings.challenge {
            _ if only_wildcards => &[Kind::Dns01],
            None => &[Kind::Http01, Kind::TlsAlpn01],
            Some(Kind::Http01) => &[Kind::Http01],
            Some(Kind::TlsAlpn01) => &[Kind::TlsAlpn01],
            Some(Kind::Dns01) => &[Kind::Dns01],
        }
    }

    /// An account that the authority does not know any more is made anew, once.
    async fn with_account(
        &self,
        wish: &Wish,
        kind: Kind,
        wait: &mut Option<Duration>,
    ) -> Result<Certificate, AcmeError> {
        for is_last in [false, true] {
            let (wire, session) = Session::open(&self.settings, &self.store, &self.holder).await;
            let ordered = match session {
                Ok(session) => match self.with_session(&session, wish, kind).await {
                    Err(error) if error.is_unknown_account() && !is_last => {
                        info!("acme: the authority does not know our account any more; it is made anew");
                        let (store, url) = (self.store.clone(), session.account.id().to_owned());
                        on_disk(move || store.forget_account(&url)).await?;
                        continue;
                    }
                    ordered => ordered,
                },
                Err(error) => Err(error),
            };
            *wait = if ordered.is_err() { wire.asked_to_wait() } else { None };
            return ordered;
        }
        unreachable!("the last one returns")
    }

    async fn with_session(&self, session: &Session, wish: &Wish, kind: Kind) -> Result<Certificate, AcmeError> {
        let order =
            |replaces| order::certificate(session, &self.settings, self.stage.as_ref(), &wish.names, kind, replaces);
        match wish.replaces.as_ref() {
            None => order(None).await,
            // An authority that has no renewal information, or knows nothing of the old certificate, gives a new one all the
            // same.
            Some(id) => match order(Some(id)).await {
                Err(error) if error.may_be_the_replaced_one() => order(None).await,
                ordered => ordered,
            },
        }
    }

    /// When the authority would like a certificate to be renewed. Without an account nobody is asked.
    pub(crate) async fn ask(
        &self,
        id: &CertificateIdentifier<'static>,
    ) -> Result<Option<(Window, Duration)>, AcmeError> {
        match Session::existing(&self.settings, &self.store).await? {
            Some(session) => session.wish(id).await,
            None => Ok(None),
        }
    }
}

/// Moves the lease on as long as it is ours.
async fn lost(lease: &Arc<Lease>) {
    loop {
        sleep(lease.beat()).await;
        let moving = Arc::clone(lease);
        match on_disk(move || moving.renew(SystemTime::now())).await {
            Ok(true) => {}
            Ok(false) => return,
            // Perhaps it can be written next time; until then it is ours.
            Err(problem) => warn!("acme: {problem}"),
        }
    }
}

/// Whether it is newer than the one that we have, and not to be renewed by itself.
fn is_fresh(certificate: &Certificate, held: Option<SystemTime>) -> bool {
    let validity = certificate.validity();
    held.is_none_or(|held| held < validity.from) && renewal(validity, None, 0.0, Duration::ZERO) > SystemTime::now()
}
