//! By which door the requests of a route come in, as our own labels say, and what is wanted of TLS.

use std::sync::{Arc, LazyLock};

use divisi_model::route::{Door, Protection, Redirect, Rule, When};

use crate::native::{OfRoute, words};
use crate::speech;
use crate::values::{duration, is_off, yes_or_no};
use crate::wish::RouteSpec;

/// Most names of one certificate: more than any authority puts into one.
const MOST_NAMES: usize = 100;

/// What a file's name is introduced by.
const FILE: &str = "file:";

/// How long browsers remember, where no time is said: a year.
const YEAR: u64 = 365 * 24 * 3600;

/// What labels say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entrance {
    tls: Tls,
    protection: Protection,
}

/// Whether requests come inside TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tls {
    /// Both ways, and those without are sent into it once there is a certificate that clients trust.
    #[default]
    Auto,
    /// Both ways.
    Both,
    /// Only so; others are sent there.
    Only,
    /// Only without.
    Off,
}

impl Entrance {
    /// Whether it keeps something from clients.
    pub(crate) fn guards(&self) -> bool {
        self.tls == Tls::Only || self.protection.client_authority.is_some()
    }

    /// The door, where those go who come without TLS, and what is wanted of it.
    pub(crate) fn finish(self) -> (Door, Option<Redirect>, Arc<Protection>) {
        let (door, redirect) = match self.tls {
            Tls::Auto => (Door::Any, Some(Redirect::permanent(When::Certified))),
            Tls::Both => (Door::Any, None),
            // Whoever comes without is this route's all the same, and not some wider one's that would serve him.
            Tls::Only => (Door::Any, Some(Redirect::permanent(When::Always))),
            Tls::Off => (Door::Plain, None),
        };
        // Most routes want nothing, and share that.
        static NOTHING: LazyLock<Arc<Protection>> = LazyLock::new(Arc::default);
        let wanted = if self.protection == **NOTHING { Arc::clone(&NOTHING) } else { Arc::new(self.protection) };
        (door, redirect, wanted)
    }
}

pub(crate) fn tls(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.entrance.tls = match text.to_ascii_lowercase().as_str() {
        "auto" => Tls::Auto,
        "both" => Tls::Both,
        "only" => Tls::Only,
        text if is_off(text) => Tls::Off,
        _ => return Err("neither auto, both, only nor off".to_owned()),
    };
    Ok(())
}

pub(crate) fn hsts(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.entrance.protection.hsts = if is_off(text) { None } else { Some(strict(text)?) };
    Ok(())
}

/// RFC 6797 6.1: how long, and then words.
fn strict(text: &str) -> Result<Arc<str>, String> {
    const WANTED: &str =
        "neither true, off nor a time with or without includeSubDomains and preload (180d; includeSubDomains)";
    let mut parts = text.split(';').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let seconds = match (yes_or_no(first), first.strip_prefix("max-age=")) {
        (Ok(true), _) => YEAR,
        (_, Some(seconds)) => seconds.parse().map_err(|_| WANTED.to_owned())?,
        _ => duration(first).map_err(|_| WANTED.to_owned())?.as_secs(),
    };
    let mut value = format!("max-age={seconds}");
    for part in parts {
        let known = ["includeSubDomains", "preload"].into_iter().find(|word| word.eq_ignore_ascii_case(part));
        value.push_str("; ");
        value.push_str(known.ok_or(WANTED)?);
    }
    Ok(value.into())
}

pub(crate) fn client_authority(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.entrance.protection.client_authority = if is_off(text) { None } else { Some(speech::file(text)?) };
    Ok(())
}

pub(crate) fn certificate(route: &mut OfRoute, text: &str) -> Result<(), String> {
    let mut protection =
        Protection { names: Vec::new(), file: None, from_files: false, ..route.entrance.protection.clone() };
    match text {
        _ if text.eq_ignore_ascii_case("auto") => {}
        _ if text.eq_ignore_ascii_case("files") => protection.from_files = true,
        _ => match text.strip_prefix(FILE) {
            Some(name) => (protection.from_files, protection.file) = (true, Some(certificate_file(name.trim())?)),
            None => protection.names = names(words(text)?)?,
        },
    }
    route.entrance.protection = protection;
    Ok(())
}

/// The name of a certificate's file in the folder with the certificates, without its ending.
pub(crate) fn certificate_file(text: &str) -> Result<Arc<str>, String> {
    let is_name = !text.contains('/') && text != "." && text != "..";
    let read = speech::file(text).ok().filter(|_| is_name);
    read.ok_or_else(|| "not the name of a certificate's file without folder and ending (example.com)".to_owned())
}

/// The names of a certificate: whole ones, and wildcards of one label (RFC 8555 7.1.3).
pub(crate) fn names<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Arc<str>>, String> {
    let mut names = Vec::new();
    for word in words {
        let is_name = matches!(Rule::host(word), Ok(Rule::Host { .. } | Rule::HostWildcard { deep: false, .. }));
        if !is_name {
            return Err(format!("{word} is no name of a certificate; write names such as example.com,*.example.com"));
        }
        if names.len() == MOST_NAMES {
            return Err(format!("more than {MOST_NAMES} names of one certificate"));
        }
        names.push(word.to_ascii_lowercase().into());
    }
    Ok(names)
}

/// Whoever is asked for a certificate comes inside TLS. Without TLS, because somebody before divisi ends it, doors mean nothing.
pub(crate) fn settle(route: &mut RouteSpec, has_tls: bool) {
    let asks = route.protection.client_authority.is_some();
    let why = match (has_tls, route.door) {
        (false, _) => Some("it asks clients for certificates, and divisi speaks no TLS (--listen-tls)"),
        (true, Door::Plain) => Some("it asks clients for certificates, and they come without TLS"),
        (true, Door::Any | Door::Secure) => None,
    };
    if let Some(why) = why.filter(|_| asks) {
        route.closed.get_or_insert_with(|| why.to_owned());
    }
    if !has_tls {
        (route.door, route.redirect) = (Door::Any, None);
    } else if asks && route.door == Door::Any {
        // Whoever comes without is this route's all the same: he is sent into TLS, and served by none.
        route.redirect =
            Some(Redirect { when: When::Always, ..route.redirect.unwrap_or(Redirect::permanent(When::Always)) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_strict_transport_security() {
        for (text, value) in [
            ("true", "max-age=31536000"),
            ("180d", "max-age=15552000"),
            ("0", "max-age=0"),
            ("1h;includesubdomains", "max-age=3600; includeSubDomains"),
            ("max-age=63072000; includeSubDomains; preload", "max-age=63072000; includeSubDomains; preload"),
        ] {
            assert_eq!(strict(text).as_deref(), Ok(value), "{text}");
        }
        for text in ["", "yes please", "max-age=", "1h;", "1h; preload=1", "false", "; preload", "max-age=-1"] {
            assert!(strict(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn certificates() {
        let read = |text: &str| {
            let mut route = OfRoute::default();
            certificate(&mut route, text).map(|()| route.entrance.protection)
        };
        assert_eq!(
            read("Example.com, *.example.com").expect("names").names,
            ["example.com".into(), "*.example.com".into()]
        );
        let file = read("file:wild").expect("a file");
        assert_eq!((file.file.as_deref(), file.from_files), (Some("wild"), true));
        assert!(read("files").expect("a word").from_files && read("auto") == Ok(Protection::default()));
        for text in ["file:", "file:a/b", "file:..", "**.a.com", "*", "a b", "a.com,", "/x", &"a.com,".repeat(101)] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
