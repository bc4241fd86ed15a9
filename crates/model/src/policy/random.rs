//! Any replica, each as likely as the other: what the program of 2016 did.

use std::sync::Arc;

use crate::replica::Replica;

pub(super) fn choose(candidates: &[Arc<Replica>]) -> usize {
    fastrand::usize(..candidates.len())
}
