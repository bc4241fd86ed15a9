//! Message heads as tests look at them: bytes with look-ups, in the order and spelling in which they came.

use std::fmt;

/// The head of a request or response, without the empty line that ends it.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// A head from its bytes, without the empty line.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into() }
    }

    /// Its bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The request line or status line.
    pub fn first_line(&self) -> String {
        self.lines().next().unwrap_or_default()
    }

    /// The method of a request.
    pub fn method(&self) -> String {
        self.word(0)
    }

    /// The target of a request.
    pub fn target(&self) -> String {
        self.word(1)
    }

    /// The status of a response; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    /// Every field as (name, value), in order and as spelled.
    pub fn fields(&self) -> Vec<(String, String)> {
        let split = |line: String| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        };
        self.lines().skip(1).filter_map(split).collect()
    }

    /// The names of its fields, in order and as spelled.
    pub fn names(&self) -> Vec<String> {
        self.fields().into_iter().map(|(name, _)| name).collect()
    }

    /// The values of every field of that name.
    pub fn values(&self, name: &str) -> Vec<String> {
        let wanted = |(found, value): (String, String)| found.eq_ignore_ascii_case(name).then_some(value);
        self.fields().into_iter().filter_map(wanted).collect()
    }

    /// The value of the first field of that name.
    pub fn value(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    /// Whether a field of that name is there.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.bytes.split(|&byte| byte == b'\n').map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            String::from_utf8_lossy(line).into_owned()
        })
    }

    fn word(&self, index: usize) -> String {
        self.first_line().split(' ').nth(index).unwrap_or_default().to_owned()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.bytes))
    }
}

/// Where the head at the front of `bytes` ends, with and without its empty line.
pub(crate) fn head_end(bytes: &[u8]) -> Option<(usize, usize)> {
    find(bytes, b"\r\n\r\n").map(|at| (at, at + 4))
}

/// Where `needle` begins in `bytes`.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_order_and_spelling() {
        let head = Head::new("HTTP/1.1 200 OK\r\nX-b: 1\r\nx-A:  two \r\nX-B: 3");
        assert_eq!(head.status(), 200);
        assert_eq!(head.names(), ["X-b", "x-A", "X-B"]);
        assert_eq!(head.values("x-b"), ["1", "3"]);
        assert_eq!(head.value("X-a").as_deref(), Some("two"));
    }
}
