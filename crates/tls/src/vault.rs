//! The cell in which certificates are published and chosen: few write, any number read, and nobody waits.

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoClientAuth;
use rustls::{Error, ServerConfig};
use tokio::sync::{mpsc, oneshot, watch};

use crate::certificate::CertificateError;
use crate::challenges::{self, Challenges, PROTOCOL};
use crate::client_authority::{AuthorityError, ClientAuthority};
use crate::configs::{self, Configs, Resolver};
use crate::keyring::{Demand, Keyring};
use crate::name;
use crate::status::Status;
use crate::upstream::Upstreams;

/// The record that refuses a handshake before it began, because nobody here has that name: a fatal alert `unrecognized_name`
/// (RFC 8446 6.2), which is written to the socket as it is.
pub const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// What is spoken inside of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/2 or HTTP/1.1, as ALPN finds out.
    #[default]
    Http,
    /// Anything: what clients say by ALPN is passed over.
    Stream,
}

/// What becomes of a handshake.
#[derive(Clone, Debug)]
pub enum Choice {
    /// It is done.
    Serve {
        /// How, for [`Accepted::into_connection`](rustls::server::Accepted::into_connection).
        config: Arc<ServerConfig>,
        /// The file with the authorities against which the client is checked: to be kept with the connection. A request on it
        /// for a host that demands another one is misdirected (RFC 9110 15.5.20).
        client_authority: Option<Arc<str>>,
    },
    /// It is done for an ACME authority that looks whether the name is ours (RFC 8737 3). Nothing follows: the connection is
    /// closed afterwards.
    Challenge(Arc<ServerConfig>),
    /// The certificate for that name is on its way, or it is not known yet which names there are: ask again when [`Vault::news`] has changed.
    Soon,
    /// Nobody here has that name, or its clients cannot be checked: [`UNRECOGNIZED_NAME`].
    Refuse,
}

/// The cell in which certificates are published and chosen.
#[derive(Debug)]
pub struct Vault {
    ring: Arc<ArcSwap<Keyring>>,
    resolver: Arc<Resolver>,
    /// For who is asked for nothing.
    open: Configs,
    challenges: Arc<Challenges>,
    challenge: Arc<ServerConfig>,
    upstreams: Upstreams,
    root: ArcSwapOption<String>,
    news: watch::Sender<()>,
    demands: OnceLock<mpsc::Sender<Box<str>>>,
    questions: OnceLock<mpsc::Sender<Question>>,
}

/// May a name that nobody here has get a certificate?
#[derive(Debug)]
pub struct Question {
    /// The name, in its [`normal`](crate::name::normal) form.
    pub name: Box<str>,
    /// Where the answer goes: with a yes [`Vault::choose`] says [`Choice::Soon`] from then on.
    pub answer: oneshot::Sender<bool>,
}

/// Most questions that wait. Who comes then is refused, as if nobody could be asked.
const QUESTIONS: usize = 64;

/// Most names that wait to be signed. Who finds no place asks again when others were.
const DEMANDS: usize = 64;

impl Vault {
    /// A vault with nothing in it. Whoever comes before the first [`publish`](Self::publish) waits.
    ///
    /// # Errors
    /// The machine gives no random numbers for the keys of tickets.
    pub fn new() -> Result<Arc<Self>, Error> {
        let ring = Arc::new(ArcSwap::from_pointee(Keyring { is_early: true, ..Keyring::default() }));
        let resolver = Arc::new(Resolver { ring: Arc::clone(&ring) });
        let challenges = Arc::new(Challenges::default());
        let (news, _) = watch::channel(());
        Ok(Arc::new(Self {
            ring,
            open: Configs::new(Arc::new(NoClientAuth), Arc::clone(&resolver))?,
            resolver,
            challenge: Arc::new(configs::challenge(Arc::clone(&challenges) as _)?),
            challenges,
            upstreams: Upstreams::new(news.clone())?,
            root: ArcSwapOption::empty(),
            news,
            demands: OnceLock::new(),
            questions: OnceLock::new(),
        }))
    }

