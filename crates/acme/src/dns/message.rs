//! Queries, updates and answers as bytes (RFC 1035 4.1, RFC 2136 2): as little of them as one TXT record needs.

use super::DnsError;

pub(super) const CNAME: u16 = 5;
pub(super) const SOA: u16 = 6;
pub(super) const TXT: u16 = 16;
pub(super) const TSIG: u16 = 250;
pub(super) const IN: u16 = 1;
/// RFC 2136 2.5.4: of this class is what is to be deleted.
pub(super) const NONE: u16 = 254;
/// RFC 8945 4.2
pub(super) const ANY: u16 = 255;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    /// RFC 1035 4.1.1
    Query = 0,
    /// RFC 2136 2.2
    Update = 5,
}

/// The head of a message and its one question, which in an update is the zone.
pub(super) fn begin(id: u16, opcode: Opcode, name: &str, kind: u16, updates: u16) -> Result<Vec<u8>, DnsError> {
    let mut bytes = Vec::with_capacity(512);
    let flags = (opcode as u16) << 11;
    for number in [id, flags, 1, 0, updates, 0] {
        bytes.extend(number.to_be_bytes());
    }
    put_name(&mut bytes, name)?;
    bytes.extend(kind.to_be_bytes());
    bytes.extend(IN.to_be_bytes());
    Ok(bytes)
}

/// RFC 1035 4.1.1: whoever is asked is to ask others, if need be.
pub(super) fn want_recursion(query: &mut [u8]) {
    query[2] |= 1;
}

/// RFC 1035 3.1: labels with their lengths; lower case, which RFC 8945 4.3.3 wants where it is signed.
pub(super) fn put_name(bytes: &mut Vec<u8>, name: &str) -> Result<(), DnsError> {
    let begun = bytes.len();
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length));
        bytes.push(length.ok_or_else(|| DnsError::Name(name.to_owned()))?);
        bytes.extend(label.to_ascii_lowercase().as_bytes());
    }
    bytes.push(0);
    if bytes.len() - begun > 255 { Err(DnsError::Name(name.to_owned())) } else { Ok(()) }
}

/// One record after the question.
pub(super) fn put_record(
    bytes: &mut Vec<u8>,
    name: &str,
    (kind, class, ttl): (u16, u16, u32),
    data: &[u8],
) -> Result<(), DnsError> {
    put_name(bytes, name)?;
    bytes.extend(kind.to_be_bytes());
    bytes.extend(class.to_be_bytes());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).map_err(|_| DnsError::Name(name.to_owned()))?.to_be_bytes());
    bytes.extend(data);
    Ok(())
}

/// RFC 1035 3.3.14: one string. That of dns-01 has 43 letters.
pub(super) fn text(value: &str) -> Vec<u8> {
    let length = u8::try_from(value.len().min(255)).unwrap_or(u8::MAX);
    [&[length], &value.as_bytes()[..usize::from(length)]].concat()
}

/// An answer, as far as it is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whose question it answers.
    pub(super) id: u16,
    /// RFC 1035 4.1.1, RFC 2136 2.2
    pub(super) code: u8,
    /// Whether more would have been said over TCP.
    pub(super) is_cut: bool,
    /// The records of the sections answer and authority.
    pub(super) records: Vec<Record>,
}

/// One record of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) data: Vec<u8>,
    /// What a CNAME says: whose name it is.
    pub(super) target: Option<String>,
}

