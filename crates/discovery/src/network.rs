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

/// The address at which `replica` is reached from `standpoint`.
pub(crate) fn choose(standpoint: &Standpoint, replica: &Networking) -> Result<IpAddr, NoPath> {
    match (replica, standpoint) {
        (Networking::OfContainer(id), _) => Err(NoPath::Borrowed(id.chars().take(12).collect())),
        (Networking::Host, Standpoint::Host) => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (Networking::Host, Standpoint::Inside(ours)) => {
            ours.iter().find_map(|attachment| attachment.gateway).ok_or(NoPath::NoGateway)
        }
        (Networking::Attached(theirs), Standpoint::Host) => {
            theirs.iter().find_map(|attachment| attachment.ip).ok_or(NoPath::NoAddress)
        }
        (Networking::Attached(theirs), Standpoint::Inside(ours)) => shared(ours, theirs),
    }
}

fn shared(ours: &[Attachment], theirs: &[Attachment]) -> Result<IpAddr, NoPath> {
    if theirs.iter().all(|attachment| attachment.ip.is_none()) {
        return Err(NoPath::NoAddress);
    }
    let common = theirs.iter().filter(|there| ours.iter().any(|here| here.is_same_network(there)));
    common
        .filter_map(|attachment| attachment.ip)
        .next()
        .ok_or_else(|| NoPath::NoneShared { theirs: names(theirs), ours: names(ours) })
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
