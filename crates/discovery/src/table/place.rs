//! Of which services a container is a replica.

use std::sync::Arc;
use std::time::Instant;

use divisi_labels::traefik::own_service;
use divisi_labels::{Dialect, Exposed, ServiceSpec, Wish, Words};
use divisi_model::{Readiness, Slot, Spec, Speech};

use super::owner::Lead;
use super::served::{Key, Terms};
use super::{Table, settle};
use crate::compose::ServiceKey;
use crate::container::ContainerId;
use crate::entry::{Entry, Place, Unroutable};
use crate::network::{self, NoPath};
use crate::news::Turn;

/// A service of which a container is to be a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stake {
    pub(super) key: Key,
    /// The port that is said.
    pub(super) port: Option<u16>,
    pub(super) speech: Arc<Speech>,
    /// So far only our own labels have said it.
    pub(super) is_native: bool,
    pub(super) spec: Arc<Spec>,
    pub(super) terms: Terms,
    /// Somebody has asked for it.
    pub(super) is_asked: bool,
}

impl Table {
    /// Makes a container a replica of what it is to be a replica of, unless that was done before.
    pub(super) fn place(&mut self, id: &ContainerId, now: Instant) {
        let Some(entry) = self.entries.get(id).filter(|entry| !entry.is_placed) else { return };
        let mut stakes = match (&entry.wish.wish, entry.seen) {
            (Some(wish), true) => self.stakes(entry, wish),
            _ => self.provisional(entry),
        };
        if let Some(why) = self.out_of_reach(entry).filter(|_| !stakes.is_empty()) {
            stakes.clear();
            self.tell_out_of_reach(id, why, now);
        }
        let mut slots = Vec::with_capacity(stakes.len());
        for stake in &stakes {
            slots.push(self.services.slot_or_new(&stake.key, &stake.spec, &self.tuning, now));
        }
        self.leave_all_but(id, &slots, now);
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.is_placed = true;
        entry.places.reserve_exact(stakes.len().saturating_sub(entry.places.len()));
        for (stake, slot) in stakes.into_iter().zip(&slots) {
            let place = entry.places.iter_mut().find(|place| place.slot == *slot);
            if let Some(place) = place {
                (place.port, place.is_asked) = (stake.port, stake.is_asked);
                if place.speech != stake.speech {
                    place.speech = stake.speech;
                }
            } else {
                entry.places.push(Place::new(*slot, stake.port, stake.speech, stake.is_asked));
                if let Some(served) = self.services.get_mut(*slot) {
                    served.arrive(entry.identity.number);
                }
            }
            if let (Some(age), Some(served)) = (&entry.wish.age, self.services.get_mut(*slot)) {
                if served.set_terms(age, &stake.terms) {
                    self.owners.touch_all_at(*slot);
                }
                served.want(age.clone(), stake.spec);
            }
            self.services.touch(*slot);
        }
        self.tell_owner(id, slots.first().copied(), now);
    }

    /// Why a container of another project is none of ours, whatever its labels say: no network is common to both, so it is meant
    /// for another proxy of this machine, or its owner has forgotten something. One that has been reached once stays.
    fn out_of_reach(&self, entry: &Entry) -> Option<Unroutable> {
        let key = &entry.identity.key;
        if !entry.seen || !entry.places.is_empty() || self.is_home(key) || self.is_fallback(key) {
            return None;
        }
        let path = network::choose(&self.own.standpoint, &entry.container.networking, entry.network());
        path.err().filter(|why| matches!(why, NoPath::NoneShared { .. })).map(Unroutable::from)
    }

