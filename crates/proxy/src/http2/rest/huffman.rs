//! How long a string is that is written in the code of RFC 7541 (appendix B). What it says is not looked at.
//!
//! The code is canonical: codes of one length follow each other, and shorter ones come first. So it is enough to know how many there are of
//! each length.

/// How many codes there are of 5 bits, of 6, and so on up to 30. One of the last is the end of a string, which is an error in one; whoever
/// reads heads says so.
const CODES: [u32; 26] = [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 4];

const SHORTEST: u32 = 5;

/// How many bytes it stands for. What is left at its end is padding (RFC 7541 5.2).
pub(super) fn length(coded: &[u8]) -> usize {
    let (mut bits, mut known) = (0_u64, 0);
    let mut rest = coded.iter();
    let mut length = 0;
    loop {
        while known <= 32
            && let Some(byte) = rest.next()
        {
            bits |= u64::from(*byte) << (56 - known);
            known += 8;
        }
        let code = first(bits);
        if code > known {
            return length;
        }
        bits <<= code;
        known -= code;
        length += 1;
    }
}

/// How many bits the code has that `bits` begin with.
fn first(bits: u64) -> u32 {
    let mut size = SHORTEST;
    // The first code of that size.
    let mut code = 0;
    for count in CODES {
        if ((bits >> (64 - size)) as u32) < code + count {
            break;
        }
        code = (code + count) << 1;
        size += 1;
    }
    size
}

#[cfg(test)]
mod tests {
    use divisi_testkit::http2::hpack::huffman_of;

    use super::*;

    #[test]
    fn every_byte_is_counted_wherever_it_stands() {
        for byte in 0..=255 {
            for count in 0..20 {
                assert_eq!(length(&huffman_of(&vec![byte; count])), count, "{byte}");
            }
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(length(&huffman_of(&all)), 256);
    }
}
