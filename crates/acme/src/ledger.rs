//! What is known of each set of names, and what is to be done next: a pure function of what was heard and of time.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use instant_acme::CertificateIdentifier;

use crate::certificate::Certificate;
use crate::names::NameSet;
use crate::schedule::{Now, Validity, Window, ask_again, pause, renewal};
use crate::settings::Pace;
use crate::status::{Status, Trouble};
use crate::store::StoredTrouble;

/// What is to be done for a set of names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Job {
    /// A certificate is to be had.
    Order {
        /// For whom.
        names: NameSet,
        /// What it replaces, by its name at the authority.
        replaces: Option<CertificateIdentifier<'static>>,
        /// From when the one that we have is.
        held: Option<SystemTime>,
        /// Whether no route has these names, so that somebody has to be asked first.
        is_demanded: bool,
    },
    /// The authority is to be asked when it would like a renewal.
    Ask {
        /// For whom.
        names: NameSet,
        /// What the certificate is called at the authority.
        id: CertificateIdentifier<'static>,
    },
}

/// All sets of names.
#[derive(Debug)]
pub(crate) struct Ledger {
    sets: BTreeMap<NameSet, Entry>,
    pace: Pace,
    random: Rng,
    ordering: usize,
    asking: usize,
    /// Before that no order is begun: they keep apart, and longer when the authority has too many.
    next_order: Option<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    is_routed: bool,
    is_demanded: bool,
    held: Option<Held>,
    is_ordering: bool,
    is_asking: bool,
    ask_from: Option<Instant>,
    trouble: Option<Waiting>,
    /// Another divisi is at it.
    left_alone_until: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    validity: Validity,
    id: Option<CertificateIdentifier<'static>>,
    wish: Option<Window>,
    share: f64,
    young: Duration,
}

#[derive(Debug)]
struct Waiting {
    trouble: Trouble,
    until: Instant,
}

impl Ledger {
    /// Nothing known, and random numbers from `seed`.
    pub(crate) fn new(pace: Pace, seed: u64) -> Self {
        Self { sets: BTreeMap::new(), pace, random: Rng::with_seed(seed), ordering: 0, asking: 0, next_order: None }
    }

    /// These are the sets that routes have by now. Gives those that had none before.
    pub(crate) fn route(&mut self, wanted: &[NameSet]) -> Vec<NameSet> {
        let all: HashSet<_> = wanted.iter().collect();
        for (names, entry) in &mut self.sets {
            entry.is_routed &= all.contains(names);
        }
        let mut new = Vec::new();
        for names in wanted {
            let entry = self.sets.entry(names.clone()).or_default();
            if !entry.is_routed {
                entry.is_routed = true;
                new.push(names.clone());
            }
        }
        self.sets.retain(|_, entry| entry.is_of_use());
        new
    }

    /// Somebody has said that this name, which no route has, is to have a certificate. False where it was known.
    pub(crate) fn demand(&mut self, names: &NameSet) -> bool {
        let entry = self.sets.entry(names.clone()).or_default();
        !std::mem::replace(&mut entry.is_demanded, true)
    }

    /// Somebody has said that it is not.
    pub(crate) fn undemand(&mut self, names: &NameSet) {
        if let Some(entry) = self.sets.get_mut(names) {
            entry.is_demanded = false;
        }
        self.sets.retain(|_, entry| entry.is_of_use());
    }

    /// Whether this certificate is newer than the one that is known.
    pub(crate) fn is_news(&self, certificate: &Certificate) -> bool {
        let held = self.sets.get(certificate.names()).and_then(|entry| entry.held.as_ref());
        held.is_none_or(|held| held.validity.from < certificate.validity().from)
    }

    /// There is this certificate.
    pub(crate) fn hold(&mut self, certificate: &Certificate) {
        let share = self.random.f64();
        let entry = self.sets.entry(certificate.names().clone()).or_default();
        let (validity, id) = (certificate.validity(), certificate.id().cloned());
        entry.held = Some(Held { validity, id, wish: None, share, young: self.pace.young });
        (entry.ask_from, entry.trouble, entry.left_alone_until) = (None, None, None);
    }

    /// How often in a row it has failed.
    pub(crate) fn failures(&self, names: &NameSet) -> u32 {
        let trouble = self.sets.get(names).and_then(|entry| entry.trouble.as_ref());
        trouble.map_or(0, |waiting| waiting.trouble.times)
    }