    fn tell_out_of_reach(&mut self, id: &ContainerId, why: Unroutable, now: Instant) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.out_of_reach.as_ref() != Some(&why)) else {
            return;
        };
        self.news.tell(now, &entry.container.name, &Turn::OutOfReach(&why.to_string()), 0, 0);
        entry.out_of_reach = Some(why);
    }

    /// A container is a replica of no services but these.
    fn leave_all_but(&mut self, id: &ContainerId, slots: &[Slot], now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let (stay, leave) =
            std::mem::take(&mut entry.places).into_iter().partition(|place| slots.contains(&place.slot));
        entry.places = stay;
        let leave: Vec<Place> = leave;
        for place in leave {
            let Some(served) = self.services.get_mut(place.slot) else { continue };
            served.leave(entry, now);
            if let Some(replica) = &place.replica {
                settle::turn_to(replica, Readiness::Draining, served.spec().drain, now);
            }
            self.services.touch(place.slot);
        }
    }

    /// What the container says is in force for its Compose service, if it says anything or is at home here.
    fn tell_owner(&mut self, id: &ContainerId, main: Option<Slot>, now: Instant) {
        let Some(entry) = self.entries.get(id) else { return };
        let (key, forget) = (&entry.identity.key, self.tuning.forget);
        let (Some(age), Some(wish)) = (&entry.wish.age, &entry.wish.wish) else { return };
        match main {
            Some(main) => {
                let (age, wish, name) = (age.clone(), Arc::clone(wish), entry.container.name.as_str().into());
                self.owners.join(key, Lead { age, name, wish, main });
            }
            // Its label says that it is not to be reached, which counts as well.
            None => self.owners.leave(key, age, forget, now),
        }
    }

    fn stakes(&self, entry: &Entry, wish: &Wish) -> Vec<Stake> {
        let key = &entry.identity.key;
        let is_led_to = |service: &ServiceSpec| {
            // One of Traefik that nothing here leads to may be meant for a router of another container.
            service.dialect == Dialect::Traefik && wish.exposed == Exposed::Yes
                || wish.routes.iter().any(|route| (route.dialect, &route.service) == (service.dialect, &service.name))
        };
        let mut stakes: Vec<Stake> = Vec::with_capacity(wish.services.len());
        for service in wish.services.iter().filter(|service| is_led_to(service)) {
            let key = self.key_of(key, &entry.container.name, service.dialect, &service.name);
            match stakes.iter_mut().find(|stake| stake.key == key) {
                // Our own labels are on top of what other languages say, and so they are in both.
                Some(known) => {
                    known.port = known.port.or(service.port);
                    known.spec = Arc::clone(&service.spec);
                    if known.is_native {
                        (known.speech, known.is_native) = (shared(&service.speech, &self.speech), false);
                    }
                }
                None => {
                    let (port, speech) = (service.port, shared(&service.speech, &self.speech));
                    let (spec, terms) = (Arc::clone(&service.spec), terms(service));
                    let is_native = service.dialect == Dialect::Native;
                    stakes.push(Stake { key, port, speech, is_native, spec, terms, is_asked: true });
                }
            }
        }
        // Who says that it wants TCP is not found by HTTP, unless somebody names it.
        let is_tcp = !wish.streams.is_empty();
        let is_meant = self.is_fallback(key) && (!is_tcp || self.wish.service.is_some());
        let is_open = self.is_home(key) && !is_tcp && !matches!(wish.exposed, Exposed::No(_));
        if stakes.is_empty() && (is_meant || is_open) {
            let main = wish.services.iter().find(|service| service.dialect == Dialect::Native);
            let port = main.and_then(|main| main.port);
            let speech = main.map_or_else(|| Arc::clone(&self.speech), |main| shared(&main.speech, &self.speech));
            let (key, spec, terms) = (Key::main(key), Arc::clone(&wish.spec), Terms::default());
            stakes.push(Stake { key, port, speech, is_native: true, spec, terms, is_asked: is_meant });
        }
        stakes.extend(self.stream_stakes(entry, wish));
        // The first is what it is if nobody says more.
        stakes.sort_by_key(|stake| stake.key != Key::main(key));
        stakes
    }

    /// Before its labels are known a container stands where others of its service stand.
    fn provisional(&self, entry: &Entry) -> Vec<Stake> {
        let key = &entry.identity.key;
        let lead = self.owners.get(key).and_then(|owner| owner.lead.as_ref());
        let known = lead.and_then(|lead| self.services.get(lead.main)).map(|served| served.key.clone());
        let is_expected = self.is_home(key) || self.is_fallback(key);
        let key = known.or_else(|| is_expected.then(|| Key::main(key)));
        let (spec, terms) = (Arc::clone(&self.spec), Terms::default());
        let speech = lead.zip(key.as_ref()).map(|(lead, key)| self.speech_of(entry, lead, key)).unwrap_or_default();
        let stake = |key| Stake { key, port: None, speech, is_native: true, spec, terms, is_asked: false };
        key.map(stake).into_iter().collect()
    }

    /// How the replicas of that service are spoken to, as others of its containers say.
    fn speech_of(&self, entry: &Entry, lead: &Lead, key: &Key) -> Arc<Speech> {
        let owner = &entry.identity.key;
        let is_it = |service: &&ServiceSpec| self.key_of(owner, &lead.name, service.dialect, &service.name) == *key;
        let (mut said, usual) = (lead.wish.services.iter().filter(is_it), Speech::default());
        let speech = said.find(|service| service.speech != usual).map(|service| service.speech.clone());
        Arc::new(speech.unwrap_or_default())
    }

    /// The service that a container of that owner means by a name.
    pub(super) fn key_of(&self, owner: &ServiceKey, container: &str, dialect: Dialect, name: &str) -> Key {
        match dialect {
            Dialect::Traefik if name == own_name(owner, container) => Key::main(owner),
            // With the original's rules a name is one for the whole engine.
            Dialect::Traefik if self.reader.traefik.strict => Key::of_traefik("", name),
            Dialect::Traefik => Key::of_traefik(&owner.project, name),
            Dialect::Native | Dialect::NginxProxy => Key { owner: owner.clone(), name: name.to_owned() },
        }
    }

    /// Whether it is one of the project that is served as a whole.
    pub(super) fn is_home(&self, key: &ServiceKey) -> bool {
        let is_own = self.own.identity.as_ref().is_some_and(|identity| identity.key == *key);
        !is_own && key.is_composed() && self.wish.project(&self.own) == Some(&key.project)
    }

    /// Whether it gets the requests for which there is no route.
    pub(super) fn is_fallback(&self, key: &ServiceKey) -> bool {
        self.chosen.as_ref() == Some(key)
    }
}

/// What is wanted, as most want it or as a copy.
fn shared(wanted: &Speech, usual: &Arc<Speech>) -> Arc<Speech> {
    if *wanted == **usual { Arc::clone(usual) } else { Arc::new(wanted.clone()) }
}

fn terms(service: &ServiceSpec) -> Terms {
    let (closed, middlewares) = (service.closed.clone(), service.middlewares.clone());
    Terms { closed, middlewares, hides_host: !service.pass_host }
}

/// What Traefik calls the service of a container that does not name one.
fn own_name(key: &ServiceKey, container: &str) -> String {
    let service = if key.is_composed() { &*key.service } else { "" };
    own_service(&Words { service, project: &key.project, container, ..Words::default() })
}
