//! A connection of HTTP/2 that rests, and what has to be known to go on with it.
//!
//! What reads and writes frames (crate `h2`) holds more than 20 KiB per connection, most of it buffers that are empty while nobody asks
//! for anything. So after a while it is let go, and all that is kept is what both sides rely on, a few hundred bytes: the client's
//! settings, how far the windows of the connection are open, the last stream, and what the client's heads have put into the table
//! of header compression. With the client's next byte another one is made and told all that once more, as if the client had just
//! said it. The client notices nothing of either.
//!
//! | file | job |
//! |---|---|
//! | [`ledger`] | what both sides have said that lasts |
//! | [`table`], [`instruction`], [`huffman`] | the same of header compression |
//! | [`wire`] | the connection, on which it is noted, and on which it is told again |
//! | [`recital`] | what is told, and in which order |
//!
//! Where something cannot be told again (see [`ledger::Ledger::is_complete`]) the connection keeps what it has.

mod huffman;
mod instruction;
mod ledger;
mod recital;
mod table;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use divisi_model::Moment;
use h2::server::{Builder, Connection};

use super::census::Census;
use super::outlet::Parcel;
use super::watched::Watched;
use crate::transport::carrier::Carrier;

use ledger::Ledger;
use wire::Script;

pub(super) use wire::Wire;

/// All that is known of a client's connection.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(super) census: Rc<Census>,
    ledger: Rc<RefCell<Ledger>>,
    /// Since when nobody has asked for anything.
    since: Moment,
}

impl Default for Memory {
    /// Of a client that has said nothing yet.
    fn default() -> Self {
        Self { census: Rc::new(Census::new(true)), ledger: Rc::default(), since: Moment::now() }
    }
}

impl Memory {
    /// Begins with a client.
    ///
    /// # Errors
    /// It does not speak HTTP/2, or leaves.
    pub(super) async fn begin(
        &self,
        carrier: Carrier,
        settings: Builder,
    ) -> Result<Connection<Wire, Parcel>, h2::Error> {
        settings.handshake(Wire::new(self.watch(carrier), Rc::clone(&self.ledger))).await
    }

    /// Goes on with a client that has rested. None where what it has said before was at the edge of what is allowed, and is too much when
    /// it is said at once.
    pub(super) async fn resume(&self, carrier: Carrier, settings: Builder) -> Option<Connection<Wire, Parcel>> {
        let script = Rc::new(Script::default());
        let wire = Wire::resumed(self.watch(carrier), Rc::clone(&self.ledger), Rc::clone(&script));
        let facts = self.ledger.borrow().facts().clone();
        let recited = recital::recite(&facts, &script, settings, wire).await;
        recited.inspect_err(|error| tracing::debug!(%error, "a connection that has rested cannot be served again")).ok()
    }

    /// Whether it is all that has to be kept.
    pub(super) fn is_complete(&self) -> bool {
        self.ledger.borrow().is_complete()
    }

    /// Whether it can never be all.
    pub(super) fn is_lost(&self) -> bool {
        self.ledger.borrow().is_lost()
    }

    /// For how long no stream was given up by us. Its client may not know yet.
    pub(super) fn unreset(&self) -> Duration {
        self.ledger.borrow().unreset()
    }

    /// Nobody has asked for anything since then.
    pub(super) fn rest(&mut self, since: Moment) {
        self.since = since;
        self.ledger.borrow_mut().shrink();
    }

    /// Since when nobody has asked for anything.
    pub(super) fn since(&self) -> Moment {
        self.since
    }

    /// For how long nobody has.
    pub(crate) fn rested(&self) -> Duration {
        Moment::now().since(self.since)
    }

    fn watch(&self, carrier: Carrier) -> Watched {
        Watched::new(carrier, Rc::clone(&self.census))
    }
}
