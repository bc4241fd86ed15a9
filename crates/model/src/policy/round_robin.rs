//! One after the other; the turn is one atomic for all workers and survives changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::replica::Replica;

pub(super) fn choose(candidates: &[Arc<Replica>], cursor: &AtomicUsize) -> usize {
    cursor.fetch_add(1, Ordering::Relaxed) % candidates.len()
}
