//! What the fields of a service of TCP put in its place.

use divisi_model::speech::ProxyHeader;

use crate::native::port_number;
use crate::traefik::draft::Said;
use crate::traefik::scalar;
use crate::values;
use crate::verdict::Outcome;

/// A service of TCP while it is read.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) port: Option<u16>,
    pub(crate) proxy_header: Option<ProxyHeader>,
    /// Its replicas are to be spoken to inside TLS.
    pub(crate) is_secure: bool,
    /// Replicas are asked whether they accept a connection.
    pub(crate) is_checked: bool,
}

/// Traefik fills in the address of a container for its first server only.
fn is_first(said: Said<'_>) -> bool {
    matches!(said.index, "" | "[0]")
}

const NOT_FIRST: &str = "a container is one server; only the first one counts";

pub(crate) fn port(service: &mut Service, said: Said<'_>) -> Outcome {
    if !is_first(said) {
        return Outcome::Ignored(NOT_FIRST.to_owned());
    }
    port_number(said.value).map(|port| service.port = Some(port)).into()
}

pub(crate) fn tls(service: &mut Service, said: Said<'_>) -> Outcome {
    if !is_first(said) {
        return Outcome::Ignored(NOT_FIRST.to_owned());
    }
    scalar::boolean(said.value).map(|is_secure| service.is_secure = is_secure).into()
}

/// Turned on without more, it is version 2.
pub(crate) fn proxy_protocol(service: &mut Service, said: Said<'_>) -> Outcome {
    if scalar::turns_on(said.value) {
        service.proxy_header.get_or_insert(ProxyHeader::V2);
        return Outcome::Used;
    }
    service.proxy_header = None;
    scalar::boolean(said.value).map(drop).into()
}

pub(crate) fn proxy_version(service: &mut Service, said: Said<'_>) -> Outcome {
    service.proxy_header = Some(match said.value {
        "1" => ProxyHeader::V1,
        "2" => ProxyHeader::V2,
        _ => return Outcome::wrong("neither 1 nor 2"),
    });
    Outcome::Used
}

/// A negative one means for ever.
pub(crate) fn termination(_: &mut Service, said: Said<'_>) -> Outcome {
    let read = values::number(said.value, &(i64::MIN..=i64::MAX)).map(drop);
    let read = read.or_else(|_| scalar::duration(said.value).map(drop));
    match read {
        Ok(()) => Outcome::Ignored(
            "one side may go on for as long as it likes when the other has ended, until nothing comes for \
             --stream-timeout"
                .to_owned(),
        ),
        Err(accepted) => Outcome::wrong(accepted),
    }
}

pub(crate) fn transport(_: &mut Service, _: Said<'_>) -> Outcome {
    Outcome::Ignored("transports are made in files of Traefik, which are not read".to_owned())
}

pub(crate) fn check(service: &mut Service, said: Said<'_>) -> Outcome {
    service.is_checked = scalar::turns_on(said.value);
    if service.is_checked || scalar::boolean(said.value) == Ok(false) {
        return Outcome::Used;
    }
    Outcome::wrong("not true; Traefik reads everything else as no health check")
}

/// How often, how long, at which port, with which words.
pub(crate) fn check_detail(service: &mut Service, _: Said<'_>) -> Outcome {
    service.is_checked = true;
    Outcome::Approximated("replicas are asked for a connection, as often as divisi.health.interval says".to_owned())
}
