//! The instructions of which a compressed head is made (RFC 7541 6), as they are written: of what they stand for only the length is found
//! out.

use super::huffman;

/// What an instruction does to the table of whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// Its field is put into the table.
    Insert(Field),
    /// The table has another size from now on.
    Resize,
}

/// A field that is said as a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The number of the entry whose name is its name, too; 0 where the name is a literal.
    pub(super) index: u32,
    /// How long the part of the instruction is that says the name, in bytes.
    pub(super) name: usize,
    /// How long the value is, and with it the name where that is a literal.
    pub(super) length: usize,
}

/// Takes the next instruction; None where there is no whole one.
pub(super) fn take<'a>(block: &mut &'a [u8]) -> Option<(Effect, &'a [u8])> {
    let whole = *block;
    let mut rest = whole;
    let effect = match *whole.first()? {
        0x80.. => integer(&mut rest, 7).map(|_| Effect::None),
        0x40.. => literal(&mut rest, 6).map(Effect::Insert),
        0x20.. => integer(&mut rest, 5).map(|_| Effect::Resize),
        _ => literal(&mut rest, 4).map(|_| Effect::None),
    }?;
    *block = rest;
    Some((effect, &whole[..whole.len() - rest.len()]))
}

/// RFC 7541 6.2: a name, by a number or as a literal, and a value.
fn literal(bytes: &mut &[u8], prefix: u32) -> Option<Field> {
    let whole = bytes.len();
    let index = integer(bytes, prefix)?;
    let named = if index == 0 { string(bytes)? } else { 0 };
    let name = whole - bytes.len();
    Some(Field { index, name, length: named + string(bytes)? })
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

/// RFC 7541 5.2: a string, with its length before it; how many bytes it stands for.
fn string(bytes: &mut &[u8]) -> Option<usize> {
    let is_huffman = bytes.first()? & 0x80 != 0;
    let length = integer(bytes, 7)? as usize;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(if is_huffman { huffman::length(text) } else { length })
}

fn next(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(mut block: &[u8]) -> Option<Vec<Effect>> {
        let mut effects = Vec::new();
        while !block.is_empty() {
            effects.push(take(&mut block)?.0);
        }
        Some(effects)
    }

    fn insert(index: u32, name: usize, length: usize) -> Effect {
        Effect::Insert(Field { index, name, length })
    }

    /// RFC 7541 C.2 and C.4.3, and sizes of the table.
    #[test]
    fn what_instructions_do() {
        assert_eq!(effects(b"\x40\x0acustom-key\x0dcustom-header"), Some(vec![insert(0, 12, 23)]));
        assert_eq!(effects(b"\x04\x0c/sample/path\x10\x08password\x06secret"), Some(vec![Effect::None, Effect::None]));
        assert_eq!(effects(b"\x82\xff\x00"), Some(vec![Effect::None, Effect::None]));
        assert_eq!(effects(b"\x20\x3f\xe1\x1f"), Some(vec![Effect::Resize, Effect::Resize]));
        let huffman = b"\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        assert_eq!(effects(huffman), Some(vec![insert(0, 10, 22)]));
    }

    #[test]
    fn long_strings_and_far_names_are_understood() {
        let mut block = b"\x7f\x00\x7f\x81\x01".to_vec();
        block.resize(block.len() + 127 + 129, b'x');
        assert_eq!(effects(&block), Some(vec![insert(63, 2, 256)]));
    }

    #[test]
    fn what_is_cut_is_none() {
        for block in [&b"\x40\x0acustom"[..], b"\x41\xff", b"\xff\xff\xff\xff\xff\xff", b"\x41\x02a"] {
            assert_eq!(effects(block), None, "{}", block.escape_ascii());
        }
    }
}
