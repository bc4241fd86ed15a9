//! Where a request belongs, in the world as it is now, and what is done to it on the way there.

use std::net::IpAddr;
use std::sync::Arc;

use divisi_http1::RequestHead;
use divisi_model::route::path::{self, DotSegment};
use divisi_model::route::{Asked, Rewritten};
use divisi_model::{Service, Slot, Snapshot};

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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passage {
    /// Its path was rewritten.
    pub(crate) rewrites: bool,
    /// The replica sees its own address as the host.
    pub(crate) hides_host: bool,
}

/// A request as the routing table asks about it.
struct Question<'a> {
    request: &'a RequestHead,
    path: &'a [u8],
    client: IpAddr,
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
        false
    }
}

/// The service of a request, and where it stands. If a service is found that will not have the request, `record` knows it.
///
/// # Errors
/// There is none, or the way to it is closed.
pub(crate) fn find<'s>(
    snapshot: &'s Snapshot,
    request: &RequestHead,
    paths: &mut Paths,
    record: &mut Record<'_>,
) -> Result<(&'s Arc<Service>, Slot, Passage), Error> {
    let raw = request.target().without_query();
    let path = path::canonical(raw, &mut paths.canonical).map_err(|DotSegment| Error::DotSegment)?;
    let question = Question { request, path, client: record.client() };
    let routes = snapshot.routes();
    let route = if routes.is_empty() { None } else { routes.find(&question) };
    let Some(route) = route else {
        let slot = snapshot.fallback().map_err(|unrouted| match unrouted.is_known {
            true => Error::NotFound(Nowhere::new(question.host(), path, &unrouted.reason)),
            false => Error::NoRoute(unrouted.reason.clone()),
        })?;
        let service = snapshot.service(slot).ok_or_else(|| Error::NoRoute("the service is gone".to_owned()))?;
        return Ok((service, slot, Passage::default()));
    };
    let way = route.way();
    let service = snapshot.service(way.slot);
    if let Some(reason) = &way.closed {
        service.into_iter().for_each(|service| record.belongs_to(service.state()));
        return Err(Error::Closed(Arc::clone(reason)));
    }
    let service = service.ok_or_else(|| Error::Gone(route.service().as_ref().into()))?;
    let rewrites = !way.rewrites.is_empty();
    if rewrites && let Err(DotSegment) = paths.rewritten.apply(&way.rewrites, raw) {
        record.belongs_to(service.state());
        return Err(Error::DotSegment);
    }
    Ok((service, way.slot, Passage { rewrites, hides_host: way.hides_host }))
}