    /// What becomes of a handshake: `name` is what the client calls us, `protocols` what it offers by ALPN.
    pub fn choose<'a>(
        &self,
        name: Option<&str>,
        mut protocols: impl Iterator<Item = &'a [u8]>,
        speaks: Speaks,
    ) -> Choice {
        let name = match name.map(name::normal) {
            Some(None) => return Choice::Refuse,
            Some(Some(name)) => Some(name),
            None => None,
        };
        if protocols.any(|protocol| protocol == PROTOCOL) {
            return self.challenged(name.as_deref());
        }
        let ring = self.ring.load();
        if ring.is_early {
            return Choice::Soon;
        }
        let (configs, client_authority) = match name.as_deref().and_then(|name| ring.demand(name)) {
            Some(Demand::Unknown(_)) => return Choice::Refuse,
            Some(Demand::Signed(authority)) => (&authority.configs, Some(Arc::clone(authority.name()))),
            None => (&self.open, None),
        };
        let config = match speaks {
            Speaks::Http => &configs.http,
            Speaks::Stream => &configs.stream,
        };
        let serve = || Choice::Serve { config: Arc::clone(config), client_authority };
        match name.as_deref() {
            Some(name) if ring.own(name).is_none() && ring.is_coming(name) => Choice::Soon,
            name if ring.find(name).is_some() => serve(),
            Some(name) if ring.is_on_demand(name) => {
                // Where there is no place now, there is when the next certificates are there, and all are asked again.
                let _ = self.demands.get().map(|demands| demands.try_send(name.into()));
                Choice::Soon
            }
            _ => Choice::Refuse,
        }
    }

    fn challenged(&self, name: Option<&str>) -> Choice {
        let certificates = self.challenges.certificates.load();
        match name {
            Some(name) if certificates.contains_key(name) => Choice::Challenge(Arc::clone(&self.challenge)),
            _ => Choice::Refuse,
        }
    }

    /// The names for which somebody waits, among those of [`Keyring::on_demand`]. There is one who signs: None for the second.
    pub fn demanded(&self) -> Option<mpsc::Receiver<Box<str>>> {
        let (demands, demanded) = mpsc::channel(DEMANDS);
        self.demands.set(demands).ok().map(|()| demanded)
    }

    /// Tells of changes. Subscribe first and [`choose`](Self::choose) second, or the change may come between.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// How replicas are spoken to inside TLS.
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// The answer to whoever asks for `/.well-known/acme-challenge/<token>` (RFC 8555 8.3); None where nobody waits for one.
    pub fn token(&self, token: &str) -> Option<Arc<str>> {
        self.challenges.tokens.load().get(token).cloned()
    }

    /// Asks whether `name`, for which [`choose`](Self::choose) said [`Choice::Refuse`], may get a certificate: after a yes it is
    /// chosen again. None where nobody can be asked, or too many ask. Who dropped the sender has said no.
    pub fn ask(&self, name: &str) -> Option<oneshot::Receiver<bool>> {
        let questions = self.questions.get()?;
        let (answer, answered) = oneshot::channel();
        let name = name::normal(name)?.into();
        questions.try_send(Question { name, answer }).ok().map(|()| answered)
    }

    /// The questions of handshakes, for whoever answers them. There is one who does: None for the second.
    pub fn questions(&self) -> Option<mpsc::Receiver<Question>> {
        let (asks, questions) = mpsc::channel(QUESTIONS);
        self.questions.set(asks).ok().map(|()| questions)
    }

    /// The certificates as they are now.
    pub fn load(&self) -> Guard<Arc<Keyring>> {
        self.ring.load()
    }

    /// What certificates there are, for people.
    pub fn status(&self) -> Status {
        Status::of(&self.ring.load())
    }

    /// The certificate of the local authority, as PEM, where there is one.
    pub fn root(&self) -> Option<Arc<String>> {
        self.root.load_full()
    }

    /// Swaps all certificates at once. Sessions can still be resumed. There is one writer, the change's way.
    pub fn publish(&self, next: Keyring) {
        self.ring.store(Arc::new(next));
        self.news.send_replace(());
    }

    /// Authorities of clients, for a [`Demand`]: `file` is the path that the label names, `pem` what is in it. Made anew only
    /// where the file has changed, as it ends the sessions of those who were checked against the last one.
    ///
    /// # Errors
    /// It is no PEM with certificates of authorities.
    pub fn client_authority(&self, file: Arc<str>, pem: &[u8]) -> Result<Arc<ClientAuthority>, AuthorityError> {
        ClientAuthority::new(file, pem, Arc::clone(&self.resolver)).map(Arc::new)
    }

    /// Says which certificate the local authority has.
    pub fn set_root(&self, pem: String) {
        self.root.store(Some(Arc::new(pem)));
    }

    /// From now on `token` is answered with `authorization`.
    pub fn set_token(&self, token: &str, authorization: &str) {
        challenges::with(&self.challenges.tokens, token, Some(&authorization.into()));
    }

    /// `token` is answered no more.
    pub fn remove_token(&self, token: &str) {
        challenges::with(&self.challenges.tokens, token, None);
    }

    /// From now on an ACME authority that asks by ALPN whether `name` is ours gets this certificate (RFC 8737 3).
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn set_challenge(
        &self,
        name: &str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), CertificateError> {
        let signing = challenges::signing(certificate, key)?;
        if let Some(name) = name::normal(name) {
            challenges::with(&self.challenges.certificates, &name, Some(&signing));
        }
        Ok(())
    }

    /// The challenge for `name` is over.
    pub fn remove_challenge(&self, name: &str) {
        if let Some(name) = name::normal(name) {
            challenges::with(&self.challenges.certificates, &name, None);
        }
    }
}
