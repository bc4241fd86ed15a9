//! Header blocks of HPACK (RFC 7541).

use std::collections::VecDeque;

use crate::http2::huffman;

/// The static table (RFC 7541 Appendix A); its first entry has the index 1.
#[rustfmt::skip]
pub const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"),
    (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"),
    (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"),
    ("accept-charset", ""), ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""),
    ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""),
    ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""),
    ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""),
    ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""),
    ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""),
    ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""),
    ("retry-after", ""), ("server", ""),
    ("set-cookie", ""), ("strict-transport-security", ""),
    ("transfer-encoding", ""), ("user-agent", ""),
    ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// A name and a value, as bytes: a test may send any.
pub type Field = (Vec<u8>, Vec<u8>);

/// What an encoder does with a field (RFC 7541 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// It joins the dynamic table.
    Incremental,
    /// It does not.
    Without,
    /// Nor may anybody on the way let it.
    Never,
}

/// A header block in the making.
#[derive(Clone, Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
}

impl Block {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A field by its index alone (RFC 7541 6.1).
    #[must_use]
    pub fn indexed(mut self, index: usize) -> Self {
        integer(&mut self.bytes, 0x80, 7, index);
        self
    }

    /// A field in full, without indexing and without Huffman.
    #[must_use]
    pub fn field(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.literal(Indexing::Without, name, value)
    }

    /// A field in full (RFC 7541 6.2), without Huffman.
    #[must_use]
    pub fn literal(mut self, indexing: Indexing, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.begin(indexing, 0);
        self.string(name.as_ref());
        self.string(value.as_ref());
        self
    }

    /// A field in full, name and value by Huffman's code.
    #[must_use]
    pub fn huffman(mut self, indexing: Indexing, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.begin(indexing, 0);
        self.huffman_string(name.as_ref());
        self.huffman_string(value.as_ref());
        self
    }

    /// A value with the name of an entry.
    #[must_use]
    pub fn named_by(mut self, indexing: Indexing, index: usize, value: impl AsRef<[u8]>) -> Self {
        self.begin(indexing, index);
        self.string(value.as_ref());
        self
    }

    /// The same, the value by Huffman's code.
    #[must_use]
    pub fn named_by_huffman(mut self, indexing: Indexing, index: usize, value: impl AsRef<[u8]>) -> Self {
        self.begin(indexing, index);
        self.huffman_string(value.as_ref());
        self
    }

    /// A new size for the dynamic table (RFC 7541 6.3).
    #[must_use]
    pub fn table_size(mut self, size: usize) -> Self {
        integer(&mut self.bytes, 0x20, 5, size);
        self
    }

    /// A literal whose value is these bytes, said to be Huffman's.
    #[must_use]
    pub fn field_with_raw_huffman(mut self, name: impl AsRef<[u8]>, raw: impl AsRef<[u8]>) -> Self {
        self.begin(Indexing::Without, 0);
        self.string(name.as_ref());
        integer(&mut self.bytes, 0x80, 7, raw.as_ref().len());
        self.bytes.extend_from_slice(raw.as_ref());
        self
    }

    /// Bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    fn begin(&mut self, indexing: Indexing, index: usize) {
        let (first, bits) = match indexing {
            Indexing::Incremental => (0x40, 6),
            Indexing::Without => (0x00, 4),
            Indexing::Never => (0x10, 4),
        };
        integer(&mut self.bytes, first, bits, index);
    }

    fn string(&mut self, text: &[u8]) {
        integer(&mut self.bytes, 0, 7, text.len());
        self.bytes.extend_from_slice(text);
    }

    fn huffman_string(&mut self, text: &[u8]) {
        let coded = huffman_of(text);
        integer(&mut self.bytes, 0x80, 7, coded.len());
        self.bytes.extend(coded);
    }
}

impl From<Block> for Vec<u8> {
    fn from(block: Block) -> Self {
        block.bytes
    }
}

/// A block of these fields in full.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (N, V)>) -> Vec<u8> {
    fields.into_iter().fold(Block::new(), |block, (name, value)| block.field(name, value)).into()
}

/// Text by Huffman's code, padded as it should be.
pub fn huffman_of(text: &[u8]) -> Vec<u8> {
    huffman::encode(text.iter().map(|&byte| byte.into()), true)
}

/// Text by Huffman's code, padded with zeros.
pub fn huffman_padded_with_zeros(text: &[u8]) -> Vec<u8> {
    huffman::encode(text.iter().map(|&byte| byte.into()), false)
}

/// Text by Huffman's code with EOS after it.
pub fn huffman_with_eos(text: &[u8]) -> Vec<u8> {
    huffman::encode(text.iter().map(|&byte| byte.into()).chain([huffman::EOS]), true)
}

/// An integer with a prefix of so many bits (RFC 7541 5.1).
fn integer(bytes: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    if value < most {
        bytes.push(first | u8::try_from(value).expect("less than the prefix holds"));
        return;
    }
    bytes.push(first | u8::try_from(most).expect("the prefix"));
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).expect("seven bits and one"));
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).expect("seven bits"));
}

