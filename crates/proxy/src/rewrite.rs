//! What changes in a head on its way through. Everything else keeps its order and its spelling.

use std::net::IpAddr;

use divisi_http1::field::{Field, list};
use divisi_http1::{BodyLength, Fields, Known, RequestHead, ResponseHead, Version};
use divisi_model::route::Rewritten;

use crate::body::Coding;
use crate::identity::Identity;

/// Where a request goes, as far as its head says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Via<'a> {
    /// The replica's own `ip:port`.
    pub(crate) replica: &'a str,
    /// The path that stands in the place of the client's.
    pub(crate) path: Option<&'a Rewritten>,
    /// The replica is called by its own address, whatever the client calls it.
    pub(crate) hides_host: bool,
}

/// Writes the head that the replica gets.
pub(crate) fn request(
    head: &RequestHead,
    identity: &Identity,
    via: Via<'_>,
    introduction: &mut Introduction,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(head.method());
    out.push(b' ');
    target(head, via.path, out);
    // RFC 9112 2.3: an intermediary sends its own version.
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for field in head.fields().iter() {
        match field.known {
            Known::TransferEncoding => put(out, field.name, b"chunked"),
            Known::Host if via.hides_host => put(out, field.name, via.replica.as_bytes()),
            _ if passes_upstream(head, identity, field) => field.write(out),
            _ => {}
        }
    }
    let host = head.authority().unwrap_or(via.replica.as_bytes());
    if !head.fields().has(Known::Host) {
        put(out, b"Host", if via.hides_host { via.replica.as_bytes() } else { host });
    }
    if identity.trusted {
        forwarded(head, identity, host, out);
    } else {
        out.extend_from_slice(introduction.of(identity));
        put(out, b"X-Forwarded-Host", host);
    }
    // Behind whatever a trusted client says: the two prefixes are one behind the other, too.
    if let Some(stripped) = via.path.map(Rewritten::stripped).filter(|stripped| !stripped.is_empty()) {
        put(out, b"X-Forwarded-Prefix", stripped);
    }
    hop_by_hop(head, out);
    out.extend_from_slice(b"\r\n");
}

/// The path may be another one; the query stays.
fn target(head: &RequestHead, path: Option<&Rewritten>, out: &mut Vec<u8>) {
    let target = head.target();
    // RFC 9112 3.2.4: `OPTIONS http://host` asks about the server as a whole, and has no path.
    let Some(path) = path.filter(|_| !(target.path.is_empty() && head.method() == b"OPTIONS")) else {
        return target.write_origin_form(head.method(), out);
    };
    out.extend_from_slice(path.path());
    out.extend_from_slice(&target.path[target.without_query().len()..]);
}

fn passes_upstream(head: &RequestHead, identity: &Identity, field: Field<'_>) -> bool {
    match field.known {
        Known::ContentLength | Known::Date | Known::EndToEnd | Known::Host => true,
        Known::Expect => head.expects_continue(),
        Known::Other => !(head.nominates_fields() && is_nominated(head.fields(), field.name)),
        Known::Forwarded | Known::XForwardedHost | Known::XForwardedOther | Known::XForwardedProto | Known::XRealIp => {
            identity.trusted
        }
        // Written again by us, merged with what a trusted client says.
        Known::XForwardedFor => false,
        Known::Alias | Known::Connection | Known::HopByHop | Known::Proxy | Known::Te | Known::Upgrade => false,
        Known::TransferEncoding => true,
    }
}

/// Who a client is that is not trusted, and so has no say in it: its own fields of these names are gone already. All its requests say
/// the same, so the lines are kept for whoever is served next, who mostly is the same client.
#[derive(Debug, Default)]
pub(crate) struct Introduction {
    /// Whose lines they are, and whether it came inside TLS.
    of: Option<(IpAddr, bool)>,
    lines: Vec<u8>,
}

