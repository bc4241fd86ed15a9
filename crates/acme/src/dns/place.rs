//! Where a record is to be put: the authority follows a CNAME (RFC 8555 8.4), and so does who puts a record there for it. So the
//! name of a challenge may lead to a zone that takes updates out of one that does not.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::timeout;

use super::DnsError;
use super::message::{self, Answer, CNAME, Opcode, SOA};
use super::update::{ask, refused};

/// Most names of which one is the next one's.
const MOST: usize = 8;
/// How long a resolver may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most resolvers that are asked (as in resolv.conf(5)).
const MOST_RESOLVERS: usize = 3;

/// Where a record is to be put.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) zone: String,
    pub(super) name: String,
}

/// What a server knows of a name.
enum Known {
    /// It is in this zone of the server.
    Zone(String),
    /// It is another one's.
    Alias(String),
}

/// Finds the zone of the server that `name` is in, or that where it leads. Where the server does not know the name, because its
/// zone is somebody else's, the first of the resolvers that answers is asked where it leads.
pub(super) async fn find(server: &str, resolvers: &[SocketAddr], name: &str) -> Result<Place, DnsError> {
    let asked = name;
    let mut name = name.to_owned();
    for _ in 0..MOST {
        name = match look(server, &name).await {
            Ok(Known::Zone(zone)) => return Ok(Place { zone, name }),
            Ok(Known::Alias(target)) => target,
            Err(unknown @ (DnsError::NoZone(..) | DnsError::Refused { .. })) => match resolve(resolvers, &name).await {
                Some(target) => target,
                None if name == asked => return Err(unknown),
                None => {
                    let led = format!("{name}, where {asked} leads by CNAME");
                    return Err(DnsError::NoZone(server.to_owned(), led));
                }
            },
            Err(error) => return Err(error),
        };
    }
    Err(DnsError::Aliases(asked.to_owned()))
}

/// The zone is the one whose SOA the server gives, as an answer or beside the answer that there is none.
async fn look(server: &str, name: &str) -> Result<Known, DnsError> {
    let answer = ask(server, &message::begin(fastrand::u16(..), Opcode::Query, name, SOA, 0)?).await?;
    // 3: the name does not exist, which it need not yet.
    if !matches!(answer.code, 0 | 3) {
        return Err(refused(server, answer.code, "question for the zone"));
    }
    if let Some(target) = alias(&answer, name) {
        return Ok(Known::Alias(target));
    }
    let is_above = |zone: &str| name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let soa = answer.records.into_iter().find(|record| record.kind == SOA && is_above(&record.name));
    let zone = soa.map(|record| Known::Zone(record.name));
    zone.ok_or_else(|| DnsError::NoZone(server.to_owned(), name.to_owned()))
}

/// Whose name it is, as resolvers see it. One that does not answer is none.
async fn resolve(resolvers: &[SocketAddr], name: &str) -> Option<String> {
    let mut question = message::begin(fastrand::u16(..), Opcode::Query, name, CNAME, 0).ok()?;
    message::want_recursion(&mut question);
    for resolver in resolvers {
        if let Ok(Ok(answer)) = timeout(PATIENCE, ask(&resolver.to_string(), &question)).await {
            return alias(&answer, name);
        }
    }
    None
}

fn alias(answer: &Answer, name: &str) -> Option<String> {
    let is_it = |record: &&message::Record| record.kind == CNAME && record.name == name;
    answer.records.iter().find(is_it)?.target.clone()
}

/// The resolvers of this machine, or of its container.
pub(super) fn resolvers() -> Vec<SocketAddr> {
    // Without such a file nobody is asked.
    named(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

/// resolv.conf(5)
fn named(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, 53))
    };
    text.lines().filter_map(address).take(MOST_RESOLVERS).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::message::{IN, put_name, put_record};
    use super::*;

    /// A server of the DNS that has these records, each a name, a kind and its name as data; what it has nothing of it refuses, or
    /// answers for the whole of a zone with that zone's SOA.
    async fn server(zone: &'static str, aliases: &'static [(&'static str, &'static str)]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = vec![0; stream.read_u16().await.unwrap().into()];
                stream.read_exact(&mut question).await.unwrap();
                let answer = answer(&question, zone, aliases);
                stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        addr
    }

    fn answer(question: &[u8], zone: &str, aliases: &[(&str, &str)]) -> Vec<u8> {
        let is_for = |name: &str| {
            let mut bytes = Vec::new();
            put_name(&mut bytes, name).unwrap();
            question[12..].starts_with(&bytes)
        };
        let mut zone_bytes = Vec::new();
        put_name(&mut zone_bytes, zone).unwrap();
        let is_in_zone = question[12..question.len() - 4].ends_with(&zone_bytes);
        let mut bytes = question.to_vec();
        bytes[2] |= 0x80;
        if let Some((name, target)) = aliases.iter().find(|(name, _)| is_for(name)) {
            let mut data = Vec::new();
            put_name(&mut data, target).unwrap();
            bytes[7] = 1;
            put_record(&mut bytes, name, (CNAME, IN, 60), &data).unwrap();
        } else if is_in_zone {
            (bytes[3], bytes[9]) = (3, 1);
            put_record(&mut bytes, zone, (SOA, IN, 60), &[]).unwrap();
        } else {
            bytes[3] = 5;
        }
        bytes
    }

    fn place(zone: &str, name: &str) -> Place {
        Place { zone: zone.to_owned(), name: name.to_owned() }
    }

    const NAME: &str = "_acme-challenge.a.example";

    #[tokio::test]
    async fn a_name_is_in_the_zone_where_it_leads() {
        let plain = server("a.example", &[]).await.to_string();
        assert_eq!(find(&plain, &[], NAME).await.unwrap(), place("a.example", NAME));
        let both = server("acme.test", &[(NAME, "x.other.test"), ("x.other.test", "a.acme.test")]).await.to_string();
        assert_eq!(find(&both, &[], NAME).await.unwrap(), place("acme.test", "a.acme.test"));
        let circle = server("acme.test", &[(NAME, "x.other.test"), ("x.other.test", NAME)]).await.to_string();
        assert!(matches!(find(&circle, &[], NAME).await, Err(DnsError::Aliases(_))));
    }

    #[tokio::test]
    async fn where_its_zone_is_somebody_elses_resolvers_know() {
        let ours = server("acme.test", &[]).await.to_string();
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let resolver = server("a.example", &[(NAME, "a.acme.test")]).await;
        assert_eq!(find(&ours, &[dead, resolver], NAME).await.unwrap(), place("acme.test", "a.acme.test"));
        let without = find(&ours, &[resolver], "_acme-challenge.b.example").await;
        assert!(matches!(without, Err(DnsError::Refused { .. })), "{without:?}");
        let astray = server("a.example", &[(NAME, "a.elsewhere.test")]).await;
        let told = find(&ours, &[astray], NAME).await.unwrap_err().to_string();
        assert_eq!(told, format!("{ours} has no zone for a.elsewhere.test, where {NAME} leads by CNAME"));
    }

    #[test]
    fn resolvers_are_read_as_others_read_them() {
        let text = "# nameserver 1.1.1.1\nsearch a.example\nnameserver 127.0.0.11\nnameserver\t::1 \nnameserver fe80::1%eth0\n\
                    options ndots:0\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n";
        assert_eq!(named(text), ["127.0.0.11:53", "[::1]:53", "10.0.0.1:53"].map(|addr| addr.parse().unwrap()));
    }
}