/// Reads blocks of one connection, one after the other.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// The youngest entry first.
    table: VecDeque<Field>,
    size: usize,
    allowed: usize,
    /// The next block has to begin by saying that the table is smaller.
    is_owed: bool,
}

impl Decoder {
    /// A decoder whose peer was told that its table has this size.
    pub fn new(table_size: usize) -> Self {
        Self { table: VecDeque::new(), size: table_size, allowed: table_size, is_owed: false }
    }

    /// From now on the peer may make the table no larger than that, and has to say so where it is larger (RFC 7541 4.2).
    pub fn allow(&mut self, table_size: usize) {
        self.allowed = table_size;
        self.is_owed = self.size > table_size;
    }

    /// The fields of a block.
    ///
    /// # Errors
    /// Whatever RFC 7541 does not allow.
    pub fn decode(&mut self, block: &[u8]) -> Result<Vec<Field>, String> {
        let mut reader = Reader { bytes: block };
        let mut fields = Vec::new();
        while let Some(&first) = reader.bytes.first() {
            if first & 0xe0 == 0x20 {
                self.resize(reader.integer(5)?, fields.is_empty())?;
                continue;
            }
            if self.is_owed {
                return Err(format!("a table that is larger than {}", self.allowed));
            }
            let field = if first & 0x80 != 0 {
                self.entry(reader.integer(7)?)?
            } else if first & 0xc0 == 0x40 {
                let field = self.literal(&mut reader, 6)?;
                self.table.push_front(field.clone());
                self.evict();
                field
            } else {
                self.literal(&mut reader, 4)?
            };
            fields.push(field);
        }
        Ok(fields)
    }

    fn resize(&mut self, size: usize, at_front: bool) -> Result<(), String> {
        if size > self.allowed || !at_front {
            return Err(format!("a table size of {size} where {} is allowed, in front: {at_front}", self.allowed));
        }
        self.size = size;
        self.is_owed = false;
        self.evict();
        Ok(())
    }

    fn literal(&self, reader: &mut Reader<'_>, bits: u32) -> Result<Field, String> {
        let name = match reader.integer(bits)? {
            0 => reader.string()?,
            index => self.entry(index)?.0,
        };
        Ok((name, reader.string()?))
    }

    fn entry(&self, index: usize) -> Result<Field, String> {
        let at = index.checked_sub(1).ok_or("the index 0")?;
        if let Some((name, value)) = STATIC.get(at) {
            return Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        self.table.get(at - STATIC.len()).cloned().ok_or_else(|| format!("no entry {index}"))
    }

    /// RFC 7541 4.1: an entry counts 32 bytes more than are in it.
    fn evict(&mut self) {
        let weight = |(name, value): &Field| name.len() + value.len() + 32;
        while self.table.iter().map(weight).sum::<usize>() > self.size {
            self.table.pop_back();
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.bytes.split_first().ok_or("the block ends too early")?;
        self.bytes = rest;
        Ok(*first)
    }

    fn integer(&mut self, bits: u32) -> Result<usize, String> {
        let most = (1_usize << bits) - 1;
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Ok(value);
        }
        for shift in (0..28).step_by(7) {
            let byte = usize::from(self.byte()?);
            value += (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("an integer that is too large".to_owned())
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        let coded = self.bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        let length = self.integer(7)?;
        let (text, rest) = self.bytes.split_at_checked(length).ok_or("a string that is longer than the block")?;
        self.bytes = rest;
        if coded { huffman::decode(text) } else { Ok(text.to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(fields: &[(&str, &str)]) -> Vec<Field> {
        fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    /// RFC 7541 C.4: three requests on one connection, with Huffman.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let mut decoder = Decoder::new(4096);
        let first =
            [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        let common = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        assert_eq!(decoder.decode(&first), Ok(pairs(&common)));
        let second = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
        let expected = [&common[..], &[("cache-control", "no-cache")]].concat();
        assert_eq!(decoder.decode(&second), Ok(pairs(&expected)));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let long = "v".repeat(300);
        let block: Vec<u8> = Block::new()
            .table_size(2048)
            .literal(Indexing::Incremental, "a", &long)
            .indexed(62)
            .huffman(Indexing::Never, "name", "value")
            .named_by(Indexing::Without, 62, "other")
            .into();
        let expected = pairs(&[("a", &long), ("a", &long), ("name", "value"), ("a", "other")]);
        assert_eq!(Decoder::new(4096).decode(&block), Ok(expected));
    }

    #[test]
    fn what_the_rfc_forbids_is_an_error() {
        let wrong: [Vec<u8>; 5] = [
            Block::new().indexed(0).into(),
            Block::new().indexed(62).into(),
            Block::new().table_size(4097).into(),
            Block::new().indexed(2).table_size(1).into(),
            Block::new().field("a", "bcd").into(),
        ];
        for block in &wrong[..4] {
            assert!(Decoder::new(4096).decode(block).is_err(), "{block:?}");
        }
        let cut = &wrong[4][..wrong[4].len() - 1];
        assert!(Decoder::new(4096).decode(cut).is_err());
    }
}