    /// What is to be done now, which then counts as begun. With `is_calm` false the wall clock is not to be believed.
    pub(crate) fn next(&mut self, now: Now, is_calm: bool) -> Option<Job> {
        self.next_ask(now).or_else(|| self.next_order(now, is_calm))
    }

    fn next_ask(&mut self, now: Now) -> Option<Job> {
        if self.asking >= self.pace.at_once {
            return None;
        }
        let (names, entry) = self.sets.iter_mut().find(|(_, entry)| entry.is_to_ask(now))?;
        let id = entry.held.as_ref().and_then(|held| held.id.clone())?;
        entry.is_asking = true;
        self.asking += 1;
        Some(Job::Ask { names: names.clone(), id })
    }

    fn next_order(&mut self, now: Now, is_calm: bool) -> Option<Job> {
        if self.ordering >= self.pace.at_once || self.next_order.is_some_and(|next| next > now.steady) {
            return None;
        }
        // First those who have none.
        let due = |has_one: bool| {
            move |(_, entry): &(&NameSet, &mut Entry)| entry.held.is_some() == has_one && entry.is_due(now, is_calm)
        };
        let first = self.sets.iter_mut().find(due(false)).map(|(names, _)| names.clone());
        let names = first.or_else(|| self.sets.iter_mut().find(due(true)).map(|(names, _)| names.clone()))?;
        let entry = self.sets.get_mut(&names)?;
        entry.is_ordering = true;
        self.ordering += 1;
        self.next_order = Some(now.steady + self.pace.between);
        let held = entry.held.as_ref();
        Some(Job::Order {
            replaces: held.and_then(|held| held.id.clone()),
            held: held.map(|held| held.validity.from),
            is_demanded: !entry.is_routed,
            names,
        })
    }

    /// When to look for the next job, if nothing is heard before that. Renewals do not count: who looks once a minute is early
    /// enough.
    pub(crate) fn wait(&self, now: Now) -> Option<Duration> {
        let waits = self.sets.values().filter(|entry| entry.is_wanted() && !entry.is_ordering).flat_map(|entry| {
            let trouble = entry.trouble.as_ref().map(|waiting| waiting.until);
            [trouble, entry.left_alone_until, entry.ask_from]
        });
        let next = waits.chain([self.next_order]).flatten().filter(|&at| at > now.steady).min()?;
        Some(next.duration_since(now.steady))
    }

    /// A job has ended without saying anything.
    pub(crate) fn lost(&mut self, names: &NameSet) {
        if let Some(entry) = self.sets.get_mut(names).filter(|entry| entry.is_asking) {
            entry.is_asking = false;
            self.asking -= 1;
        }
        self.ended(names);
    }

    /// An order has ended, somehow.
    pub(crate) fn ended(&mut self, names: &NameSet) {
        if let Some(entry) = self.sets.get_mut(names).filter(|entry| entry.is_ordering) {
            entry.is_ordering = false;
            self.ordering -= 1;
        }
        self.sets.retain(|_, entry| entry.is_of_use());
    }

    /// Another divisi is working on it.
    pub(crate) fn leave_alone(&mut self, names: &NameSet, until: Instant) {
        if let Some(entry) = self.sets.get_mut(names) {
            entry.left_alone_until = Some(until);
        }
    }

    /// The order has failed. Gives what is to be kept of that.
    pub(crate) fn fail(
        &mut self,
        names: &NameSet,
        said: String,
        asked: Option<Duration>,
        now: Now,
    ) -> Option<StoredTrouble> {
        let share = self.random.f64();
        let entry = self.sets.get_mut(names)?;
        let before = entry.trouble.take().map(|waiting| waiting.trouble);
        let times = before.as_ref().map_or(0, |before| before.times).saturating_add(1);
        let wait = pause(times, self.pace.first_pause, self.pace.longest_pause, asked, share);
        let since = before.map_or(now.wall, |before| before.since);
        let trouble = Trouble { since, times, said, next: now.wall + wait };
        let stored = stored(&trouble);
        entry.trouble = Some(Waiting { trouble, until: now.steady + wait });
        Some(stored)
    }