impl Introduction {
    fn of(&mut self, identity: &Identity) -> &[u8] {
        let of = Some((identity.peer(), identity.seal.is_some()));
        if self.of != of {
            self.of = of;
            self.lines.clear();
            put(&mut self.lines, b"X-Forwarded-For", identity.address().as_bytes());
            put(&mut self.lines, b"X-Forwarded-Proto", protocol(identity));
            put(&mut self.lines, b"X-Real-IP", identity.address().as_bytes());
        }
        &self.lines
    }
}

fn protocol(identity: &Identity) -> &'static [u8] {
    if identity.seal.is_some() { b"https" } else { b"http" }
}

/// Whom a trusted client speaks for: what it says is kept, and what it leaves out is about itself.
fn forwarded(head: &RequestHead, identity: &Identity, host: &[u8], out: &mut Vec<u8>) {
    let says = |known| head.fields().has(known);
    out.extend_from_slice(b"X-Forwarded-For: ");
    for field in head.fields().all(Known::XForwardedFor) {
        out.extend_from_slice(field.value);
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(identity.address().as_bytes());
    out.extend_from_slice(b"\r\n");
    if !says(Known::XForwardedProto) {
        put(out, b"X-Forwarded-Proto", protocol(identity));
    }
    if !says(Known::XForwardedHost) {
        put(out, b"X-Forwarded-Host", host);
    }
    if !says(Known::XRealIp) {
        put(out, b"X-Real-IP", identity.address().as_bytes());
    }
}

/// RFC 9110 7.6.1: fields for the next hop only, written anew for ours.
fn hop_by_hop(head: &RequestHead, out: &mut Vec<u8>) {
    if let Some(protocols) = head.upgrade() {
        put(out, b"Connection", b"Upgrade");
        put(out, b"Upgrade", protocols);
    } else if head
        .field(Known::Te)
        .is_some_and(|te| list(te.value).any(|coding| coding.eq_ignore_ascii_case(b"trailers")))
    {
        // RFC 9110 10.1.4: the client keeps trailers, and so do we.
        put(out, b"Connection", b"TE");
        put(out, b"TE", b"trailers");
    }
}

/// What the client's side of an exchange decides about a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    /// The client's version.
    pub(crate) version: Version,
    /// The connection will serve another request.
    pub(crate) keep_alive: bool,
    /// Now, as an IMF-fixdate.
    pub(crate) date: &'a [u8],
    /// The replica's `ip:port`, where the client shall know it.
    pub(crate) replica: Option<&'a str>,
    /// The cookie, by name and value, that brings the client back to its replica.
    pub(crate) cookie: Option<(&'a str, &'a str)>,
    /// What browsers are to remember of TLS.
    pub(crate) hsts: Option<&'a str>,
}

/// How a response's body is framed for a client.
pub(crate) fn coding(head: &ResponseHead, version: Version) -> Coding {
    match head.body() {
        BodyLength::Chunked | BodyLength::UntilClose if version == Version::Http11 => Coding::Chunked,
        _ => Coding::Plain,
    }
}

/// Whether the end of the body can be told from the connection's end.
pub(crate) fn delimits_itself(head: &ResponseHead, version: Version) -> bool {
    version == Version::Http11 || matches!(head.body(), BodyLength::Empty | BodyLength::Sized(_))
}

/// What the head of a response is said in.
pub(crate) trait Head {
    /// Begins it; about so many fields follow.
    fn status(&mut self, status: u16, reason: &[u8], fields: usize);

    /// Adds a field.
    fn put(&mut self, name: &[u8], value: &[u8]);

    /// Adds a field as the replica has said it.
    fn pass(&mut self, field: Field<'_>) {
        self.put(field.name, field.value);
    }

    /// Ends it.
    fn end(&mut self) {}
}

/// HTTP/1.1 (RFC 9112).
impl Head for Vec<u8> {
    fn status(&mut self, status: u16, reason: &[u8], _: usize) {
        let digits = [status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8);
        self.extend_from_slice(b"HTTP/1.1 ");
        self.extend_from_slice(&digits);
        self.push(b' ');
        self.extend_from_slice(reason);
        self.extend_from_slice(b"\r\n");
    }

