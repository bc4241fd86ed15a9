//! The middlewares that are about https: `redirectScheme`, and of `headers` the fields of RFC 6797.

use std::sync::Arc;

use divisi_model::route::{Redirect, When};

use super::scalar;
use crate::middleware::Effect;
use crate::native::port_number;
use crate::values::number;
use crate::verdict::Outcome;

/// What becomes of one field.
pub(super) fn field(kind: &str, field: &str, value: &str) -> Outcome {
    let used = |read: Result<(), String>| Outcome::from(read);
    match (kind, field) {
        ("redirectscheme", "scheme") if value.eq_ignore_ascii_case("https") => Outcome::Used,
        ("redirectscheme", "scheme") if value.eq_ignore_ascii_case("http") => {
            Outcome::Ignored("nobody is sent out of TLS".to_owned())
        }
        ("redirectscheme", "scheme") => Outcome::wrong("neither https nor http; routes that name it are closed"),
        ("redirectscheme", "permanent") => used(scalar::yes(value)),
        ("redirectscheme", "port") => used(port_number(value).map(drop)),
        ("headers", "stsseconds") => used(seconds(value).map(drop)),
        ("headers", "stsincludesubdomains" | "stspreload" | "sslredirect" | "ssltemporaryredirect") => {
            used(scalar::yes(value))
        }
        ("headers", "forcestsheader") => match scalar::yes(value) {
            Ok(()) => Outcome::Ignored(
                "browsers pass it over outside of TLS (RFC 6797 8.1), and so it is not sent".to_owned(),
            ),
            Err(accepted) => Outcome::wrong(accepted),
        },
        ("headers", _) => Outcome::Approximated("headers are not changed yet; routes are served without it".to_owned()),
        _ => Outcome::wrong(format!("{kind} has no such field; there are scheme, permanent and port")),
    }
}

/// What is done about such a middleware; `value` gives the text of a field, empty where it is not said.
pub(super) fn effect<'a>(kind: &str, value: impl Fn(&str) -> &'a str) -> Effect {
    let is = |field: &str| scalar::boolean(value(field)) == Ok(true);
    if kind == "headers" {
        // As in Traefik, where it comes from Go's library of that kind: for good, unless it is said otherwise.
        let redirect = is("sslredirect").then(|| statuses(!is("ssltemporaryredirect"), None));
        return Effect::Https {
            redirect,
            hsts: hsts(value("stsseconds"), is("stsincludesubdomains"), is("stspreload")),
        };
    }
    let is_to_https = value("scheme").eq_ignore_ascii_case("https");
    if !is_to_https && !value("scheme").eq_ignore_ascii_case("http") {
        return Effect::Closes("might send everybody into TLS (redirectscheme.scheme), and cannot be read".to_owned());
    }
    // The usual port is not named.
    let port = port_number(value("port")).ok().filter(|port| *port != 443);
    Effect::Https { redirect: is_to_https.then(|| statuses(is("permanent"), port)), hsts: None }
}

/// Those of Traefik: methods other than GET keep their body.
fn statuses(is_permanent: bool, port: Option<u16>) -> Redirect {
    let (status, other_status) = if is_permanent { (301, 308) } else { (302, 307) };
    Redirect { status, other_status, port, when: When::Always }
}

fn seconds(text: &str) -> Result<u64, String> {
    number(text, &(0..=u64::from(u32::MAX)))
}

/// None where it is for no time, as in Traefik.
fn hsts(text: &str, with_subdomains: bool, preload: bool) -> Option<Arc<str>> {
    let seconds = seconds(text).ok().filter(|seconds| *seconds > 0)?;
    let subdomains = if with_subdomains { "; includeSubDomains" } else { "" };
    let preload = if preload { "; preload" } else { "" };
    Some(format!("max-age={seconds}{subdomains}{preload}").into())
}
