//! Whether a request has come in by the right door, and where the other one is.

use divisi_http1::RequestHead;
use divisi_model::route::{Asked, Protection, Redirect, Route, RoutingTable, When};
use divisi_tls::{Source, Vault, name};

use crate::error::Error;
use crate::identity::Identity;
use crate::worker::Worker;

/// What an ACME authority asks for (RFC 8555 8.3), which is answered before anything else and never sent into TLS.
pub(crate) mod challenge {
    use crate::error::Error;
    use crate::worker::Worker;

    const PATH: &[u8] = b"/.well-known/acme-challenge/";

    /// Whether the path is one of those that such an authority asks for.
    ///
    /// # Errors
    /// It is one that was ordered here: the error is the answer.
    pub(crate) fn answer(path: &[u8], worker: &Worker) -> Result<bool, Error> {
        let Some(token) = path.strip_prefix(PATH) else { return Ok(false) };
        let token = std::str::from_utf8(token).ok().and_then(|token| worker.vault.token(token));
        token.map_or(Ok(true), |authorization| Err(Error::Token(authorization)))
    }
}

/// A request without TLS that no route has is sent into TLS, if a route there has it and says so.
pub(crate) fn open_inside(
    routes: &RoutingTable,
    question: &impl Asked,
    request: &RequestHead,
    worker: &Worker,
) -> Result<(), Error> {
    if question.is_secure() || routes.is_empty() {
        return Ok(());
    }
    let way = routes.find_inside_tls(question).map(Route::way);
    way.and_then(|way| way.redirect(false)).map_or(Ok(()), |inside| redirect(inside, request, worker))
}

/// Who speaks without TLS where it is expected is sent into it, at the same host and port.
///
/// # Errors
/// The redirect itself.
pub(crate) fn mind_the_entrance(identity: &Identity, request: &RequestHead) -> Result<(), Error> {
    let host = request.authority().filter(|_| identity.is_misled).and_then(|host| std::str::from_utf8(host).ok());
    // RFC 9110 15.4.9: for good, and with the same method.
    host.map_or(Ok(()), |host| Err(Error::Elsewhere { status: 308, location: location(host, 443, request) }))
}

/// Why a request is not sent into TLS, and what to do.
const NO_HOST: &str = "it names no host at which TLS could be asked for; send it with Host, or inside TLS";
const NO_TLS: &str =
    "nobody listens for TLS, as divisi's log says; free that address or name another one (--listen-tls)";

/// Sends a request into TLS, if there is TLS and what the redirect depends on is there.
///
/// # Errors
/// The redirect itself; or that nobody can be sent, where nobody may be served without TLS.
pub(crate) fn redirect(redirect: &Redirect, request: &RequestHead, worker: &Worker) -> Result<(), Error> {
    let host = request.authority().map(without_port).and_then(|host| std::str::from_utf8(host).ok());
    let host = match (host, worker.settings.listen_tls) {
        (Some(host), Some(_)) => host,
        (_, None) if redirect.when == When::Always => return Err(Error::InClear(NO_TLS)),
        (None, _) if redirect.when == When::Always => return Err(Error::InClear(NO_HOST)),
        _ => return Ok(()),
    };
    if !has_certificate(redirect.when, host, &worker.vault) {
        return Ok(());
    }
    let port = redirect.port.unwrap_or(worker.settings.public_tls_port);
    Err(Error::Elsewhere { status: redirect.status(request.method()), location: location(host, port, request) })
}

/// The same request inside TLS, at that host and port (RFC 9110 4.2.2: 443 is not said).
pub(crate) fn location(host: &str, port: u16, request: &RequestHead) -> String {
    let mut location = format!("https://{host}");
    if port != 443 {
        location.push_str(&format!(":{port}"));
    }
    let path = request.target().path;
    if path.first() != Some(&b'/') {
        location.push('/');
    }
    for byte in path.iter().filter(|_| path != b"*") {
        match byte {
            b'!'..=b'~' => location.push(char::from(*byte)),
            _ => location.push_str(&format!("%{byte:02X}")),
        }
    }
    location
}

/// What the authority of a request says of its host (RFC 3986 3.2), an address of IPv6 with its brackets.
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    let port = authority.iter().rposition(|byte| *byte == b':');
    let is_within = |at: usize| authority[at..].contains(&b']');
    port.filter(|at| !is_within(*at)).map_or(authority, |at| &authority[..at])
}

fn has_certificate(when: When, host: &str, vault: &Vault) -> bool {
    if when == When::Always {
        return true;
    }
    let ring = vault.load();
    let own = name::normal(host).and_then(|host| ring.own(&host).cloned());
    own.is_some_and(|own| *own.source() != Source::Local)
        || when == When::CertifiedOrDefault && ring.default.as_ref().is_some()
}

/// RFC 9110 15.5.20: what a route demands of clients was demanded of this one when its connection was made, for whatever name.
pub(crate) fn check_client(protection: &Protection, identity: &Identity) -> Result<(), Error> {
    let Some(demanded) = &protection.client_authority else { return Ok(()) };
    let shown = identity.seal.as_ref().and_then(|seal| seal.client_authority.as_ref());
    if shown == Some(demanded) { Ok(()) } else { Err(Error::Misdirected) }
}
