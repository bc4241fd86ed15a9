//! What a client's heads have put into the table of header compression (RFC 7541 2.3.2), as the instructions that did: told again, they
//! fill another one with the same.

use std::collections::VecDeque;

use super::instruction::{Effect, Field, take};

/// How large the table is, where nobody has said anything else (RFC 9113 6.5.2).
const SIZE: usize = 4096;
/// What an entry counts beyond its name and value (RFC 7541 4.1).
const ENTRY: usize = 32;

/// How much one head may put into it, at the cost of most of what it has put there itself: two bytes can stand for thousands, and each has
/// to be written out before whoever reads heads finds that it is too much.
const MOST_AT_ONCE: usize = 16 * SIZE;

/// How much the instructions of one head may stand for when they are told again. At four times what a head may be crate h2 ends the
/// connection, and a head may be 1 KiB at the least.
const AT_A_TIME: usize = 3 * 1024;

/// How long the names are of the entries that are always there (RFC 7541 A). Those of the table follow them, the newest first (2.3.3).
const NAMES: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4,
    4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// The oldest first.
    entries: VecDeque<Entry>,
    /// How much of it they fill.
    size: usize,
}

/// An entry.
#[derive(Clone, Debug)]
struct Entry {
    /// Makes the same entry, whatever else is in the table.
    instruction: Box<[u8]>,
    /// How long the part of it is that says the name.
    name: usize,
    size: usize,
}

/// A head that cannot be told again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unrepeatable;

impl Table {
    /// Notes what a head puts into it.
    ///
    /// # Errors
    /// It is too much, the table is made smaller or larger, or it is no head at all. What is here is not to be used then.
    pub(super) fn note(&mut self, mut block: &[u8]) -> Result<(), Unrepeatable> {
        let mut left = MOST_AT_ONCE;
        while let Some((first, rest)) = block.split_first() {
            // RFC 7541 6.1: a field that stands in a table, as most do, and near its beginning, is one byte.
            if (0x80..0xff).contains(first) {
                block = rest;
                continue;
            }
            match take(&mut block).ok_or(Unrepeatable)? {
                (Effect::None, _) => {}
                (Effect::Insert(field), instruction) => {
                    let entry = self.entry(field, instruction)?;
                    left = left.checked_sub(entry.size).ok_or(Unrepeatable)?;
                    self.insert(entry);
                }
                // RFC 7541 4.2: only to be said at the beginning of a head, and so not in the middle of many at once.
                (Effect::Resize, _) => return Err(Unrepeatable),
            }
        }
        Ok(())
    }

    /// RFC 7541 4.4: an entry makes room for itself, at the cost of the oldest. One that is larger than the table leaves it empty.
    fn insert(&mut self, entry: Entry) {
        self.size += entry.size;
        self.entries.push_back(entry);
        while self.size > SIZE
            && let Some(gone) = self.entries.pop_front()
        {
            self.size -= gone.size;
        }
    }

    /// What an instruction puts into it.
    fn entry(&self, Field { index, name, length }: Field, instruction: &[u8]) -> Result<Entry, Unrepeatable> {
        let known = match index as usize {
            0 => Some(0),
            index => NAMES.get(index - 1).map(|name| usize::from(*name)),
        };
        if let Some(known) = known {
            return Ok(Entry { instruction: instruction.into(), name, size: known + length + ENTRY });
        }
        // The name of another entry, which may be gone when this one is still there: so it is written out.
        let age = index as usize - NAMES.len() - 1;
        let named = self.entries.iter().rev().nth(age).ok_or(Unrepeatable)?;
        let instruction = [&named.instruction[..named.name], &instruction[name..]].concat();
        match take(&mut &*instruction) {
            Some((Effect::Insert(field), _)) => self.entry(field, &instruction),
            _ => Err(Unrepeatable),
        }
    }