    fn put(&mut self, name: &[u8], value: &[u8]) {
        put(self, name, value);
    }

    fn pass(&mut self, field: Field<'_>) {
        field.write(self);
    }

    fn end(&mut self) {
        self.extend_from_slice(b"\r\n");
    }
}

/// Says the head of a final response that the client gets.
pub(crate) fn response(head: &ResponseHead, reply: Reply<'_>, out: &mut impl Head) {
    let own = [reply.replica.is_some(), reply.cookie.is_some(), reply.hsts.is_some(), !head.fields().has(Known::Date)];
    let own = own.into_iter().filter(|is_said| *is_said).count();
    out.status(head.status(), head.reason(), head.fields().len() + own);
    let chunked = coding(head, reply.version) == Coding::Chunked;
    for field in head.fields().iter() {
        match field.known {
            // Kept where no body follows, since it describes the one that GET would have (RFC 9112 6.1).
            Known::TransferEncoding
                if chunked || head.body() == BodyLength::Empty && reply.version == Version::Http11 =>
            {
                out.put(field.name, b"chunked");
            }
            // RFC 9110 8.6: never in a 204.
            Known::ContentLength if head.status() == 204 => {}
            Known::Connection | Known::HopByHop | Known::TransferEncoding | Known::Upgrade => {}
            Known::Other if head.nominates_fields() && is_nominated(head.fields(), field.name) => {}
            Known::Other if reply.hsts.is_some() && field.name.eq_ignore_ascii_case(b"strict-transport-security") => {}
            _ => out.pass(field),
        }
    }
    if chunked && head.body() == BodyLength::UntilClose {
        out.put(b"Transfer-Encoding", b"chunked");
    }
    // RFC 9110 6.6.1: a recipient with a clock adds what the origin left out.
    if !head.fields().has(Known::Date) {
        out.put(b"Date", reply.date);
    }
    if let Some(replica) = reply.replica {
        out.put(b"X-Internal-Service", replica.as_bytes());
    }
    if let Some((name, token)) = reply.cookie {
        // RFC 6265 4.1: for this host only, and not for scripts.
        out.put(b"Set-Cookie", format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax").as_bytes());
    }
    // RFC 6797 7.1: once, so the owner's word stands in the place of the replica's.
    if let Some(hsts) = reply.hsts {
        out.put(b"Strict-Transport-Security", hsts.as_bytes());
    }
    connection(reply.version, reply.keep_alive, out);
    out.end();
}

/// RFC 9112 9.3 and 9.6: said only where it is not what the version means anyway.
pub(crate) fn connection(version: Version, keep_alive: bool, out: &mut impl Head) {
    match (version, keep_alive) {
        (Version::Http11, true) | (Version::Http10, false) => {}
        (Version::Http10, true) => out.put(b"Connection", b"keep-alive"),
        (Version::Http11, false) => out.put(b"Connection", b"close"),
    }
}

/// Says an interim response (RFC 9110 15.2), or the 101 that ends HTTP on a connection.
pub(crate) fn interim(head: &ResponseHead, out: &mut impl Head) {
    out.status(head.status(), head.reason(), head.fields().len());
    let switches = head.status() == 101;
    for field in head.fields().iter() {
        match field.known {
            Known::Upgrade if switches => out.put(field.name, field.value),
            Known::Connection | Known::ContentLength | Known::HopByHop | Known::TransferEncoding | Known::Upgrade => {}
            _ => out.pass(field),
        }
    }
    if switches {
        out.put(b"Connection", b"Upgrade");
    }
    out.end();
}

/// RFC 9110 7.6.1: `Connection` names fields that end here. Asked only about names without a meaning of their own, so that
/// nobody can have framing, `Host`, credentials or our own fields removed.
fn is_nominated(fields: &Fields, name: &[u8]) -> bool {
    let mut options = fields.all(Known::Connection).flat_map(|field| list(field.value));
    options.any(|option| option.eq_ignore_ascii_case(name))
}

/// Writes one field line.
pub(crate) fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
