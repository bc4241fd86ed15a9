//! The code of RFC 7541 Appendix B.
//!
//! It is canonical: codes of one length follow each other, shorter ones come first, and within a length the symbols are in
//! order. So the lengths say it all.

/// How many bits the code of each byte has; the last is EOS.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The end of a string, which never stands in one.
pub(crate) const EOS: usize = 256;

/// Every symbol as (length, code, symbol), in the order of the codes.
fn codes() -> Vec<(u8, u32, usize)> {
    let mut symbols: Vec<usize> = (0..LENGTHS.len()).collect();
    symbols.sort_by_key(|&symbol| (LENGTHS[symbol], symbol));
    let (mut next, mut length) = (0_u32, LENGTHS[symbols[0]]);
    let code = |symbol: usize| {
        next <<= LENGTHS[symbol] - length;
        length = LENGTHS[symbol];
        next += 1;
        (length, next - 1, symbol)
    };
    symbols.into_iter().map(code).collect()
}

/// The bits of these symbols, padded with `padding` to whole bytes.
pub(crate) fn encode(symbols: impl IntoIterator<Item = usize>, padding: bool) -> Vec<u8> {
    let codes = codes();
    let mut bits = Vec::new();
    for symbol in symbols {
        let (length, code, _) = codes.iter().find(|(_, _, found)| *found == symbol).expect("a symbol of the code");
        bits.extend((0..*length).rev().map(|bit| code >> bit & 1 == 1));
    }
    bits.resize(bits.len().next_multiple_of(8), padding);
    bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
}

/// What these bytes stand for.
///
/// # Errors
/// EOS, or padding that is too long or not made of ones (RFC 7541 5.2).
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let codes = codes();
    let (mut text, mut code, mut length) = (Vec::new(), 0_u32, 0_u8);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        if let Ok(at) = codes.binary_search_by_key(&(length, code), |&(length, code, _)| (length, code)) {
            text.push(u8::try_from(codes[at].2).map_err(|_| "EOS within a string")?);
            (code, length) = (0, 0);
        } else if length > 30 {
            return Err("no code of this".to_owned());
        }
    }
    if length > 7 || code + 1 != 1 << length {
        return Err("padding that is not the beginning of EOS".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let encoded = encode(b"www.example.com".iter().map(|&byte| byte.into()), true);
        assert_eq!(encoded, [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]);
        assert_eq!(decode(&encoded).as_deref(), Ok(&b"www.example.com"[..]));
        let encoded = encode(b"Mon, 21 Oct 2013 20:13:21 GMT".iter().map(|&byte| byte.into()), true);
        assert_eq!(encoded[..4], [0xd0, 0x7a, 0xbe, 0x94]);
    }

    #[test]
    fn every_byte_survives_and_odd_padding_does_not() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(0..256, true)).as_deref(), Ok(&all[..]));
        assert!(decode(&encode([97, EOS], true)).is_err());
        assert!(decode(&encode([97], false)).is_err());
        assert!(decode(&[encode([97], true), vec![0xff]].concat()).is_err());
    }
}
