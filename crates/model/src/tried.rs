//! The replicas that one request was already sent to.

use crate::replica::ReplicaId;

/// The replicas that one request was already sent to. Holds a few and no heap: a request is not tried for ever.
#[derive(Clone, Debug)]
pub struct Tried {
    ids: [ReplicaId; Self::MOST],
    len: usize,
}

impl Default for Tried {
    fn default() -> Self {
        Self::NONE
    }
}

impl Tried {
    /// How many attempts one request gets. Most end with a refused connection, which is cheap: a service scaled down at once
    /// has several replicas that refuse before the engine says so, beside others that would answer.
    pub const MOST: usize = 16;

    /// None so far.
    pub const NONE: Self = Self { ids: [ReplicaId::NONE; Self::MOST], len: 0 };

    /// Notes a replica. Returns false when no further attempt is allowed.
    pub fn add(&mut self, id: ReplicaId) -> bool {
        if self.len < Self::MOST {
            self.ids[self.len] = id;
            self.len += 1;
        }
        self.len < Self::MOST
    }

    /// Whether the request was sent to this replica before.
    pub fn contains(&self, id: ReplicaId) -> bool {
        self.ids[..self.len].contains(&id)
    }

    /// How many replicas it was sent to.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it was sent to none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_not_tried_for_ever() {
        let mut tried = Tried::default();
        let more = (1..=20).filter(|n| tried.add(ReplicaId::numbered(*n))).count();
        assert_eq!(more, Tried::MOST - 1);
        assert_eq!(tried.len(), Tried::MOST);
    }
}
