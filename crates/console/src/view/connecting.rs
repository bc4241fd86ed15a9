//! A question about a connection: text to what routes of TCP ask.

use std::net::{IpAddr, Ipv4Addr};

use divisi_model::tcp::{Connection, Hello};
use divisi_tls::name;
use hyper::Uri;

use super::asking::{self, shown};
use crate::api::connection::Question;

/// What a URL of one begins with: the second is inside TLS whatever follows, the first where a name does.
const SCHEMES: [&str; 2] = ["tcp", "tls"];

/// A connection that nobody has made.
#[derive(Debug)]
pub(crate) struct Connecting {
    pub(super) port: u16,
    /// In lower case; empty where it asks for no name.
    pub(super) server_name: String,
    pub(super) is_secure: bool,
    client: IpAddr,
}

impl Connecting {
    /// Whether a question is about a connection, and not about a request.
    pub(crate) fn is_meant(parameters: &[(String, String)]) -> bool {
        let scheme = |url: &str| url.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_ours = |url: &str| scheme(url).is_some_and(|scheme| SCHEMES.contains(&scheme.as_str()));
        parameters.iter().any(|(name, value)| name == "url" && is_ours(value))
    }

    /// From the parameters of a question.
    ///
    /// # Errors
    /// What would have been accepted.
    pub(crate) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let (port, client) = (0, Ipv4Addr::LOCALHOST.into());
        let mut connecting = Self { port, server_name: String::new(), is_secure: false, client };
        for (name, value) in parameters {
            match name.as_str() {
                "url" => connecting.set_url(value)?,
                "client" => connecting.client = asking::client(value)?,
                other => {
                    return Err(format!("no parameter {} of a connection; there are url and client", shown(other)));
                }
            }
        }
        Ok(connecting)
    }

    fn set_url(&mut self, text: &str) -> Result<(), String> {
        let wrong = |why: &str| {
            format!("not a connection: {} ({why}); write one like tcp://db.example.com:5432", shown(text.trim()))
        };
        let url: Uri = text.trim().parse().map_err(|error| wrong(&format!("{error}")))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(wrong("it has a path"));
        }
        self.port = url.port_u16().filter(|port| *port > 0).ok_or_else(|| wrong("it has no port"))?;
        let host = url.host().unwrap_or_default();
        // An address is no name that a client could ask for (RFC 6066 3).
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        self.server_name = match name::normal(host) {
            _ if is_address => String::new(),
            Some(name) => name.into_owned(),
            None => return Err(wrong("its host is neither a name nor an address")),
        };
        self.is_secure = !is_address || url.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("tls"));
        Ok(())
    }

    /// What was asked, for people.
    pub(super) fn tell(&self) -> Question {
        Question {
            port: self.port,
            server_name: self.server_name.clone(),
            client: self.client.to_string(),
            tls: self.is_secure,
        }
    }

    /// What a port sees of it, if it reads the beginning.
    pub(super) fn connection(&self, is_read: bool) -> Connection<'_> {
        let hello = Hello { server_name: self.server_name.as_bytes(), protocols: &[] };
        Connection { client: self.client, hello: (is_read && self.is_secure).then_some(hello) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Connecting, String> {
        let owned: Vec<_> = parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert!(Connecting::is_meant(&owned));
        Connecting::read(&owned)
    }

    #[test]
    fn spellings_of_a_connection() {
        for (url, name, port, tls) in [
            ("tcp://Db.Example.com.:5432", "db.example.com", 5432, true),
            (" TCP://db:1/", "db", 1, true),
            ("tcp://10.0.0.1:5432", "", 5432, false),
            ("tcp://[::1]:5432", "", 5432, false),
            ("tls://10.0.0.1:853", "", 853, true),
        ] {
            let told = read(&[("url", url), ("client", "10.0.0.9")]).expect(url).tell();
            assert_eq!((told.server_name.as_str(), told.port, told.tls), (name, port, tls), "{url}");
            assert_eq!(told.client, "10.0.0.9");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (name, value, part) in [
            ("url", "tcp://", "not a connection"),
            ("url", "tcp://db.example.com", "no port"),
            ("url", "tcp://db.example.com:0", "no port"),
            ("url", "tcp://db.example.com:99999", "not a connection"),
            ("url", "tcp://db.example.com:1/x", "path"),
            ("url", "tcp://db.example.com:1?x", "path"),
            ("client", "me", "not the address"),
            ("method", "GET", "there are url and client"),
        ] {
            let said = read(&[("url", "tcp://a:1"), (name, value)]).expect_err(value);
            assert!(said.contains(part) && !said.contains('\n'), "{said}");
        }
    }
}
