//! A set of named things of which a change copies little: many small sets, shared between versions until they change.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How many small sets. With ten thousand names each has forty.
const SHARDS: usize = 256;

/// Something with a name of its own.
pub(crate) trait Named {
    fn name(&self) -> &[u8];
}

impl<T: Named> Named for Arc<T> {
    fn name(&self) -> &[u8] {
        (**self).name()
    }
}

/// Things by their names; cheap to copy, and cheap to change in a copy. A name lies in what it names and nowhere else: of ten
/// thousand none is in a cache, and each place to look at costs as much as all of the rest.
#[derive(Clone, Debug)]
pub(crate) struct Sharded<V> {
    shards: Arc<[Arc<Shard<V>>]>,
    is_empty: bool,
}

type Shard<V> = HashSet<ByName<V>>;

#[derive(Clone, Debug)]
struct ByName<V>(V);

impl<V: Named> Borrow<[u8]> for ByName<V> {
    fn borrow(&self) -> &[u8] {
        self.0.name()
    }
}

impl<V: Named> Hash for ByName<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name().hash(state);
    }
}

impl<V: Named> PartialEq for ByName<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl<V: Named> Eq for ByName<V> {}

impl<V> Default for Sharded<V> {
    fn default() -> Self {
        let empty = Arc::new(HashSet::new());
        Self { shards: (0..SHARDS).map(|_| Arc::clone(&empty)).collect(), is_empty: true }
    }
}

impl<V: Clone + Named> Sharded<V> {
    pub(crate) fn get(&self, name: &[u8]) -> Option<&V> {
        if self.is_empty { None } else { self.shards[shard(name)].get(name).map(|found| &found.0) }
    }

    /// The same set without those of these names.
    pub(crate) fn without<'a>(&self, names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        self.changed(|shards| {
            for name in names {
                // Copies a small set that others have, too; from then on it is ours alone.
                Arc::make_mut(&mut shards[shard(name)]).remove(name);
            }
        })
    }

    /// The same set with these, each in the place of the one that had its name.
    pub(crate) fn with(&self, values: Vec<V>) -> Self {
        self.changed(|shards| {
            let mut more = [0; SHARDS];
            values.iter().for_each(|value| more[shard(value.name())] += 1);
            for (shard, more) in shards.iter_mut().zip(more).filter(|(_, more)| *more > 0) {
                Arc::make_mut(shard).reserve(more);
            }
            for value in values {
                Arc::make_mut(&mut shards[shard(value.name())]).replace(ByName(value));
            }
        })
    }

    fn changed(&self, change: impl FnOnce(&mut [Arc<Shard<V>>])) -> Self {
        let mut shards = self.shards.to_vec();
        change(&mut shards);
        let is_empty = shards.iter().all(|shard| shard.is_empty());
        Self { shards: shards.into(), is_empty }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|found| &found.0)
    }
}

/// Names that somebody chose to fall into one shard make changes there slower, nothing else: the sets have a hash of their own.
fn shard(name: &[u8]) -> usize {
    let mixed = name.chunks(8).fold(0u64, |mixed, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (mixed.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    // The upper bits depend on all of the lower ones.
    usize::from(mixed.to_be_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_alike_are_spread() {
        let mut counts = [0; SHARDS];
        (0..10_000).for_each(|n| counts[shard(format!("service-{n}.example.com").as_bytes())] += 1);
        assert!(counts.iter().all(|count| (10..100).contains(count)), "{counts:?}");
    }
}
