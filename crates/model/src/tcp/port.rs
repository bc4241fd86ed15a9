//! One port with its routes.

use std::sync::Arc;

use super::Connection;
use crate::route::explain::Step;
use crate::route::{Conflict, Door, Route, RoutingTable};

/// A port that is asked for, with its routes.
#[derive(Clone, Debug, Default)]
pub struct Port {
    number: u16,
    /// The routes of connections that are not inside TLS, or of all where no route asks for TLS.
    plain: RoutingTable,
    /// The routes of those inside TLS.
    secure: RoutingTable,
}

impl Port {
    pub(crate) fn new(number: u16) -> Self {
        Self { number, ..Self::default() }
    }

    /// The same port, in which the owners `ids` have just these routes; and which conflicts are new.
    pub(crate) fn patch(&self, ids: &[&str], routes: Vec<Route>) -> (Self, Vec<Conflict>) {
        let (secure, plain) = routes.into_iter().partition(|route: &Route| route.way().door == Door::Secure);
        let (plain, mut conflicts) = self.plain.patch(ids, plain);
        let (secure, more) = self.secure.patch(ids, secure);
        conflicts.extend(more);
        (Self { number: self.number, plain, secure }, conflicts)
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Whether the first bytes of a connection say where it belongs: some route asks for TLS. On a port where none does, nothing
    /// need be read, and a server may speak first.
    pub fn reads_hello(&self) -> bool {
        !self.secure.is_empty()
    }

    /// Whether connections belong somewhere that are not inside TLS.
    pub fn takes_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.secure.is_empty()
    }

    /// The route of a connection, if there is one. What begins with TLS goes to a route that asks for it, and nowhere else, on a
    /// port where any does.
    pub fn find(&self, connection: &Connection<'_>) -> Option<&Route> {
        let table = if connection.hello.is_some() { &self.secure } else { &self.plain };
        table.find(connection)
    }

    /// What becomes of each route for that connection, in the order of [`routes`](Self::routes). For people.
    pub fn explain(&self, connection: &Connection<'_>) -> Vec<Step<'_>> {
        let mut steps = self.secure.explain(connection);
        steps.extend(self.plain.explain(connection));
        steps
    }

    /// The routes whose TLS is ended here, in no order: for the names of these there has to be a certificate.
    pub fn ended(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.secure.all().filter(|route| !route.way().passes_tls)
    }

    /// All routes, in order, those inside TLS first.
    pub fn routes(&self) -> Vec<&Arc<Route>> {
        let mut routes = self.secure.routes();
        routes.extend(self.plain.routes());
        routes
    }

    /// Who wants the same as another.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = self.secure.conflicts();
        conflicts.extend(self.plain.conflicts());
        conflicts
    }
}