    /// This is what another divisi, or we before a restart, kept of a failure.
    pub(crate) fn recall(&mut self, names: &NameSet, kept: StoredTrouble, now: Now) {
        let Some(entry) = self.sets.get_mut(names) else { return };
        let at = |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(now.wall);
        let StoredTrouble { since, times, said, next } = kept;
        // Whoever wrote more had another clock.
        let wait = at(next).duration_since(now.wall).unwrap_or_default().min(self.pace.longest_pause * 8);
        let trouble = Trouble { since: at(since), times, said, next: now.wall + wait };
        entry.trouble = Some(Waiting { trouble, until: now.steady + wait });
    }

    /// The authority has too much to do: nobody orders for so long, or for as long as is reasonable.
    pub(crate) fn crowd(&mut self, asked: Option<Duration>, now: Now) {
        let wait = asked.unwrap_or_default().clamp(self.pace.crowded, self.pace.crowded * 15);
        self.next_order = self.next_order.max(Some(now.steady + wait));
    }

    /// The authority was asked when it would like a renewal of the certificate that is called so there.
    pub(crate) fn asked(
        &mut self,
        names: &NameSet,
        id: &CertificateIdentifier<'static>,
        wish: Option<(Window, Duration)>,
        now: Now,
    ) {
        // Whoever is asked about is not forgotten.
        let Some(entry) = self.sets.get_mut(names).filter(|entry| entry.is_asking) else { return };
        entry.is_asking = false;
        self.asking -= 1;
        let again = wish.map_or(Duration::from_hours(6), |(_, again)| ask_again(again));
        entry.ask_from = Some(now.steady + again);
        // Another divisi may have put a newer one there meanwhile.
        match (&mut entry.held, wish) {
            (Some(held), Some((window, _))) if held.id.as_ref() == Some(id) => held.wish = Some(window),
            (Some(held), _) if held.id.as_ref() != Some(id) => entry.ask_from = None,
            _ => {}
        }
    }

    /// Sets whose certificate is over and that nobody wants. They are forgotten.
    pub(crate) fn take_expired(&mut self, now: Now) -> Vec<NameSet> {
        let is_over = |entry: &Entry| {
            !entry.is_wanted()
                && !entry.is_ordering
                && !entry.is_asking
                && entry.held.as_ref().is_some_and(|held| held.validity.until < now.wall)
        };
        let over: Vec<_> =
            self.sets.iter().filter(|(_, entry)| is_over(entry)).map(|(names, _)| names.clone()).collect();
        for names in &over {
            self.sets.remove(names);
        }
        over
    }

    /// How all of them stand.
    pub(crate) fn status(&self) -> Vec<Status> {
        let of = |(names, entry): (&NameSet, &Entry)| Status {
            names: names.clone(),
            is_wanted: entry.is_wanted(),
            is_ordering: entry.is_ordering,
            certificate: entry.held.as_ref().map(|held| held.validity),
            renewal: entry.held.as_ref().filter(|_| entry.is_wanted()).map(Held::renewal),
            trouble: entry.trouble.as_ref().map(|waiting| waiting.trouble.clone()),
        };
        self.sets.iter().map(of).collect()
    }
}

impl Entry {
    fn is_wanted(&self) -> bool {
        self.is_routed || self.is_demanded
    }

    fn is_of_use(&self) -> bool {
        self.is_wanted() || self.held.is_some() || self.is_ordering || self.is_asking
    }

    fn is_due(&self, now: Now, is_calm: bool) -> bool {
        let is_past = |at: Option<Instant>| at.is_none_or(|at| at <= now.steady);
        self.is_wanted()
            && !self.is_ordering
            && !self.is_asking
            && is_past(self.trouble.as_ref().map(|waiting| waiting.until))
            && is_past(self.left_alone_until)
            && self.held.as_ref().is_none_or(|held| is_calm && held.renewal() <= now.wall)
    }

    fn is_to_ask(&self, now: Now) -> bool {
        self.is_wanted()
            && !self.is_asking
            && !self.is_ordering
            && self.held.as_ref().is_some_and(|held| held.id.is_some())
            && self.ask_from.is_none_or(|from| from <= now.steady)
    }
}

impl Held {
    fn renewal(&self) -> SystemTime {
        renewal(self.validity, self.wish, self.share, self.young)
    }
}

fn stored(trouble: &Trouble) -> StoredTrouble {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Trouble { since, times, said, next } = trouble;
    StoredTrouble { since: seconds(*since), times: *times, said: said.clone(), next: seconds(*next) }
}
