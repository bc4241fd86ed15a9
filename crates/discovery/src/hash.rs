//! Maps by names of containers and services.
//!
//! The hash of the standard library withstands those who may send names and see how long that takes. Nobody sees that here, and
//! a table of ten thousand containers looks up some hundred thousand names.

//!
//! What is in them lies in one piece, in the order in which it came (until something is taken out of the middle). Going through all
//! of it is going through memory from one end to the other, and the same news come to the same in every run.

use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};

/// A map by such a name.
pub(crate) type Map<K, V> = IndexMap<K, V, RandomState>;

/// A set of such names.
pub(crate) type Set<K> = IndexSet<K, RandomState>;
