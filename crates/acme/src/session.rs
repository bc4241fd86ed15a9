//! The way to the authority for one task: the account, loaded or made, and what the authority asked of us meanwhile.
//!
//! A session is opened for each order and closed after it. That costs one look at the authority's directory, and gives its
//! present URLs; nothing is kept that could grow old.

use std::time::Duration;

use instant_acme::{Account, AccountBuilder, CertificateIdentifier, Error, ExternalAccountKey, NewAccount};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::info;

use crate::error::AcmeError;
use crate::lease::{Taken, take};
use crate::schedule::Window;
use crate::settings::Settings;
use crate::store::{Store, StoreError, StoredAccount};
use crate::wire::Wire;

/// How often a request is repeated when the authority does not like its nonce (RFC 8555 6.5). instant-acme repeats each of
/// these three times by itself; an authority that refuses nine of ten still gets through.
pub(crate) const NONCES: usize = 20;

/// Repeats what is refused for its nonce.
macro_rules! with_nonces {
    ($call:expr) => {{
        let mut left = $crate::session::NONCES;
        loop {
            match $call {
                Err(error) if left > 0 && $crate::session::is_bad_nonce(&error) => left -= 1,
                other => break other,
            }
        }
    }};
}
pub(crate) use with_nonces;

pub(crate) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:badNonce"))
}

/// The authority, and who we are to it.
pub(crate) struct Session {
    pub(crate) account: Account,
    /// The way to it, which knows what it asked of us.
    pub(crate) wire: Wire,
}

/// Runs what blocks on a thread for that.
pub(crate) async fn on_disk<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(act).await.expect("what is done on disk does not panic, and the runtime outlives its tasks")
}

impl Session {
    /// Speaks to the authority as the account in the folder, which is made if there is none.
    pub(crate) async fn open(settings: &Settings, store: &Store, holder: &str) -> (Wire, Result<Self, AcmeError>) {
        let wire = Wire::new(&settings.roots, settings.pace.patience);
        let opened = match existing(settings, store, &wire).await {
            Ok(None) => make_alone(settings, store, holder, &wire).await,
            Ok(Some(account)) => Ok(account),
            Err(error) => Err(error),
        };
        (wire.clone(), opened.map(|account| Self { account, wire }))
    }

    /// Speaks as the account in the folder, or not at all.
    pub(crate) async fn existing(settings: &Settings, store: &Store) -> Result<Option<Self>, AcmeError> {
        let wire = Wire::new(&settings.roots, settings.pace.patience);
        let account = existing(settings, store, &wire).await?;
        Ok(account.map(|account| Self { account, wire }))
    }

    /// When the authority would like that certificate to be renewed, and how soon it wants to be asked again. None where it
    /// has no such wishes (RFC 9773).
    pub(crate) async fn wish(&self, id: &CertificateIdentifier<'_>) -> Result<Option<(Window, Duration)>, AcmeError> {
        match self.account.renewal_info(id).await {
            Ok((info, again)) => {
                let window = info.suggested_window;
                Ok(Some((Window { start: window.start.into(), end: window.end.into() }, again)))
            }
            Err(Error::Unsupported(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

async fn existing(settings: &Settings, store: &Store, wire: &Wire) -> Result<Option<Account>, AcmeError> {
    let reading = store.clone();
    let Some(stored) = on_disk(move || reading.account()).await? else { return Ok(None) };
    let is_known = stored.contact == settings.email;
    let account = builder(wire).from_credentials(stored.credentials).await?;
    if !is_known {
        let contact = [contact(settings)];
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        with_nonces!(account.update_contacts(&contact).await)?;
        let rewriting = store.clone();
        let email = settings.email.clone();
        on_disk(move || match rewriting.account()? {
            Some(stored) => rewriting.put_account(&StoredAccount { contact: email, ..stored }),
            None => Ok(()),
        })
        .await?;
    }
    Ok(Some(account))
}

/// Of several divisi, or several orders, one makes the account, and the others take it.
async fn make_alone(settings: &Settings, store: &Store, holder: &str, wire: &Wire) -> Result<Account, AcmeError> {
    // A name of its own for each try: orders of one divisi must wait for each other, too.
    let holder = format!("{holder}-{:016x}", fastrand::u64(..));
    let length = settings.pace.lease;
    loop {
        let (leases, holder) = (store.leases(), holder.clone());
        let now = std::time::SystemTime::now();
        let taken = on_disk(move || take(&leases, ACCOUNT_LEASE, &holder, length, now)).await?;
        match taken {
            Taken::Ours(lease) => {
                let made = match existing(settings, store, wire).await {
                    Ok(None) => make(settings, store, wire).await,
                    Ok(Some(account)) => Ok(account),
                    Err(error) => Err(error),
                };
                on_disk(move || lease.release()).await?;
                return made;
            }
            Taken::Anothers(left) => sleep(left.min(LOOK_AGAIN)).await,
        }
    }
}

/// No set of names is called so: it has no dot.
const ACCOUNT_LEASE: &str = "account";
const LOOK_AGAIN: Duration = Duration::from_millis(500);

async fn make(settings: &Settings, store: &Store, wire: &Wire) -> Result<Account, AcmeError> {
    let contact = contact(settings);
    // RFC 8555 7.3: agreeing is what the user does by naming an address, and the documentation says so.
    let wanted = NewAccount { contact: &[&contact], terms_of_service_agreed: true, only_return_existing: false };
    let external = settings.external.as_ref();
    let external = external.map(|one| ExternalAccountKey::new(one.kid.clone(), one.hmac.reveal()));
    let directory = || settings.directory.clone();
    let made = with_nonces!(builder(wire).create(&wanted, directory(), external.as_ref()).await);
    let (account, credentials) = made?;
    let (storing, contact) = (store.clone(), settings.email.clone());
    let url = account.id().to_owned();
    on_disk(move || storing.put_account(&StoredAccount { contact, url, credentials })).await?;
    info!("acme: made an account at {} for {}", settings.directory, settings.email);
    Ok(account)
}

fn contact(settings: &Settings) -> String {
    format!("mailto:{}", settings.email)
}

fn builder(wire: &Wire) -> AccountBuilder {
    Account::builder_with_http(Box::new(wire.clone()))
}
