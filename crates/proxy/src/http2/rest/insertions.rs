//! Those instructions of a client's heads that put something into the table of header compression (RFC 7541): told again, they fill
//! another one with the same.

/// How much of them is kept, in bytes. Clients whose heads differ more than that keep what reads them instead.
const MOST: usize = 4 * 1024;

/// How much all of them may stand for, in bytes, which is far more where names are those of other entries. It bounds the heads in which
/// they are told again: crate h2 puts up with 200 that are no requests.
const MOST_MEANT: usize = 64 * 1024;

/// How much the instructions of one such head may stand for. At four times what a head may be crate h2 ends the connection, and a head
/// may be 1 KiB at the least.
const AT_A_TIME: usize = 3 * 1024;

/// The longest name in the static table (RFC 7541 A).
const LONGEST_STATIC: usize = "access-control-allow-origin".len();

/// The instructions, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Insertions {
    instructions: Vec<u8>,
    scale: Scale,
    /// They stand for so much at most.
    meant: usize,
}

/// Weighs instructions that are given to it in order.
#[derive(Clone, Copy, Debug, Default)]
struct Scale {
    /// No name that was put into the table is longer.
    longest: usize,
}

/// A head that cannot be told again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unrepeatable;

/// What an instruction does to the table (RFC 7541 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    None,
    Insert,
    Resize,
}

impl Insertions {
    /// Notes those of a head.
    ///
    /// # Errors
    /// They are or mean too much by now, the table is made smaller or larger, or it is no head at all. What is here is not to be used then.
    pub(super) fn note(&mut self, mut block: &[u8]) -> Result<(), Unrepeatable> {
        while let Some((first, rest)) = block.split_first() {
            // RFC 7541 6.1: a field that stands in a table, as most do, and near its beginning, is one byte.
            if (0x80..0xff).contains(first) {
                block = rest;
                continue;
            }
            match take(&mut block).ok_or(Unrepeatable)? {
                (Effect::None, _) => {}
                // RFC 7541 4.2: only to be said at the beginning of a head, and so not in the middle of many at once.
                (Effect::Resize, _) => return Err(Unrepeatable),
                (Effect::Insert, instruction) => {
                    self.instructions.extend_from_slice(instruction);
                    self.meant += self.scale.weigh(instruction);
                }
            }
        }
        if self.instructions.len() > MOST || self.meant > MOST_MEANT { Err(Unrepeatable) } else { Ok(()) }
    }

    /// All of them, in parts that are heads of their own.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (mut rest, mut scale) = (&*self.instructions, Scale::default());
        std::iter::from_fn(move || {
            let (whole, mut meant) = (rest, 0);
            while let Some((_, instruction)) = take(&mut { rest }) {
                meant += scale.weigh(instruction);
                // One that is too large by itself goes by itself.
                if meant > AT_A_TIME && rest.len() < whole.len() {
                    break;
                }
                rest = &rest[instruction.len()..];
            }
            let part = &whole[..whole.len() - rest.len()];
            (!part.is_empty()).then_some(part)
        })
    }

    /// Gives back the memory that is not in use.
    pub(super) fn shrink(&mut self) {
        self.instructions.shrink_to_fit();
    }
}

impl Scale {
    /// How large the entry can be that such an instruction makes (RFC 7541 4.1).
    fn weigh(&mut self, instruction: &[u8]) -> usize {
        // RFC 7541 B: no code has fewer than five bits.
        let literal = instruction.len() * 8 / 5;
        let name = match instruction.first().map(|first| first & 0x3f) {
            // It stands in the instruction itself.
            Some(0) => {
                self.longest = self.longest.max(literal);
                0
            }
            Some(1..=61) => LONGEST_STATIC,
            _ => self.longest.max(LONGEST_STATIC),
        };
        name + literal + 32
    }
}

