//! Which of a replica's addresses we can reach.

use std::net::{IpAddr, Ipv4Addr};

use thiserror::Error;

/// A container's place on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// The network's name.
    pub(crate) network: String,
    /// The network's id; empty when the engine leaves it out.
    pub(crate) id: String,
    /// The container's address there; IPv4 where it has both.
    pub(crate) ip: Option<IpAddr>,
    /// The network's gateway, which is the host as seen from there.
    pub(crate) gateway: Option<IpAddr>,
}

impl Attachment {
    fn is_same_network(&self, other: &Self) -> bool {
        if self.id.is_empty() || other.id.is_empty() { self.network == other.network } else { self.id == other.id }
    }
}

/// How a container is connected to anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Networking {
    /// It has the host's own interfaces.
    Host,
    /// It borrows those of another container, by id or name.
    OfContainer(String),
    /// It is attached to these, sorted by name; possibly to none.
    Attached(Vec<Attachment>),
}

/// From where we look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standpoint {
    /// On the host or in its network: every replica's address can be reached.
    Host,
    /// In a container attached to these networks, sorted by name.
    Inside(Vec<Attachment>),
}

/// No address of a replica can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoPath {
    /// It has no address anywhere.
    #[error("it is attached to no network that gives it an address")]
    NoAddress,
    /// We have none in common.
    #[error("it is on {theirs} and divisi on {ours}: write a network that both have under `networks:`")]
    NoneShared {
        /// The replica's networks.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// It runs in the host's network and we see no gateway to there.
    #[error("it uses the host's network, and no network of divisi has a gateway: give divisi one that is not internal")]
    NoGateway,
    /// It borrows another container's network.
    #[error("it uses the network of container {0}: balance that one, or give it networks of its own")]
    Borrowed(String),
}

/// The way to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// Its address.
    pub(crate) ip: IpAddr,
    /// The network on which it has that.
    pub(crate) network: &'a str,
    /// Why that one.
    pub(crate) why: Why<'a>,
}

/// Why a network was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why<'a> {
    /// Its label says so.
    Wanted,
    /// It is the first by name of so many that would do.
    First(usize),
    /// Its label says another one, which it is not attached to, or divisi is not; and this is the first by name.
    Instead(&'a str),
    /// The replica has the host's own interfaces.
    OfHost,
}

/// How `replica` is reached from `standpoint`, on the network `wanted` where that can be.
pub(crate) fn choose<'a>(
    standpoint: &'a Standpoint,
    replica: &'a Networking,
    wanted: Option<&'a str>,
) -> Result<Path<'a>, NoPath> {
    let of_host = |ip| Path { ip, network: "host", why: Why::OfHost };
    match (replica, standpoint) {
        (Networking::OfContainer(id), _) => Err(NoPath::Borrowed(id.chars().take(12).collect())),
        (Networking::Host, Standpoint::Host) => Ok(of_host(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        (Networking::Host, Standpoint::Inside(ours)) => {
            ours.iter().find_map(|attachment| attachment.gateway).map(of_host).ok_or(NoPath::NoGateway)
        }
        (Networking::Attached(theirs), Standpoint::Host) => among(theirs, wanted, |_| true).ok_or(NoPath::NoAddress),
        (Networking::Attached(theirs), Standpoint::Inside(ours)) => {
            if theirs.iter().all(|attachment| attachment.ip.is_none()) {
                return Err(NoPath::NoAddress);
            }
            let is_shared = |there: &Attachment| ours.iter().any(|here| here.is_same_network(there));
            among(theirs, wanted, is_shared)
                .ok_or_else(|| NoPath::NoneShared { theirs: names(theirs), ours: names(ours) })
        }
    }
}

fn among<'a>(
    theirs: &'a [Attachment],
    wanted: Option<&'a str>,
    is_shared: impl Fn(&Attachment) -> bool,
) -> Option<Path<'a>> {
    let shared = || theirs.iter().filter(|there| there.ip.is_some() && is_shared(there));
    let named = wanted.and_then(|name| shared().find(|there| is_called(&there.network, name)));
    let why = match (named, wanted) {
        (Some(_), _) => Why::Wanted,
        (None, Some(wanted)) => Why::Instead(wanted),
        (None, None) => Why::First(shared().count()),
    };
    let chosen = named.or_else(|| shared().next())?;
    Some(Path { ip: chosen.ip?, network: &chosen.network, why })
}

