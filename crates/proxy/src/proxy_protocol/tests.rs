use proptest::prelude::*;

use super::*;

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn spoken_for(source: &str, destination: &str) -> Header {
    Header::For { source: addr(source), destination: addr(destination) }
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
    bytes.extend(rest);
    bytes
}

#[test]
fn lines_of_version_1() {
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
    assert_eq!(longest.len(), v1::LONGEST);
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", spoken_for("192.0.2.1:56324", "198.51.100.7:443")),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n",
            spoken_for("255.255.255.255:65535", "255.255.255.255:0"),
        ),
        ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", spoken_for("[2001:db8::1]:1", "[::1]:2")),
        ("PROXY UNKNOWN\r\n", Header::Own),
        ("PROXY UNKNOWN ffff::1 whatever \u{7} 0 0\r\n", Header::Own),
        (&longest, Header::Own),
    ] {
        assert_eq!(parse(line.as_bytes()), Ok(Parsed::Whole(expected, line.len())), "{line:?}");
        let followed = format!("{line}PROXY TCP4 6.6.6.6 6.6.6.6 6 6\r\n");
        assert_eq!(parse(followed.as_bytes()), Ok(Parsed::Whole(expected, line.len())), "{line:?}");
    }
}

#[test]
fn what_is_no_line_of_version_1() {
    let endless = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 15));
    for (line, why) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n", Malformed::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n", Malformed::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 1\r\n", Malformed::Line),
        ("PROXY TCP4  192.0.2.1 198.51.100.7 56324 443\r\n", Malformed::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 065 443\r\n", Malformed::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 +65 443\r\n", Malformed::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n", Malformed::Line),
        ("PROXY TCP4 192.0.2.01 198.51.100.7 1 443\r\n", Malformed::Line),
        ("PROXY TCP4 ::1 ::1 1 443\r\n", Malformed::Line),
        ("PROXY TCP6 192.0.2.1 192.0.2.1 1 443\r\n", Malformed::Line),
        ("PROXY tcp4 192.0.2.1 198.51.100.7 1 443\r\n", Malformed::Line),
        ("PROXY UDP4 192.0.2.1 198.51.100.7 1 443\r\n", Malformed::Line),
        ("PROXY UNKNOWNS\r\n", Malformed::Line),
        ("PROXY \r\n", Malformed::Line),
        ("PROXY TCP4 \u{ff}\r\n", Malformed::Line),
        ("PROXYTCP4", Malformed::Signature),
        ("POST / HTTP/1.1\r\n", Malformed::Signature),
        ("GET / HTTP/1.1\r\n", Malformed::Signature),
        (&endless, Malformed::Endless),
    ] {
        assert_eq!(parse(line.as_bytes()), Err(why), "{line:?}");
    }
}

#[test]
fn headers_of_version_2() {
    let ipv4 = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 4, 1, 0xbb];
    let mut ipv6 = [0; 36];
    (ipv6[0], ipv6[15], ipv6[31], ipv6[33], ipv6[35]) = (0x20, 1, 2, 3, 4);
    let with_extensions = [&ipv4[..], &[4, 0, 2, 7, 7, 0xee, 0xff, 0xff]].concat();
    let (of_v4, of_v6) = (spoken_for("192.0.2.1:56324", "198.51.100.7:443"), spoken_for("[2000::1]:3", "[::2]:4"));
    for (bytes, expected) in [
        (v2(0x21, 0x11, &ipv4), of_v4),
        (v2(0x21, 0x11, &with_extensions), of_v4),
        (v2(0x21, 0x21, &ipv6), of_v6),
        // LOCAL, with addresses and without (Envoy CVE-2024-23327 was a LOCAL without them).
        (v2(0x20, 0x00, &[]), Header::Own),
        (v2(0x20, 0x11, &[]), Header::Own),
        (v2(0x20, 0x11, &ipv4), Header::Own),
        // A sender that does not know, a socket of Unix, a datagram.
        (v2(0x21, 0x00, &[]), Header::Own),
        (v2(0x21, 0x00, &[1; 300]), Header::Own),
        (v2(0x21, 0x31, &[b'/'; 216]), Header::Own),
        (v2(0x21, 0x12, &ipv4), Header::Own),
        (v2(0x21, 0x11, &[&ipv4[..], &[0; v2::LONGEST - 28]].concat()), of_v4),
    ] {
        assert_eq!(parse(&bytes), Ok(Parsed::Whole(expected, bytes.len())), "{bytes:?}");
    }
}