    /// All instructions in order, in parts that are heads of their own.
    pub(super) fn parts(&self) -> Vec<Vec<u8>> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut room = 0;
        for Entry { instruction, size, .. } in &self.entries {
            match parts.last_mut().filter(|_| *size <= room) {
                Some(part) => {
                    part.extend_from_slice(instruction);
                    room -= size;
                }
                // One that is too large by itself goes by itself.
                None => {
                    parts.push(instruction.to_vec());
                    room = AT_A_TIME.saturating_sub(*size);
                }
            }
        }
        parts
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use divisi_testkit::http2::hpack::STATIC;

    use super::*;

    fn noted(blocks: &[&[u8]]) -> Result<Table, Unrepeatable> {
        let mut table = Table::default();
        blocks.iter().try_for_each(|block| table.note(block))?;
        Ok(table)
    }

    #[test]
    fn names_are_as_long_as_they_are() {
        assert_eq!(NAMES.map(usize::from), STATIC.map(|(name, _)| name.len()));
    }

    /// RFC 7541 C.4: three requests, of which the first puts one field into the table, the second and the third one more each.
    #[test]
    fn what_fills_the_table_is_kept_and_nothing_else() {
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        let table = noted(&[first, second, third]).expect("it can be told again");
        assert_eq!(table.parts(), [[&first[3..], &second[4..], &third[4..]].concat()]);
    }

    #[test]
    fn names_of_others_are_written_out() {
        // The second has the name of the first, the third that of the second, and the fourth that of a static one by way of another.
        let block = b"\x40\x01a\x011\x7e\x012\x7e\x013\x53\x014\x7e\x015";
        let table = noted(&[block]).expect("it can be told again");
        assert_eq!(table.parts(), [b"\x40\x01a\x011\x40\x01a\x012\x40\x01a\x013\x53\x014\x53\x015"]);
    }

    #[test]
    fn what_has_made_room_for_others_is_forgotten() {
        // Of 100 bytes each there is room for 40.
        let entry = [&b"\x40\x01a\x43"[..], &[b'x'; 67]].concat();
        let mut table = Table::default();
        for _ in 0..1_000 {
            table.note(&entry).expect("it can be told again");
        }
        assert_eq!(table.entries.len(), 40);
        // RFC 7541 4.4: one that is larger than the table empties it.
        let huge = [&b"\x40\x01a\x7f\xe1\x1f"[..], &[b'x'; 4_192]].concat();
        table.note(&huge).expect("it can be told again");
        assert_eq!((table.entries.len(), table.size), (0, 0));
    }

    #[test]
    fn what_cannot_be_told_again_is_an_error() {
        let long = [&b"\x40\x7f\xd1\x0e"[..], &[b'n'; 2_000], b"\x00"].concat();
        let bomb = [long, b"\x7e\x00".repeat(40)].concat();
        for (block, name) in [
            (&b"\x3f\xe1\x1f"[..], "a table of another size"),
            (b"\x40\x0acustom", "a cut name"),
            (b"\x40\x01a\x011\x7f\x00\x012", "the name of an entry that is not there"),
            (&bomb, "a long name again and again"),
        ] {
            assert_eq!(noted(&[block]).err(), Some(Unrepeatable), "{name}");
        }
    }

    #[test]
    fn the_parts_are_small_and_end_where_instructions_do() {
        let table = noted(&[&b"\x40\x03abc\x04defg".repeat(300)]).expect("it can be told again");
        assert!(table.parts().len() > 1);
        for part in table.parts() {
            assert!(part.len() / 10 * (ENTRY + 7) <= AT_A_TIME, "{}", part.len());
            assert_eq!(part.len() % 10, 0);
        }
        // One that is too large by itself, between two that are not.
        let large = [&b"\x40\x01a\x7f\xa9\x1a"[..], &[b'x'; 3_496]].concat();
        let table = noted(&[b"\x40\x01a\x011", &large, b"\x40\x01a\x012"]).expect("it can be told again");
        assert_eq!(table.parts().iter().map(Vec::len).collect::<Vec<_>>(), [5, large.len(), 5]);
    }
}
