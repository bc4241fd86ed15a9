//! Which port of a container gets its requests.

/// What is known about a container's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// Nobody has said yet: the list leaves ports out for some containers.
    Unknown,
    /// It exposes no TCP port.
    None,
    /// The lowest TCP port it exposes.
    At(u16),
}

impl Port {
    /// The lowest of several, if there is any.
    pub(crate) fn lowest(ports: impl Iterator<Item = u16>) -> Option<Self> {
        ports.filter(|port| *port != 0).min().map(Self::At)
    }
}

impl Port {
    /// Whether requests may go there although nobody has asked for it. The port of a Docker engine, or of a proxy before one, is
    /// the whole machine.
    pub(crate) fn is_for_everybody(self) -> bool {
        matches!(self, Self::At(port) if !matches!(port, 2375 | 2376))
    }
}

/// The TCP port in `8080/tcp`; None for other protocols and for what is no port. Without a protocol it is TCP.
pub(crate) fn tcp(text: &str) -> Option<u16> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if protocol.eq_ignore_ascii_case("tcp") { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_tcp_port_wins() {
        let exposed = ["9443/tcp", "53/udp", "8080/tcp", "nonsense", "0/tcp", "70000/tcp"];
        assert_eq!(Port::lowest(exposed.iter().filter_map(|text| tcp(text))), Some(Port::At(8080)));
    }

    #[test]
    fn without_a_tcp_port_there_is_none() {
        assert_eq!(Port::lowest(["53/udp"].iter().filter_map(|text| tcp(text))), None);
        assert_eq!(tcp("80"), Some(80));
    }
}
