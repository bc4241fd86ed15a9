//! All services that get requests, each in its slot.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use divisi_model::{Replica, Service, Slot, Spec};

use super::served::{Key, Served};
use crate::container::ContainerId;
use crate::hash::Map;
use crate::settings::Tuning;

/// All services that get requests, each in its slot, which another one may get when it is gone.
#[derive(Debug, Default)]
pub(super) struct Services {
    slots: Vec<Option<Served>>,
    /// As they were last published.
    current: Vec<Option<Arc<Service>>>,
    by_key: Map<Key, Slot>,
    free: Vec<Slot>,
    /// Those that are to be published anew, some of them several times.
    touched: Vec<Slot>,
    /// When whose [`Served::expire`] has something to do.
    dues: BTreeSet<(Instant, Slot)>,
    due_of: Vec<Option<Instant>>,
}

impl Services {
    /// There will be about so many.
    pub(super) fn expect(&mut self, count: usize) {
        let more = count.saturating_sub(self.by_key.len());
        self.slots.reserve(more);
        self.current.reserve(more);
        self.due_of.reserve(more);
        self.by_key.reserve(more);
    }

    /// The slot of a service, if there is such a service.
    pub(super) fn slot(&self, key: &Key) -> Option<Slot> {
        self.by_key.get(key).copied()
    }

    /// The slot of a service, which is made if there is none.
    pub(super) fn slot_or_new(&mut self, key: &Key, spec: &Arc<Spec>, tuning: &Tuning, now: Instant) -> Slot {
        if let Some(slot) = self.slot(key) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.current.push(None);
            self.due_of.push(None);
            Slot(self.slots.len() - 1)
        });
        self.slots[slot.0] = Some(Served::new(key.clone(), Arc::clone(spec), tuning, now));
        self.by_key.insert(key.clone(), slot);
        // Most are given a container next, and are due for nothing then; the others are noted when they are published.
        self.touched.push(slot);
        slot
    }

    /// The service in a slot.
    pub(super) fn get(&self, slot: Slot) -> Option<&Served> {
        self.slots.get(slot.0)?.as_ref()
    }

    /// The service in a slot, to be changed; [`touch`](Self::touch) tells that it was.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Served> {
        self.slots.get_mut(slot.0)?.as_mut()
    }

    /// How many replicas of it get requests.
    pub(super) fn count(&self, slot: Slot) -> usize {
        self.get(slot).map_or(0, Served::count)
    }

    /// The service in a slot is another one than was published.
    pub(super) fn touch(&mut self, slot: Slot) {
        self.touched.push(slot);
        self.note_due(slot);
    }

    fn note_due(&mut self, slot: Slot) {
        let due = self.get(slot).and_then(Served::due);
        let before = std::mem::replace(&mut self.due_of[slot.0], due);
        if before != due {
            self.dues.extend(due.map(|due| (due, slot)));
            if let Some(before) = before {
                self.dues.remove(&(before, slot));
            }
        }
    }

    /// Whether any service is to be published anew.
    pub(super) fn is_changed(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The slots whose services are to be published anew, in order.
    pub(super) fn touched(&mut self) -> Vec<Slot> {
        self.touched.sort_unstable();
        self.touched.dedup();
        self.touched.clone()
    }

    /// The replicas that get requests.
    pub(super) fn ready(&self) -> impl Iterator<Item = (&ContainerId, &Arc<Replica>)> {
        self.slots.iter().flatten().flat_map(Served::ready)
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// What was to be by `now` is. Returns whether a service was forgotten.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let mut is_any_forgotten = false;
        while let Some((_, slot)) = self.dues.first().copied().filter(|(due, _)| *due <= now) {
            let Some(served) = self.get_mut(slot) else {
                self.touch(slot);
                continue;
            };
            served.expire(now);
            is_any_forgotten |= served.is_forgotten();
            self.touch(slot);
        }
        is_any_forgotten
    }

    /// Services without containers that nobody waits for go, unless `used`.
    pub(super) fn sweep(&mut self, used: &HashSet<Slot>) {
        let is_gone = |slot: &Slot| !used.contains(slot) && self.get(*slot).is_some_and(Served::is_forgotten);
        let gone: Vec<_> = (0..self.slots.len()).map(Slot).filter(is_gone).collect();
        for slot in gone {
            if let Some(served) = self.slots[slot.0].take() {
                self.by_key.swap_remove(&served.key);
            }
            self.free.push(slot);
            self.touch(slot);
        }
    }

    /// All services as they are now.
    pub(super) fn publish(&mut self) -> Vec<Option<Arc<Service>>> {
        for slot in self.touched() {
            self.note_due(slot);
            self.current[slot.0] = self.slots[slot.0].as_mut().map(Served::publish);
        }
        self.touched.clear();
        self.current.clone()
    }
}