/// Takes the next instruction (RFC 7541 6); None where there is no whole one.
fn take<'a>(block: &mut &'a [u8]) -> Option<(Effect, &'a [u8])> {
    let whole = *block;
    let (effect, prefix, is_literal) = match *whole.first()? {
        0x80.. => (Effect::None, 7, false),
        0x40.. => (Effect::Insert, 6, true),
        0x20.. => (Effect::Resize, 5, false),
        _ => (Effect::None, 4, true),
    };
    let mut rest = whole;
    let index = integer(&mut rest, prefix)?;
    if is_literal {
        if index == 0 {
            skip_string(&mut rest)?;
        }
        skip_string(&mut rest)?;
    }
    *block = rest;
    Some((effect, &whole[..whole.len() - rest.len()]))
}

/// RFC 7541 5.1: an integer that begins in the last bits of a byte.
fn integer(bytes: &mut &[u8], prefix: u32) -> Option<u32> {
    let full = (1 << prefix) - 1;
    let mut value = u32::from(next(bytes)?) & full;
    if value < full {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = next(bytes)?;
        value += u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// RFC 7541 5.2: a string, with its length before it.
fn skip_string(bytes: &mut &[u8]) -> Option<()> {
    let length = integer(bytes, 7)?;
    *bytes = bytes.get(length as usize..)?;
    Some(())
}

fn next(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(blocks: &[&[u8]]) -> Result<Vec<u8>, Unrepeatable> {
        let mut insertions = Insertions::default();
        blocks.iter().try_for_each(|block| insertions.note(block))?;
        assert_eq!(insertions.parts().collect::<Vec<_>>().concat(), insertions.instructions);
        Ok(insertions.instructions)
    }

    /// RFC 7541 C.4: three requests, of which the first puts one field into the table, the second and the third one more each.
    #[test]
    fn what_fills_the_table_is_kept_and_nothing_else() {
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        assert_eq!(noted(&[first, second, third]), Ok([&first[3..], &second[4..], &third[4..]].concat()));
    }

    #[test]
    fn literals_that_are_not_kept_are_passed_over() {
        // RFC 7541 C.2.2 and C.2.3, and a name that stands in the table at 62.
        assert_eq!(noted(&[b"\x04\x0c/sample/path", b"\x10\x08password\x06secret", b"\x0f\x2f\x01a"]), Ok(Vec::new()));
    }

    #[test]
    fn long_strings_and_far_names_are_understood() {
        let mut block = b"\x7f\x00\x7f\x81\x01".to_vec();
        block.resize(block.len() + 127 + 129, b'x');
        assert_eq!(noted(&[&block]), Ok(block.clone()));
    }

    #[test]
    fn what_cannot_be_told_again_is_an_error() {
        let much = [b"\x40\x01a\x7f\x79".to_vec(), vec![b'x'; 248]].concat();
        for (block, name) in [
            (&b"\x3f\xe1\x1f"[..], "a table of another size"),
            (b"\x40\x0acustom", "a cut name"),
            (b"\x41\xff", "a cut length"),
            (b"\xff\xff\xff\xff\xff\xff", "a number without end"),
            (&much.repeat(17), "too much"),
        ] {
            assert_eq!(noted(&[block]), Err(Unrepeatable), "{name}");
        }
    }

    #[test]
    fn the_parts_are_small_and_end_where_instructions_do() {
        let block = b"\x40\x03abc\x04defg".repeat(300);
        let mut insertions = Insertions::default();
        insertions.note(&block).expect("they can be told again");
        for part in insertions.parts() {
            assert!(part.len() / 10 * (32 + 7) <= AT_A_TIME, "{}", part.len());
            assert_eq!(part.len() % 10, 0);
        }
    }

    #[test]
    fn few_bytes_may_stand_for_many() {
        let name = [b"\x40\x7f\xe9\x06".to_vec(), vec![b'n'; 1_000], vec![0]].concat();
        let mut insertions = Insertions::default();
        insertions.note(&name).expect("it can be told again");
        insertions.note(&b"\x7e\0".repeat(10)).expect("they can be told again");
        assert!(insertions.parts().all(|part| part.len() <= name.len()));
        assert_eq!(insertions.parts().count(), 11);
        assert_eq!(insertions.note(&b"\x7e\0".repeat(100)), Err(Unrepeatable));
    }
}
