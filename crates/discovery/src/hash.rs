//! Maps by names of containers and services.
//!
//! The hash of the standard library withstands those who may send names and see how long that takes. Nobody sees that here, and
//! a table of ten thousand containers looks up some hundred thousand names.

use foldhash::fast::RandomState;

/// A map by such a name.
pub(crate) type Map<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A set of such names.
pub(crate) type Set<K> = std::collections::HashSet<K, RandomState>;
