//! What the variables of nginx-proxy say of TLS.

use std::sync::Arc;

use divisi_model::route::{Door, Protection, Redirect, When};

use super::Place;
use super::checks;
use super::variables::Draft;
use crate::door;
use crate::native::port_number;
use crate::verdict::Outcome;

/// What they say.
#[derive(Clone, Debug, Default)]
pub(super) struct Tls {
    method: Method,
    /// The status for methods that may have a body.
    other_status: Option<u16>,
    port: Option<u16>,
    /// `default.crt` counts for no name but its own.
    distrusts_default: bool,
    hsts: Option<Arc<str>>,
    /// The names of the certificate.
    names: Vec<Arc<str>>,
    /// The name of its file.
    file: Option<Arc<str>>,
    /// Clients are asked for certificates.
    asks: bool,
}

/// What becomes of those who come without TLS, and of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Method {
    /// They are sent into it, where there is a certificate.
    #[default]
    Redirect,
    NoRedirect,
    NoHttp,
    NoHttps,
}

impl Tls {
    /// The door of a place.
    pub(super) fn door(&self) -> Door {
        match self.method {
            Method::Redirect | Method::NoRedirect => Door::Any,
            Method::NoHttp => Door::Secure,
            Method::NoHttps => Door::Plain,
        }
    }

    /// Where those go who come without TLS. nginx-proxy has 301 for everybody, which loses the bodies of requests.
    pub(super) fn redirect(&self) -> Option<Redirect> {
        let when = if self.distrusts_default { When::Certified } else { When::CertifiedOrDefault };
        let (status, other_status) = (301, self.other_status.unwrap_or(301));
        (self.method == Method::Redirect).then_some(Redirect { status, other_status, port: self.port, when })
    }

    /// What a place wants of TLS.
    ///
    /// # Errors
    /// Why it serves nobody.
    pub(super) fn protection(&self, place: &Place) -> Result<Protection, String> {
        let name = self.file.as_deref().unwrap_or(&place.host);
        let is_file = || door::certificate_file(name).is_ok() && !name.contains(['~', '*']);
        let client_authority = match self.asks {
            true if !is_file() => {
                return Err(format!(
                    "the authority for certificates of clients has no file for {name}; write CERT_NAME"
                ));
            }
            true => Some(format!("{name}.ca.crt").into()),
            false => None,
        };
        let (hsts, names, file) = (self.hsts.clone(), self.names.clone(), self.file.clone());
        Ok(Protection { hsts, client_authority, names, file, from_files: self.file.is_some() && self.names.is_empty() })
    }
}

pub(super) fn method(draft: &mut Draft, value: &str) -> Outcome {
    draft.tls.method = match value {
        "redirect" => Method::Redirect,
        "noredirect" => Method::NoRedirect,
        "nohttp" => Method::NoHttp,
        "nohttps" => Method::NoHttps,
        _ => {
            draft.close("HTTPS_METHOD cannot be read, and might have kept it inside TLS");
            return Outcome::wrong("none of redirect, noredirect, nohttp, nohttps; its routes are closed");
        }
    };
    Outcome::Used
}

pub(super) fn hsts(draft: &mut Draft, value: &str) -> Outcome {
    let is_value = value.contains("max-age=") && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if value != "off" && !is_value {
        return Outcome::wrong("neither off nor a value of the header (max-age=31536000)");
    }
    draft.tls.hsts = (value != "off").then(|| value.into());
    Outcome::Used
}

pub(super) fn names(draft: &mut Draft, value: &str) -> Outcome {
    let words = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    door::names(words).map(|names| draft.tls.names = names).into()
}

pub(super) fn file(draft: &mut Draft, value: &str) -> Outcome {
    door::certificate_file(value).map(|name| draft.tls.file = Some(name)).into()
}

pub(super) fn external_port(draft: &mut Draft, value: &str) -> Outcome {
    // The usual one is not named.
    port_number(value).map(|port| draft.tls.port = Some(port).filter(|port| *port != 443)).into()
}

pub(super) fn other_status(draft: &mut Draft, value: &str) -> Outcome {
    let read = checks::redirect(value).map(|()| draft.tls.other_status = value.parse().ok());
    read.into()
}

pub(super) fn trust_default(draft: &mut Draft, value: &str) -> Outcome {
    checks::yes(value).map(|()| draft.tls.distrusts_default = value == "false").into()
}

/// nginx lets clients without a certificate in where it is optional, and tells the container who has shown one.
pub(super) fn verify(draft: &mut Draft, value: &str) -> Outcome {
    match value {
        "off" => return Outcome::Used,
        "on" => {
            draft.tls.asks = true;
            return Outcome::Used;
        }
        _ => {}
    }
    draft.close("it asks clients for certificates as they like (ssl_verify_client), which is not built yet");
    if matches!(value, "optional" | "optional_no_ca") {
        return Outcome::Approximated("it guards and is not built yet; its routes are closed".to_owned());
    }
    Outcome::wrong("neither on, off, optional nor optional_no_ca; its routes are closed")
}
