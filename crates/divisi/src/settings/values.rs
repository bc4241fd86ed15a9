//! Text to value, as far as only the program needs it. Every error says what is accepted, with an example.

use std::fmt::{self, Display};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use divisi_labels::StickyKey;
use divisi_model::speech::{Scheme, Speech};
use divisi_proxy::Format;
use ipnet::IpNet;
use tracing_subscriber::filter::{LevelFilter, Targets};

pub(super) use divisi_labels::values::{duration, number, put, put_some, size, timeout, yes_or_no};

/// A host, by name or address, and a port. The host is empty where all addresses are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// That address.
    #[cfg(test)]
    pub(crate) fn of(addr: SocketAddr) -> Self {
        Self { host: addr.ip().to_string(), port: addr.port() }
    }

    /// All addresses under that name: of IPv4 if there are any, else of IPv6. Both would count a replica twice.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        let (v4, v6): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv4);
        let mut addrs = if v4.is_empty() { v6 } else { v4 };
        addrs.sort_unstable();
        addrs.dedup();
        Ok(addrs)
    }

    /// Where to ask who listens there. Without a host that is this machine.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    pub(crate) fn to_ask(&self) -> io::Result<Vec<SocketAddr>> {
        if self.host.is_empty() {
            return Ok(vec![(Ipv4Addr::LOCALHOST, self.port).into(), (Ipv6Addr::LOCALHOST, self.port).into()]);
        }
        self.resolve()
    }

    /// Its name or address; empty where all addresses are meant.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Where to listen. Without a host that is every address of both families, or of IPv4 where there is no IPv6.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    pub(crate) fn to_listen(&self) -> io::Result<SocketAddr> {
        if self.host.is_empty() {
            let has_v6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
            let all = if has_v6 { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
            return Ok(SocketAddr::new(all, self.port));
        }
        self.resolve()?.first().copied().ok_or_else(|| io::Error::other("the name has no address"))
    }
}

impl Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// An address to listen on.
pub(super) fn listen(text: &str) -> Result<HostPort, String> {
    host_port(text).ok_or_else(|| {
        "not an address to listen on; write a port for all addresses (:8080), or an address with its port \
         (127.0.0.1:8080, [::1]:8080)"
            .to_owned()
    })
}

/// Where something listens; None for nowhere.
pub(super) fn listen_or_off(text: &str) -> Result<Option<HostPort>, String> {
    match text {
        "off" => Ok(None),
        text => listen(text).map(Some).map_err(|accepted| format!("{accepted}, or off")),
    }
}

/// Where the console is asked.
pub(super) fn console_to_ask(text: &str) -> Result<HostPort, String> {
    match listen_or_off(text)? {
        Some(console) if console.port != 0 => Ok(console),
        Some(_) => Err("nobody can be asked at port 0; the log of divisi says where its console is".to_owned()),
        None => Err("there is no console to be asked; start divisi with one, and name its address".to_owned()),
    }
}

/// A replica at a fixed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FixedReplica {
    scheme: Scheme,
    addr: HostPort,
}

impl FixedReplica {
    /// Where it is.
    pub(crate) fn addr(&self) -> &HostPort {
        &self.addr
    }

    /// How it is spoken to. Inside TLS its certificate has to be for what the user calls it.
    pub(crate) fn speech(&self) -> Speech {
        let server_name = self.scheme.is_secure().then(|| self.addr.host.as_str().into());
        Speech { scheme: self.scheme, server_name, ..Speech::default() }
    }
}

impl Display for FixedReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme != Scheme::default() {
            write!(f, "{}://", self.scheme.name())?;
        }
        self.addr.fmt(f)
    }
}

/// A replica at a fixed address, with what it speaks before it where that is not plain HTTP.
pub(super) fn replica(text: &str) -> Result<FixedReplica, String> {
    const SCHEMES: [Scheme; 4] = [Scheme::Http, Scheme::Https, Scheme::H2c, Scheme::H2];
    let (scheme, rest) = match text.split_once("://") {
        Some((name, rest)) => (SCHEMES.into_iter().find(|scheme| scheme.name() == name), rest),
        None => (Some(Scheme::default()), text),
    };
    let addr = host_port(rest).filter(|addr| !addr.host.is_empty() && addr.port != 0);
    let replica = scheme.zip(addr).map(|(scheme, addr)| FixedReplica { scheme, addr });
    replica.ok_or_else(|| {
        "not the address of a replica; write a name or an address with its port (web:80, 10.0.0.7:8080, [fd00::7]:80), \
         and before it what it speaks, if that is not plain HTTP (https://web:443, h2c://web:9000, h2://web:443)"
            .to_owned()
    })
}

/// The address of a DNS server; its port is 53 where none is written.
pub(super) fn dns_server(text: &str) -> Result<HostPort, String> {
    let with_port = || host_port(&format!("{text}:53")).or_else(|| host_port(&format!("[{text}]:53")));
    let found = host_port(text).or_else(with_port).filter(|server| !server.host.is_empty() && server.port != 0);
    found.ok_or_else(|| {
        "not the address of a DNS server; write a name or an address, with its port if that is not 53 (10.0.0.53, \
         ns.example.org:5353)"
            .to_owned()
    })
}

fn host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok())??;
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|v6| v6.parse::<Ipv6Addr>().is_ok())?,
        None => Some(host).filter(|name| is_host_name(name))?,
    };
    Some(HostPort { host: bare.to_owned(), port })
}

fn is_host_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// A network, or one address for a network of one.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let one = |_| text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(one)
        .map_err(|_| "not a network; write one like 10.0.0.0/8, fd00::/8 or 192.168.1.5".to_owned())
}

/// A name of something in Docker.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err("not a name; write one without spaces, as in the Compose file (web)".to_owned());
    }
    Ok(text.to_owned())
}

/// Text that only must not be empty: a path, an address of the engine.
pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("empty; leave it out instead".to_owned()) } else { Ok(text.to_owned()) }
}

/// The shortest secret that is not guessed by trying.
const SECRET: usize = 16;

/// What a key is made of.
pub(super) fn sticky_key(text: &str) -> Result<StickyKey, String> {
    if text.chars().count() < SECRET {
        return Err(format!(
            "too short for a secret; write {SECRET} characters or more (openssl rand -hex 16 makes one)"
        ));
    }
    Ok(StickyKey::from_secret(text))
}

/// How exchanges are logged.
pub(super) fn access_log(text: &str) -> Result<Option<Format>, String> {
    match text {
        "combined" => Ok(Some(Format::Combined)),
        "json" => Ok(Some(Format::Json)),
        "off" => Ok(None),
        _ => Err("not a format of the access log; one of combined, json, off".to_owned()),
    }
}

/// What goes to the log. A lone word must be a level: as an expression it would name a part of the program, and hide
/// all others.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_known = if is_word { text.parse::<LevelFilter>().is_ok() } else { text.parse::<Targets>().is_ok() };
    if is_known && !text.is_empty() {
        return Ok(text.to_owned());
    }
    Err("not a log level; one of error, warn, info, debug, or parts with levels (info,divisi_discovery=debug)"
        .to_owned())
}
