//! What is decided of TLS before the first connection: where it listens, if it does, and where certificates come from.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use tracing::warn;

use crate::serve::StartError;
use crate::settings::{Folder, Secure};

/// What is decided of TLS.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Where it listens; None for nowhere.
    pub(crate) listen: Option<SocketAddr>,
    /// Where certificates come from. Without TLS for clients only the authorities of replicas are read.
    pub(crate) certificates: divisi_certificates::Settings,
    /// How those are ordered that nobody else has; None where none are.
    pub(crate) acme: Option<divisi_acme::Settings>,
}

/// Decides.
///
/// # Errors
/// The user wants TLS, and nobody can listen there; or names roots of an authority that are none.
pub(crate) fn prepare(settings: &Secure) -> Result<Prepared, StartError> {
    let listen = listen(settings)?;
    if listen.is_none() {
        if settings.acme.is_wanted() {
            warn!("no certificates are ordered: nobody listens by TLS who could use them");
        }
        return Ok(Prepared { listen, certificates: divisi_certificates::Settings::default(), acme: None });
    }
    let unfit =
        |source| StartError::AcmeRoots { path: settings.acme.roots().map(Path::to_owned).unwrap_or_default(), source };
    let acme = settings.acme.settings(&settings.data.path).map_err(unfit)?;
    warn_missing(&settings.certificates, "certificates", "no certificates are read from files until it is");
    warn_missing(&settings.data, "data", "what should outlive divisi does not");
    if acme.is_some() && !settings.data.path.is_dir() {
        warn!(
            "--data {}: there is no such folder; certificates that are ordered are lost with this container, and authorities limit \
             how many they give: mount a volume there",
            settings.data.path.display()
        );
    }
    let certificates = divisi_certificates::Settings {
        folder: Some(settings.certificates.path.clone()),
        data: Some(settings.data.path.clone()),
        local_authority: settings.local_authority,
        acme: acme.is_some(),
    };
    Ok(Prepared { listen, certificates, acme })
}

fn listen(settings: &Secure) -> Result<Option<SocketAddr>, StartError> {
    let Some(addr) = &settings.listen else { return Ok(None) };
    // Tried without sharing, as workers share the port among each other and would with another divisi, too.
    let tried = addr.to_listen().and_then(|to| TcpListener::bind(to).map(|_| to));
    match tried {
        Ok(to) => Ok(Some(to)),
        Err(source) if settings.is_asked => Err(StartError::ListenTls { addr: addr.clone(), source }),
        Err(problem) => {
            warn!(
                "no TLS: cannot listen at {addr}: {problem}; requests are served without it. Name another address \
                 (--listen-tls, DIVISI_LISTEN_TLS), or off"
            );
            Ok(None)
        }
    }
}

fn warn_missing(folder: &Folder, flag: &str, so: &str) {
    if folder.is_asked && !folder.path.is_dir() {
        warn!("--{flag} {}: there is no such folder; {so}", folder.path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::HostPort;

    fn settings(listen: Option<HostPort>, is_asked: bool) -> Secure {
        Secure { listen, is_asked, local_authority: true, ..Secure::default() }
    }

    #[test]
    fn a_port_that_is_taken_matters_to_who_asked_for_it() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let addr = taken.local_addr().expect("bound");
        let wanted = || Some(HostPort::of(addr));
        let error = prepare(&settings(wanted(), true)).expect_err("it is taken").to_string();
        assert!(error.contains(&addr.to_string()) && error.contains("--listen-tls"), "{error}");
        let without = prepare(&settings(wanted(), false)).expect("nobody asked for it");
        assert!(without.listen.is_none() && !without.certificates.local_authority);
        drop(taken);
        let with = prepare(&settings(wanted(), false)).expect("it is free");
        assert!(with.listen == Some(addr) && with.certificates.local_authority);
        assert!(prepare(&settings(None, true)).expect("off").listen.is_none());
    }
}
