//! Text to value. Every error says what is accepted, with an example.

use std::fmt::{self, Display};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Stores a value that could be read.
pub(super) fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

/// The same where the setting may also be absent.
pub(super) fn put_some<T>(place: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    put(place, value.map(Some))
}

/// A host, by name or address, and a port. The host is empty where all addresses are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
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

/// The address of a replica.
pub(super) fn replica(text: &str) -> Result<HostPort, String> {
    host_port(text).filter(|replica| !replica.host.is_empty() && replica.port != 0).ok_or_else(|| {
        "not the address of a replica; write a name or an address with its port (web:80, 10.0.0.7:8080, [fd00::7]:80)"
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

/// A whole number between two bounds.
pub(super) fn number<N: FromStr + PartialOrd + Display>(text: &str, range: &RangeInclusive<N>) -> Result<N, String> {
    let found = text.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| format!("not a whole number from {} to {}", range.start(), range.end()))
}

/// A number of bytes between two bounds.
pub(super) fn size(text: &str, range: &RangeInclusive<usize>) -> Result<usize, String> {
    let found = bytes(text).filter(|size| range.contains(size));
    found.ok_or_else(|| {
        let (least, most) = (Size(*range.start()), Size(*range.end()));
        format!("not a size from {least} to {most}; write bytes, or a unit (512, 32KiB, 1MiB)")
    })
}

fn bytes(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

struct Size(usize);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let even = units.into_iter().find(|(shift, _)| self.0 > 0 && self.0.is_multiple_of(1 << shift));
        let (shift, unit) = even.unwrap_or((0, ""));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

/// Long enough for every purpose here, and far from where adding it to a clock overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration that may be nothing.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    span(text)
        .filter(|span| *span <= LONGEST)
        .ok_or_else(|| "not a duration up to 365d; write numbers with units (500ms, 10s, 1m30s, 1h, 7d)".to_owned())
}

/// A duration that must be something.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let found = duration(text)?;
    if found.is_zero() { Err("no time at all; write a longer one (500ms, 10s, 1h)".to_owned()) } else { Ok(found) }
}

fn span(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        let (unit, tail) = tail.split_at(tail.bytes().take_while(u8::is_ascii_alphabetic).count());
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?))?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Yes or no.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("neither yes nor no; write true or false".to_owned()),
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
    Err("not a log level; one of error, warn, info, debug, trace, or parts with levels (info,divisi_discovery=debug)"
        .to_owned())
}