#[test]
fn what_is_no_header_of_version_2() {
    for (bytes, why) in [
        (v2(0x11, 0x11, &[0; 12]), Malformed::Version),
        (v2(0x01, 0x11, &[0; 12]), Malformed::Version),
        (v2(0x22, 0x11, &[0; 12]), Malformed::Command),
        (v2(0x21, 0x13, &[0; 12]), Malformed::Protocol),
        (v2(0x21, 0x41, &[0; 216]), Malformed::Protocol),
        (v2(0x21, 0x01, &[]), Malformed::Protocol),
        (v2(0x21, 0x11, &[0; 11]), Malformed::Short),
        (v2(0x21, 0x21, &[0; 35]), Malformed::Short),
        (v2(0x21, 0x31, &[0; 215]), Malformed::Short),
        (v2(0x21, 0x11, &[0; v2::LONGEST - 15]), Malformed::Long),
        (b"\r\n\r\nGET / HTTP/1.1".to_vec(), Malformed::Signature),
        (b"\x16\x03\x01".to_vec(), Malformed::Signature),
    ] {
        assert_eq!(parse(&bytes), Err(why), "{bytes:?}");
    }
}

#[test]
fn both_addresses_are_written_in_one_family() {
    for (source, destination, expected) in [
        ("192.0.2.1:1", "[::ffff:198.51.100.7]:2", "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n"),
        ("[2001:db8::1]:1", "198.51.100.7:2", "PROXY TCP6 2001:db8::1 ::ffff:198.51.100.7 1 2\r\n"),
    ] {
        let mut line = Vec::new();
        write(ProxyHeader::V1, addr(source), addr(destination), &mut line);
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }
}

proptest! {
    /// What is written is read again, whole and in pieces; no prefix of it is refused, and none asks for more than there is.
    #[test]
    fn what_is_written_is_read(
        source: SocketAddr, destination: SocketAddr, is_text: bool, follows in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let version = if is_text { ProxyHeader::V1 } else { ProxyHeader::V2 };
        let mut bytes = Vec::new();
        write(version, source, destination, &mut bytes);
        prop_assert!(!is_text || bytes.len() <= v1::LONGEST);
        let (length, expected) = (bytes.len(), of_one_family(source, destination));
        let header = Header::For { source: expected.0, destination: expected.1 };
        for end in 0..length {
            match parse(&bytes[..end]) {
                Ok(Parsed::More(more)) => prop_assert!((1..=length - end).contains(&more), "{more} at {end} of {length}"),
                other => prop_assert!(false, "{other:?} at {end}"),
            }
        }
        bytes.extend(follows);
        prop_assert_eq!(parse(&bytes), Ok(Parsed::Whole(header, length)));
    }

    /// Anybody may send anything, or nearly the right thing.
    #[test]
    fn nothing_does_harm(
        mut bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "PROXY (TCP4|TCP6|UNKNOWN|[A-Z]{0,5})( [0-9a-f.:]{0,20}){0,5}\r?\n?".prop_map(String::into_bytes),
            (any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)).prop_map(|(a, b, rest)| v2(a, b, &rest)),
        ],
        at: prop::sample::Index, byte: u8,
    ) {
        if !bytes.is_empty() && byte % 2 == 0 {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(Parsed::Whole(_, length)) = parse(&bytes) {
            prop_assert!(length <= bytes.len() && length <= v2::LONGEST);
        }
    }
}
