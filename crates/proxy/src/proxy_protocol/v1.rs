//! Version 1: a line of text (section 2.1).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, Malformed, Parsed};

/// The longest line, its end counted: `PROXY UNKNOWN` with the longest addresses.
pub(super) const LONGEST: usize = 107;

/// `PROXY UNKNOWN` and the end of the line.
pub(super) const SHORTEST: usize = 15;

const BEGIN: &[u8] = b"PROXY ";
const UNKNOWN: &[u8] = b"UNKNOWN";

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let shared = bytes.len().min(BEGIN.len());
    if bytes[..shared] != BEGIN[..shared] {
        return Err(Malformed::Signature);
    }
    let window = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        if bytes.len() >= LONGEST {
            return Err(Malformed::Endless);
        }
        return Ok(Parsed::More(SHORTEST.saturating_sub(bytes.len()).max(1)));
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(Malformed::Line)?;
    let header = line.strip_prefix(BEGIN).and_then(header).ok_or(Malformed::Line)?;
    Ok(Parsed::Whole(header, end + 1))
}

fn header(text: &[u8]) -> Option<Header> {
    // What follows is to be ignored.
    if text == UNKNOWN || text.strip_prefix(UNKNOWN).is_some_and(|rest| rest.first() == Some(&b' ')) {
        return Some(Header::Own);
    }
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    let read: fn(&str) -> Option<IpAddr> = match words.next()? {
        "TCP4" => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let (source, destination) = (read(words.next()?)?, read(words.next()?)?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
    let header = Header::For { source: SocketAddr::new(source, from), destination: SocketAddr::new(destination, to) };
    words.next().is_none().then_some(header)
}

/// Decimal, without a sign and without zeros before it.
fn port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word.len() == 1 || !word.starts_with('0'));
    if is_plain { word.parse().ok() } else { None }
}

/// Both addresses are of one family.
pub(super) fn write(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.port(), destination.port());
    // Writing to memory does not fail.
    let _ = write!(out, "PROXY {family} {} {} {from} {to}\r\n", source.ip(), destination.ip());
}
