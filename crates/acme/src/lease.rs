//! Who of several divisi on one folder works on a set of names: a file with a name and a time. Whoever is working moves the
//! time on; whoever is dead cannot, and loses it. Everything here blocks.
//!
//! Reading and writing the file is one step for all, under the lock of a file (`flock`) that the system takes from whoever is
//! killed. That lock is held for a moment only, while the lease may be held for minutes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::store::{Fault, StoreError, remove, write};

/// What the file says.
#[derive(Debug, Deserialize, Serialize)]
struct Note {
    /// Who has it: a random name.
    holder: String,
    /// Until when, in seconds since 1970.
    until: u64,
}

/// The right to work on something until it is over, moved on or given back.
#[derive(Debug)]
pub(crate) struct Lease {
    folder: PathBuf,
    path: PathBuf,
    holder: String,
    length: Duration,
}

/// What became of the wish for a lease.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is ours.
    Ours(Lease),
    /// Another one has it, for so long if that one dies now.
    Anothers(Duration),
}

/// Takes the lease called `key` in `folder` for `holder`, if nobody has it at `now`.
pub(crate) fn take(
    folder: &Path,
    key: &str,
    holder: &str,
    length: Duration,
    now: SystemTime,
) -> Result<Taken, StoreError> {
    let path = folder.join(format!("{key}.json"));
    let lease = Lease { folder: folder.to_owned(), path, holder: holder.to_owned(), length };
    let _one_at_a_time = guard(folder)?;
    if let Some(left) = lease.anothers(now) {
        return Ok(Taken::Anothers(left));
    }
    lease.write(now)?;
    Ok(Taken::Ours(lease))
}

impl Lease {
    /// Moves it on, unless another one has taken it, because we were asleep for too long.
    pub(crate) fn renew(&self, now: SystemTime) -> Result<bool, StoreError> {
        let _one_at_a_time = guard(&self.folder)?;
        let is_ours = self.note().is_some_and(|note| note.holder == self.holder);
        if is_ours {
            self.write(now)?;
        }
        Ok(is_ours)
    }

    /// How often it is to be moved on.
    pub(crate) fn beat(&self) -> Duration {
        self.length / 3
    }

    /// Gives it back.
    pub(crate) fn release(&self) -> Result<(), StoreError> {
        let _one_at_a_time = guard(&self.folder)?;
        if self.note().is_some_and(|note| note.holder == self.holder) {
            remove(&self.path)?;
        }
        Ok(())
    }

    /// How long another one has it, if any. One that would last longer than any can was written with another clock.
    fn anothers(&self, now: SystemTime) -> Option<Duration> {
        let note = self.note().filter(|note| note.holder != self.holder)?;
        let left = UNIX_EPOCH.checked_add(Duration::from_secs(note.until))?.duration_since(now).ok()?;
        (!left.is_zero() && left <= self.length * 2).then_some(left)
    }

    /// A file that cannot be read says nothing, and is written anew.
    fn note(&self) -> Option<Note> {
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    fn write(&self, now: SystemTime) -> Result<(), StoreError> {
        let until = (now + self.length).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let note = Note { holder: self.holder.clone(), until };
        write(&self.path, &serde_json::to_vec(&note).expect("a name and a number are JSON"))
    }
}

/// The lock that is held as long as the file is open.
fn guard(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(".guard");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let locked = file.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| StoreError { path, what: Fault::Io(error) })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(120);

    fn of(folder: &Path, holder: &str, now: SystemTime) -> Taken {
        take(folder, "a.example", holder, LENGTH, now).unwrap()
    }

    #[test]
    fn one_has_it_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let Taken::Ours(lease) = of(folder.path(), "one", now) else { panic!() };
        assert!(matches!(of(folder.path(), "two", now), Taken::Anothers(left) if left <= LENGTH));
        assert!(matches!(take(folder.path(), "b.example", "two", LENGTH, now).unwrap(), Taken::Ours(_)));
        lease.release().unwrap();
        assert!(matches!(of(folder.path(), "two", now), Taken::Ours(_)));
    }

    #[test]
    fn a_dead_one_loses_it_and_a_working_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let Taken::Ours(one) = of(folder.path(), "one", now) else { panic!() };
        assert!(one.renew(now + LENGTH / 2).unwrap());
        assert!(matches!(of(folder.path(), "two", now + LENGTH), Taken::Anothers(_)));
        assert!(matches!(of(folder.path(), "two", now + LENGTH * 2), Taken::Ours(_)));
        assert!(!one.renew(now + LENGTH * 2).unwrap(), "it woke up too late");
        one.release().unwrap();
        assert!(matches!(of(folder.path(), "three", now + LENGTH * 2), Taken::Anothers(_)), "two still has it");
    }

    #[test]
    fn neither_nonsense_nor_another_clock_blocks_it() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        std::fs::write(folder.path().join("a.example.json"), "{\"hol").unwrap();
        assert!(matches!(of(folder.path(), "one", now + LENGTH * 1000), Taken::Ours(_)));
        assert!(matches!(of(folder.path(), "two", now), Taken::Ours(_)), "one's clock is far ahead");
        std::fs::write(folder.path().join("a.example.json"), r#"{"holder":"x","until":18446744073709551615}"#).unwrap();
        assert!(matches!(of(folder.path(), "two", now), Taken::Ours(_)));
    }

    #[test]
    fn of_many_who_find_it_expired_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        of(folder.path(), "dead", now - LENGTH * 3);
        let together = Barrier::new(8);
        let got = thread::scope(|scope| {
            let (folder, together) = (folder.path(), &together);
            let all: Vec<_> = (0..8)
                .map(|number| {
                    scope.spawn(move || {
                        together.wait();
                        matches!(of(folder, &number.to_string(), now), Taken::Ours(_))
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|&got| got).count()
        });
        assert_eq!(got, 1);
    }
}
