//! Who of the workers listens where.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::listener;

/// Most ports that are opened for labels: each costs a descriptor per worker.
const MOST: usize = 1024;

/// The ports that labels have opened, over all workers.
#[derive(Debug)]
pub(crate) struct Doors {
    ip: IpAddr,
    /// Those at which HTTP is served.
    own: Vec<u16>,
    /// How many workers listen at each.
    open: Mutex<HashMap<u16, usize>>,
}

impl Doors {
    /// None so far. Those of HTTP are at these addresses, and all are opened where the first of them is.
    pub(crate) fn new(plain: SocketAddr, secure: Option<SocketAddr>) -> Self {
        let own = [Some(plain), secure].into_iter().flatten().map(|addr| addr.port()).collect();
        Self { ip: plain.ip(), own, open: Mutex::default() }
    }

    /// Whether HTTP is served there.
    pub(crate) fn is_own(&self, port: u16) -> bool {
        self.own.contains(&port)
    }

    /// A listening socket at a port. Fails for the first worker where another program has it.
    pub(super) fn open(&self, port: u16) -> io::Result<TcpListener> {
        let addr = SocketAddr::new(self.ip, port);
        // Held while the port is tried: of two workers one is the first.
        let mut open = self.lock();
        let count = open.get(&port).copied().unwrap_or_default();
        if count == 0 {
            if open.len() >= MOST {
                return Err(io::Error::other(format!("labels ask for more than {MOST} ports")));
            }
            listener::ensure_free(addr)?;
        }
        let listener = listener::listen(addr)?;
        open.insert(port, count + 1);
        Ok(listener)
    }

    /// A worker has closed its socket there. Returns whether it was the last one.
    pub(super) fn close(&self, port: u16) -> bool {
        let mut open = self.lock();
        let Some(count) = open.get_mut(&port) else { return true };
        *count -= 1;
        let is_last = *count == 0;
        if is_last {
            open.remove(&port);
        }
        is_last
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
