//! Where a request belongs, in the world as it is now, and what is done to it on the way there.

use std::net::IpAddr;
use std::sync::Arc;

use divisi_http1::RequestHead;
use divisi_model::route::path::{self, DotSegment};
use divisi_model::route::{Asked, Rewritten, Way};
use divisi_model::{Service, Slot, Snapshot};

use crate::door::{self, challenge};
use crate::error::{Error, Nowhere};
use crate::record::Record;

/// The memory for the two forms of a path that differ from the one in which it came.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// As rules are compared with it.
    canonical: Vec<u8>,
    /// As the replica gets it.
    rewritten: Rewritten,
}

impl Paths {
    /// As the replica gets it, where [`Passage::rewrites`].
    pub(crate) fn rewritten(&self) -> &Rewritten {
        &self.rewritten
    }
}

/// What is done to a request on the way to its replica.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passage {
    /// Its path was rewritten.
    pub(crate) rewrites: bool,
    /// The replica sees its own address as the host.
    pub(crate) hides_host: bool,
    /// What browsers are to remember of TLS.
    pub(crate) hsts: Option<Arc<str>>,
}

/// A request as the routing table asks about it.
struct Question<'a> {
    request: &'a RequestHead,
    path: &'a [u8],
    client: IpAddr,
    is_secure: bool,
}

impl Asked for Question<'_> {
    /// RFC 9112 3.2.2: an absolute-form target wins over `Host`.
    fn host(&self) -> &[u8] {
        self.request.authority().unwrap_or_default()
    }

    fn path(&self) -> &[u8] {
        self.path
    }

    fn query(&self) -> &[u8] {
        let target = self.request.target().path;
        target.iter().position(|byte| *byte == b'?').map_or(&[], |at| &target[at + 1..])
    }

    fn method(&self) -> &[u8] {
        self.request.method()
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut named = self.request.fields().iter().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
        named.any(|field| test(field.value))
    }

    fn client(&self) -> IpAddr {
        self.client
    }

    fn is_secure(&self) -> bool {
        self.is_secure
    }
}

/// The service of a request, and where it stands. If a service is found that will not have the request, `record` knows it.
///
/// # Errors
/// There is none, or the way to it is closed, or leads through TLS.
pub(crate) fn find<'s>(
    snapshot: &'s Snapshot,
    request: &RequestHead,
    paths: &mut Paths,
    record: &mut Record<'_>,
) -> Result<(&'s Arc<Service>, Slot, Passage), Error> {
    let raw = request.target().without_query();
    let (worker, identity) = (record.worker, record.identity);
    let is_challenge = challenge::answer(raw, worker)?;
    door::mind_the_entrance(identity, request)?;
    let path = path::canonical(raw, &mut paths.canonical).map_err(|DotSegment| Error::DotSegment)?;
    let question = Question { request, path, client: record.client(), is_secure: identity.is_secure(request) };
    let routes = snapshot.routes();
    let Some(route) = (if routes.is_empty() { None } else { routes.find(&question) }) else {
        if !is_challenge {
            door::open_inside(routes, &question, request, worker)?;
        }
        let slot = snapshot.fallback().map_err(|unrouted| match unrouted.is_known {
            true => Error::NotFound(Nowhere::new(question.host(), path, &unrouted.reason)),
            false => Error::NoRoute(unrouted.reason.clone()),
        })?;
        let service = snapshot.service(slot).ok_or_else(|| Error::NoRoute("the service is gone".to_owned()))?;
        return Ok((service, slot, Passage::default()));
    };
    let way = route.way();
    let service = snapshot.service(way.slot);
    if let Err(error) = admit(way, request, &question, is_challenge, record) {
        service.into_iter().for_each(|service| record.belongs_to(service.state()));
        return Err(error);
    }
    let service = service.ok_or_else(|| Error::Gone(route.service().as_ref().into()))?;
    let rewrites = !way.rewrites.is_empty();
    if rewrites && let Err(DotSegment) = paths.rewritten.apply(&way.rewrites, raw) {
        record.belongs_to(service.state());
        return Err(Error::DotSegment);
    }
    let hsts = way.protection.hsts.as_ref().filter(|_| question.is_secure).map(Arc::clone);
    Ok((service, way.slot, Passage { rewrites, hides_host: way.hides_host, hsts }))
}

/// Whether a route takes a request that fits it.
fn admit(
    way: &Way,
    request: &RequestHead,
    question: &Question<'_>,
    is_challenge: bool,
    record: &Record<'_>,
) -> Result<(), Error> {
    if let Some(redirect) = way.redirect(question.is_secure).filter(|_| !is_challenge) {
        door::redirect(redirect, request, record.worker)?;
    }
    if let Some(reason) = &way.closed {
        return Err(Error::Closed(Arc::clone(reason)));
    }
    door::check_client(&way.protection, record.identity)
}
