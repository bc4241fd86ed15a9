//! Who may ask.
//!
//! A page in somebody's browser can have its own name resolved to our address and then read our answers (DNS rebinding), but
//! it cannot keep that name out of `Host`. So only hosts are answered that no stranger can own: addresses, `localhost`, names
//! without a dot, as Compose gives them to services, and the name under which the console was told to listen.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::HOST;
use hyper::http::uri::Authority;
use hyper::{Request, Version};

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// It does not say whom it asks, or says it twice.
    Unclear,
    /// It asks for somebody else.
    Other,
}

/// Whether the request is one for us; `name` is the one under which we listen.
pub(crate) fn check<B>(request: &Request<B>, name: &str) -> Result<(), Stranger> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let target = request.uri().authority().map(Authority::as_str);
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().map_err(|_| Stranger::Other)?),
        (None, None) if request.version() == Version::HTTP_10 => None,
        _ => return Err(Stranger::Unclear),
    };
    if [target, host].into_iter().flatten().all(|host| is_ours(host, name)) { Ok(()) } else { Err(Stranger::Other) }
}

fn is_ours(host: &str, name: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        });
    }
    let host = match host.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => host,
    };
    let is_plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_plain || host.parse::<IpAddr>().is_ok() || (!name.is_empty() && host.eq_ignore_ascii_case(name))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_else_can_own() {
        for ours in [
            "127.0.0.1",
            "127.0.0.1:9180",
            "[::1]",
            "[::1]:9180",
            "localhost:1",
            "LOCALHOST",
            "divisi:9180",
            "my_lb",
            "lb.corp.test:1",
        ] {
            assert!(is_ours(ours, "lb.corp.test"), "{ours}");
        }
        for other in [
            "",
            ":80",
            "evil.test",
            "evil.test:9180",
            "localhost.evil.test",
            "localhost.",
            "[::1].evil.test",
            "[::1",
            "[x]",
            "1.2.3.4.evil.test",
            "a b",
            "127.0.0.1@evil.test",
            "a/b",
        ] {
            assert!(!is_ours(other, "lb.corp.test"), "{other}");
        }
        assert!(!is_ours("", ""));
    }

    #[test]
    fn a_request_names_one_host() {
        let request = |hosts: &[&str], version, target: &str| {
            let builder = Request::builder().version(version).uri(target);
            hosts.iter().fold(builder, |builder, host| builder.header(HOST, *host)).body(()).expect("a request")
        };
        let check = |hosts: &[&str], version, target| check(&request(hosts, version, target), "");
        assert_eq!(check(&["localhost"], Version::HTTP_11, "/"), Ok(()));
        assert_eq!(check(&[], Version::HTTP_10, "/"), Ok(()));
        assert_eq!(check(&[], Version::HTTP_11, "/"), Err(Stranger::Unclear));
        assert_eq!(check(&["localhost", "evil.test"], Version::HTTP_11, "/"), Err(Stranger::Unclear));
        assert_eq!(check(&["evil.test"], Version::HTTP_11, "/"), Err(Stranger::Other));
        assert_eq!(check(&["localhost"], Version::HTTP_11, "http://evil.test/"), Err(Stranger::Other));
    }
}