/// Reads an answer; None for what is none.
pub(super) fn read(bytes: &[u8]) -> Option<Answer> {
    let mut reader = Reader { bytes, at: 0 };
    let (id, flags) = (reader.number()?, reader.number()?);
    let (questions, answers, authorities, _) = (reader.number()?, reader.number()?, reader.number()?, reader.number()?);
    let is_answer = flags & 0x8000 != 0;
    if !is_answer {
        return None;
    }
    for _ in 0..questions {
        reader.name()?;
        reader.take(4)?;
    }
    let count = usize::from(answers) + usize::from(authorities);
    let is_cut = flags & 0x0200 != 0;
    let records = if is_cut { Vec::new() } else { (0..count).map(|_| reader.record()).collect::<Option<_>>()? };
    Some(Answer { id, code: (flags & 0xf) as u8, is_cut, records })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn record(&mut self) -> Option<Record> {
        let name = self.name()?;
        let kind = self.number()?;
        self.take(6)?;
        let length = self.number()?;
        let start = self.at;
        let data = self.take(length.into())?.to_vec();
        // RFC 1035 3.3.1, 4.1.4: it may end with a pointer into the message.
        let target = if kind == CNAME { Some(Reader { bytes: self.bytes, at: start }.name()?) } else { None };
        Some(Record { name, kind, data, target })
    }

    /// RFC 1035 4.1.4: a name may end with a pointer to another one. Pointers lead back only, so that it ends.
    fn name(&mut self) -> Option<String> {
        let (mut name, mut back) = (String::new(), None);
        loop {
            let start = self.at;
            let length = usize::from(self.take(1)?[0]);
            match length {
                0 => break,
                1..=63 => {
                    let label = String::from_utf8_lossy(self.take(length)?).to_ascii_lowercase();
                    name = if name.is_empty() { label } else { name + "." + &label };
                    if name.len() > 255 {
                        return None;
                    }
                }
                0xc0.. => {
                    let target = (length & 0x3f) << 8 | usize::from(self.take(1)?[0]);
                    back = back.or(Some(self.at));
                    if target >= start {
                        return None;
                    }
                    self.at = target;
                }
                _ => return None,
            }
        }
        self.at = back.unwrap_or(self.at);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(records: &[u8], count: u16) -> Vec<u8> {
        let mut bytes = begin(7, Opcode::Query, "a.example", SOA, count).unwrap();
        bytes[2] |= 0x80;
        bytes.extend(records);
        bytes
    }

    #[test]
    fn what_is_written_is_read_and_pointers_are_followed() {
        let mut bytes = answer(&[], 2);
        put_record(&mut bytes, "A.Example.", (TXT, IN, 60), &text("hello")).unwrap();
        // A pointer to the second label of the question.
        bytes.extend([0xc0, 14, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0]);
        let read = read(&bytes).unwrap();
        assert_eq!((read.id, read.code, read.is_cut), (7, 0, false));
        let expected = Record { name: "a.example".to_owned(), kind: TXT, data: b"\x05hello".to_vec(), target: None };
        assert_eq!(read.records[0], expected);
        assert_eq!((read.records[1].name.as_str(), read.records[1].kind), ("example", SOA));
    }

    #[test]
    fn a_name_may_be_another_ones() {
        let mut bytes = answer(&[], 1);
        // `x` and a pointer to the second label of the question.
        put_record(&mut bytes, "a.example", (CNAME, IN, 60), &[1, b'X', 0xc0, 14]).unwrap();
        assert_eq!(read(&bytes).unwrap().records[0].target.as_deref(), Some("x.example"));
        let end = bytes.len() - 1;
        bytes[end] = u8::try_from(end - 3).unwrap();
        assert_eq!(read(&bytes), None, "a name that leads to itself");
    }

    #[test]
    fn no_bytes_make_it_panic_or_hang() {
        let mut good = answer(&[], 2);
        put_record(&mut good, "b.a.example", (TXT, IN, 60), &text("hello")).unwrap();
        put_record(&mut good, "c.a.example", (CNAME, IN, 60), &[1, b'x', 0xc0, 14]).unwrap();
        for length in 0..good.len() {
            assert_eq!(read(&good[..length]), None, "{length}");
        }
        let loops = answer(&[0xc0, 27, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0], 1);
        assert_eq!(read(&loops), None);
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            let _ = read(&bytes);
        }
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        for name in ["", "a..b", &"a".repeat(64), &format!("{}b", "a.".repeat(130))] {
            assert!(matches!(put_name(&mut Vec::new(), name), Err(DnsError::Name(_))), "{name}");
        }
    }
}
