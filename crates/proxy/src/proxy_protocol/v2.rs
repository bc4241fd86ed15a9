//! Version 2: binary (section 2.2).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, Malformed, Parsed};

/// What every header begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The part that every header has: signature, version with command, family with protocol, and the length of the rest.
pub(super) const FIXED: usize = 16;

/// The longest header that is read. Those in use have some hundred bytes, a certificate's names among them.
pub(super) const LONGEST: usize = 4096;

const VERSION: u8 = 2;
const PROXY: u8 = 1;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let shared = bytes.len().min(SIGNATURE.len());
    if bytes[..shared] != SIGNATURE[..shared] {
        return Err(Malformed::Signature);
    }
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Ok(Parsed::More(FIXED - bytes.len())) };
    let [.., command, family, high, low] = *fixed;
    if command >> 4 != VERSION {
        return Err(Malformed::Version);
    }
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(Malformed::Long);
    }
    let is_for_another = match command & 15 {
        0 => false,
        PROXY => true,
        _ => return Err(Malformed::Command),
    };
    let least = block(family).ok_or(Malformed::Protocol)?;
    // With LOCAL everything that follows is to be ignored, its form included.
    if is_for_another && length < FIXED + least {
        return Err(Malformed::Short);
    }
    let Some(rest) = bytes.get(FIXED..length) else { return Ok(Parsed::More(length - bytes.len())) };
    // Behind the addresses stand extensions, which are skipped.
    let header = if is_for_another { addresses(family, rest) } else { Header::Own };
    Ok(Parsed::Whole(header, length))
}

/// How long the addresses of a family and protocol are; None where there is no such pair.
fn block(family: u8) -> Option<usize> {
    match family {
        // LOCAL may come with anything; so may a sender that knows no family.
        0x00 => Some(0),
        0x11 | 0x12 => Some(12),
        0x21 | 0x22 => Some(36),
        0x31 | 0x32 => Some(216),
        _ => None,
    }
}

/// Only addresses of TCP say anything about a connection of TCP; with others its own count.
fn addresses(family: u8, block: &[u8]) -> Header {
    let found = match family {
        TCP4 => block.first_chunk::<12>().map(|block| {
            let [a, b, c, d, e, f, g, h, from @ .., _, _] = *block;
            let to = [block[10], block[11]];
            (pair(Ipv4Addr::new(a, b, c, d), from), pair(Ipv4Addr::new(e, f, g, h), to))
        }),
        TCP6 => block.first_chunk::<36>().map(|block| {
            let at = |from: usize| {
                let mut octets = [0; 16];
                octets.copy_from_slice(&block[from..from + 16]);
                Ipv6Addr::from(octets)
            };
            (pair(at(0), [block[32], block[33]]), pair(at(16), [block[34], block[35]]))
        }),
        _ => None,
    };
    found.map_or(Header::Own, |(source, destination)| Header::For { source, destination })
}

fn pair(ip: impl Into<std::net::IpAddr>, port: [u8; 2]) -> SocketAddr {
    SocketAddr::new(ip.into(), u16::from_be_bytes(port))
}

/// Both addresses are of one family.
pub(super) fn write(source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.push(VERSION << 4 | PROXY);
    match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            out.extend_from_slice(&[TCP4, 0, 12]);
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
        }
        (source, destination) => {
            out.extend_from_slice(&[TCP6, 0, 36]);
            for addr in [source, destination] {
                let ip = match addr.ip() {
                    std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    std::net::IpAddr::V6(ip) => ip,
                };
                out.extend_from_slice(&ip.octets());
            }
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}
