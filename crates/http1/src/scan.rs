//! Where a head ends. Runs over each byte once, however the bytes arrive.

use memchr::memchr;

use crate::error::HeadError;

/// How far the search for the end of a head has come. Keep one per head and feed it the growing window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    /// Bytes searched so far.
    searched: usize,
    /// Where the current line begins.
    line: usize,
    /// Lines that ended so far.
    lines: usize,
}

impl Scan {
    /// The length of the head at the front of `window`, its empty line included; `None` while more bytes are needed.
    ///
    /// # Errors
    /// RFC 9112 2.2 lets a recipient take a bare LF for a line end. We refuse it: the next reader may not.
    pub fn find(&mut self, window: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(offset) = memchr(b'\n', &window[self.searched..]) {
            let lf = self.searched + offset;
            if lf == 0 || window[lf - 1] != b'\r' {
                return Err(HeadError::BareLf);
            }
            let empty = lf - 1 == self.line;
            self.searched = lf + 1;
            self.line = lf + 1;
            self.lines += 1;
            if empty {
                return Ok(Some(lf + 1));
            }
        }
        self.searched = window.len();
        Ok(None)
    }

    /// Parses the head at the front of `window` as soon as it is there: its length, or `None` while more bytes are needed.
    ///
    /// Most heads arrive at once, so that is tried first. What comes in pieces is searched for its end before it is parsed
    /// again, or a head that drips in byte by byte would be parsed once per byte.
    ///
    /// # Errors
    /// A bare LF, or what `parse` finds.
    pub fn parse(
        &mut self,
        window: &[u8],
        mut parse: impl FnMut(&[u8]) -> Result<Option<usize>, HeadError>,
    ) -> Result<Option<usize>, HeadError> {
        if self.searched == 0
            && !window.is_empty()
            && let Some(length) = parse(window)?
        {
            return Ok(Some(length));
        }
        match self.find(window)? {
            Some(end) => match parse(&window[..end])? {
                None => Err(HeadError::Malformed("incomplete head")),
                length => Ok(length),
            },
            None => Ok(None),
        }
    }

    /// The error for a head that grew over its limit before it ended.
    pub fn too_large(&self) -> HeadError {
        if self.lines == 0 { HeadError::TargetTooLong } else { HeadError::TooLarge }
    }
}

/// How many bytes of empty lines stand before the start line.
///
/// RFC 9112 2.2: a server SHOULD ignore at least one empty line before the request line. A few are ignored; a flood is not.
///
/// # Errors
/// More empty lines than any client sends.
pub fn leading_empty_lines(window: &[u8]) -> Result<usize, HeadError> {
    const MOST: usize = 8;
    let lines = window.chunks_exact(2).take(MOST + 1).take_while(|pair| *pair == b"\r\n").count();
    if lines > MOST { Err(HeadError::Malformed("too many empty lines before the request line")) } else { Ok(lines * 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        for step in 1..=HEAD.len() {
            let mut scan = Scan::default();
            let mut arrived = 0;
            let end = loop {
                arrived = (arrived + step).min(HEAD.len());
                if let Some(end) = scan.find(&HEAD[..arrived]).expect("only CRLF") {
                    break end;
                }
                assert!(arrived < HEAD.len(), "step {step}");
            };
            assert_eq!(end, HEAD.len());
        }
    }

    #[test]
    fn a_bare_lf_is_refused_at_once() {
        for head in [&b"GET / HTTP/1.1\n"[..], b"\n", b"GET / HTTP/1.1\r\nHost: a\n", b"GET / HTTP/1.1\r\n\n"] {
            assert_eq!(Scan::default().find(head), Err(HeadError::BareLf));
        }
    }

    #[test]
    fn a_few_empty_lines_are_passed_over() {
        assert_eq!(leading_empty_lines(b"\r\n\r\nGET"), Ok(4));
        assert_eq!(leading_empty_lines(b"GET"), Ok(0));
        assert_eq!(leading_empty_lines(b"\r"), Ok(0));
        assert!(leading_empty_lines(&b"\r\n".repeat(9)).is_err());
    }
}
