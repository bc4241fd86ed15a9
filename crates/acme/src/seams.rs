//! What this room asks of others: to show something to the authority, and to take certificates.

use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::certificate::Certificate;
use crate::names::NameSet;

/// Where the authority looks when it verifies that a name is ours. Everything shown is taken down again.
pub trait Stage: Send + Sync + 'static {
    /// From now on `/.well-known/acme-challenge/<token>` answers with `text`, whatever the host (RFC 8555 8.3).
    fn show_token(&self, token: &str, text: &str);

    /// That token is unknown again.
    fn hide_token(&self, token: &str);

    /// From now on a TLS connection to `name` with the protocol `acme-tls/1`, and only that one, sees this certificate
    /// (RFC 8737 3).
    fn show_certificate(&self, name: &str, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>);

    /// There is no such certificate for `name` any more.
    fn hide_certificate(&self, name: &str);
}

/// Where certificates go.
pub trait Shelf: Send + Sync + 'static {
    /// Here is one. Where an earlier one has a name of it, this one is meant.
    fn put(&self, certificate: &Certificate);

    /// It is over, and nobody will renew it.
    fn remove(&self, certificate: &Certificate);

    /// Whether the first certificate of these names is on its way: connections may wait for it.
    fn coming(&self, names: &NameSet, is_coming: bool);
}