/// Whether a network of that name is meant where somebody says `name`: Compose calls the network `front` of project `shop`
/// `shop_front`, and people say `front`.
pub fn is_called(network: &str, name: &str) -> bool {
    network == name || network.strip_suffix(name).is_some_and(|project| project.ends_with('_') && project.len() > 1)
}

fn names(attachments: &[Attachment]) -> String {
    if attachments.is_empty() {
        return "no network".to_owned();
    }
    attachments.iter().map(|attachment| attachment.network.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(networks: &[(&str, &str)]) -> Vec<Attachment> {
        let attachment = |(network, ip): &(&str, &str)| Attachment {
            network: (*network).to_owned(),
            id: String::new(),
            ip: ip.parse().ok(),
            gateway: "172.20.0.1".parse().ok(),
        };
        networks.iter().map(attachment).collect()
    }

    fn attached(networks: &[(&str, &str)]) -> Networking {
        Networking::Attached(on(networks))
    }

    fn choose(standpoint: &Standpoint, replica: &Networking) -> Result<IpAddr, NoPath> {
        super::choose(standpoint, replica, None).map(|path| path.ip)
    }

    #[test]
    fn a_network_that_is_named_goes_first() {
        let (inside, replica) = (
            on(&[("a", ""), ("shop_b", "")]),
            attached(&[("a", "10.0.0.1"), ("shop_b", "10.0.1.1"), ("c", "10.0.2.1")]),
        );
        let inside = Standpoint::Inside(inside);
        for (wanted, network, why) in [
            (None, "a", Why::First(2)),
            (Some("shop_b"), "shop_b", Why::Wanted),
            (Some("b"), "shop_b", Why::Wanted),
            (Some("op_b"), "a", Why::Instead("op_b")),
            (Some("c"), "a", Why::Instead("c")),
            (Some("d"), "a", Why::Instead("d")),
        ] {
            let path = super::choose(&inside, &replica, wanted).expect("a path");
            assert_eq!((path.network, path.why), (network, why), "{wanted:?}");
        }
        let path = super::choose(&Standpoint::Host, &replica, Some("c")).expect("a path");
        assert_eq!((path.network, path.why), ("c", Why::Wanted));
    }

    #[test]
    fn the_first_shared_network_with_an_address_wins() {
        let inside = Standpoint::Inside(on(&[("front", ""), ("middle", ""), ("zone", "")]));
        let replica = attached(&[("back", "10.0.0.1"), ("front", ""), ("middle", "10.0.1.1"), ("zone", "10.0.2.1")]);
        assert_eq!(choose(&inside, &replica), Ok("10.0.1.1".parse().unwrap()));
    }

    #[test]
    fn with_no_shared_network_both_sides_are_named() {
        let inside = Standpoint::Inside(on(&[("front", "")]));
        let error = choose(&inside, &attached(&[("back", "10.0.0.1"), ("data", "10.0.1.1")])).unwrap_err();
        assert!(error.to_string().contains("it is on back, data and divisi on front"), "{error}");
    }

    #[test]
    fn the_same_name_with_another_id_is_another_network() {
        let mut ours = on(&[("front", "")]);
        ours[0].id = "a".to_owned();
        let mut theirs = on(&[("front", "10.0.0.1")]);
        theirs[0].id = "b".to_owned();
        assert!(choose(&Standpoint::Inside(ours), &Networking::Attached(theirs)).is_err());
    }

    #[test]
    fn from_the_host_any_address_will_do() {
        let replica = attached(&[("a", ""), ("b", "fd00::5")]);
        assert_eq!(choose(&Standpoint::Host, &replica), Ok("fd00::5".parse().unwrap()));
        assert_eq!(choose(&Standpoint::Host, &attached(&[])), Err(NoPath::NoAddress));
    }

    #[test]
    fn the_hosts_network_is_reached_by_loopback_or_gateway() {
        assert_eq!(choose(&Standpoint::Host, &Networking::Host), Ok("127.0.0.1".parse().unwrap()));
        let inside = Standpoint::Inside(on(&[("front", "")]));
        assert_eq!(choose(&inside, &Networking::Host), Ok("172.20.0.1".parse().unwrap()));
        assert_eq!(choose(&Standpoint::Inside(Vec::new()), &Networking::Host), Err(NoPath::NoGateway));
    }

    #[test]
    fn a_borrowed_network_is_said_by_name() {
        let error = choose(&Standpoint::Host, &Networking::OfContainer("vpn".to_owned())).unwrap_err();
        assert!(error.to_string().contains("container vpn"), "{error}");
    }
}
