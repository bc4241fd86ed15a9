//! The chunked transfer coding (RFC 9112 7.1), decoded in place.

use std::ops::Range;

use crate::error::{BodyError, HeadError};
use crate::scan::Scan;

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chunked {
    state: State,
    /// Bytes of chunk extensions seen so far, over all chunks.
    extensions: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    /// Behind the `;` and before the first byte of the extension's name.
    ExtensionName {
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailer(Scan),
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

/// What one step of decoding found in the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The body's bytes, moved together to one piece of the window.
    pub data: Range<usize>,
    /// Bytes of the window that are done with, once the data was used.
    pub consumed: usize,
    /// The body's end was reached: the trailer section's bytes in the window, its empty line included.
    pub end: Option<Range<usize>>,
}

impl Chunked {
    /// All extensions of a body together; each one is thrown away, so a body of them is a body of nothing.
    const MOST_EXTENSIONS: usize = 16 * 1024;

    /// Decodes as much of `window` as is there. The window is changed: data of several chunks is moved together.
    ///
    /// # Errors
    /// Anything that is not exactly the grammar of RFC 9112 7.1: no sign, no white space, CRLF only, no overflow.
    pub fn decode(&mut self, window: &mut [u8]) -> Result<Step, BodyError> {
        let mut step = Step::default();
        while step.consumed < window.len() && step.end.is_none() {
            match self.state {
                State::Data { left } => self.take_data(left, window, &mut step),
                State::Trailer(scan) => {
                    if !self.take_trailer(scan, window, &mut step)? {
                        break;
                    }
                }
                State::Done => break,
                _ => {
                    self.state = self.next(window[step.consumed])?;
                    step.consumed += 1;
                }
            }
        }
        Ok(step)
    }

    /// Whether the last chunk and its trailer section were seen.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn take_data(&mut self, left: u64, window: &mut [u8], step: &mut Step) {
        let here = (window.len() - step.consumed).min(usize::try_from(left).unwrap_or(usize::MAX));
        let from = step.consumed..step.consumed + here;
        if step.data.is_empty() {
            step.data = from;
        } else {
            window.copy_within(from, step.data.end);
            step.data.end += here;
        }
        step.consumed += here;
        let left = left - here as u64;
        self.state = if left == 0 { State::DataCr } else { State::Data { left } };
    }

    /// The trailer section has to lie in the window as a whole; false while it does not.
    fn take_trailer(&mut self, mut scan: Scan, window: &[u8], step: &mut Step) -> Result<bool, BodyError> {
        let rest = &window[step.consumed..];
        let found = scan.find(rest).map_err(BodyError::Trailer)?;
        let Some(length) = found else {
            self.state = State::Trailer(scan);
            return Ok(false);
        };
        step.end = Some(step.consumed..step.consumed + length);
        step.consumed += length;
        self.state = State::Done;
        Ok(true)
    }

    fn next(&mut self, byte: u8) -> Result<State, BodyError> {
        match (self.state, byte) {
            (State::Size { digits: 0, .. }, b';' | b'\r') => Err(BodyError::Chunk("chunk without a size")),
            (State::Size { value, .. }, b'\r') => Ok(State::SizeLf { size: value }),
            (State::Size { value, .. }, b';') => Ok(State::ExtensionName { size: value }),
            (State::Size { value, digits }, _) => size_digit(value, digits, byte),
            (State::ExtensionName { size }, byte) if is_token(byte) => self.extension(size),
            (State::ExtensionName { .. }, _) => Err(BodyError::Chunk("chunk extension without a name")),
            (State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => self.extension(size),
            (State::Extension { .. }, _) => Err(BodyError::Chunk("control byte in a chunk extension")),
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::Trailer(Scan::default())),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::default()),
            _ => Err(BodyError::Chunk("chunk does not end with CRLF")),
        }
    }

    fn extension(&mut self, size: u64) -> Result<State, BodyError> {
        self.extensions += 1;
        if self.extensions > Self::MOST_EXTENSIONS {
            return Err(BodyError::ExtensionsTooLarge);
        }
        Ok(State::Extension { size })
    }

    /// The error for a trailer section that fills the whole window and has not ended.
    pub fn window_full() -> BodyError {
        BodyError::Trailer(HeadError::TooLarge)
    }
}

/// RFC 9112 7.1: hexadecimal digits. Leading zeros are allowed, so the digits are bounded and not only the value.
fn size_digit(value: u64, digits: u8, byte: u8) -> Result<State, BodyError> {
    const MOST_DIGITS: u8 = 16;
    let Some(digit) = (byte as char).to_digit(16) else {
        return Err(BodyError::Chunk("chunk size is no number"));
    };
    let value = value << 4 | u64::from(digit);
    if digits >= MOST_DIGITS || value > i64::MAX as u64 {
        return Err(BodyError::Chunk("chunk size too large"));
    }
    Ok(State::Size { value, digits: digits + 1 })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The line before a chunk's data: its size in hexadecimal digits and CRLF.
#[derive(Clone, Copy, Debug)]
pub struct SizeLine {
    bytes: [u8; Self::LONGEST],
    start: usize,
}

impl SizeLine {
    const LONGEST: usize = 18;

    /// The line for a chunk of `size` bytes; `size` is not zero, which would end the body.
    pub fn new(size: usize) -> Self {
        let mut line = Self { bytes: [b'\n'; Self::LONGEST], start: Self::LONGEST - 2 };
        line.bytes[Self::LONGEST - 2] = b'\r';
        let mut rest = size;
        while rest > 0 {
            line.start -= 1;
            line.bytes[line.start] = b"0123456789abcdef"[rest & 15];
            rest >>= 4;
        }
        line
    }

    /// The line's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body's data and its trailer section; `None` where the end has not come.
    type Found = Option<(Vec<u8>, Vec<u8>)>;

    /// Feeds a body in steps of `step` bytes; its data and trailer section, or the error.
    fn decode(body: &[u8], step: usize) -> Result<Found, BodyError> {
        let mut chunked = Chunked::default();
        let mut window = Vec::new();
        let mut data = Vec::new();
        for piece in body.chunks(step) {
            window.extend_from_slice(piece);
            let found = chunked.decode(&mut window)?;
            data.extend_from_slice(&window[found.data]);
            if let Some(trailer) = found.end {
                return Ok(Some((data, window[trailer].to_vec())));
            }
            window.drain(..found.consumed);
        }
        Ok(None)
    }

    fn each_way(body: &[u8]) -> Result<Found, BodyError> {
        let whole = decode(body, body.len());
        for step in 1..body.len() {
            assert_eq!(decode(body, step).is_err(), whole.is_err(), "step {step}");
            if let Ok(found) = decode(body, step) {
                assert_eq!(Ok(found), whole, "step {step}");
            }
        }
        whole
    }

    #[test]
    fn chunks_are_joined_however_they_arrive() {
        let (data, trailer) = each_way(b"5\r\nhello\r\n006;a=\"x;y\"\r\n world\r\n0\r\nA: b\r\n\r\n").unwrap().unwrap();
        assert_eq!((&data[..], &trailer[..]), (&b"hello world"[..], &b"A: b\r\n\r\n"[..]));
    }

    #[test]
    fn an_unfinished_body_is_not_done() {
        assert_eq!(each_way(b"5\r\nhello\r\n"), Ok(None));
        assert_eq!(each_way(b"5\r\nhello\r\n0\r\n"), Ok(None));
    }

    #[test]
    fn everything_else_is_refused() {
        for body in [
            "\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello",
            "0x5\r\nhello",
            "5g\r\nhello",
            " 5\r\nhello",
            "5 \r\nhello",
            "5\nhello",
            "5\rXhello",
            "2\r\r;a\r\n",
            "5\r\nhelloXX0\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5;\r\nhello",
            "5;a\0b\r\nhello",
            "5;a\nhello",
            "10000000000000005\r\nhello",
            "FFFFFFFFFFFFFFFF0\r\n",
            "FFFFFFFFFFFFFFFF\r\n",
            "00000000000000005\r\nhello",
            "0\n\r\n",
            "5\r\nhello\r\n0\r\nA: b\n\r\n",
        ] {
            assert!(each_way(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn extensions_are_bounded_over_the_whole_body() {
        let body = "1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(3000);
        assert_eq!(decode(body.as_bytes(), 4096), Err(BodyError::ExtensionsTooLarge));
    }

    #[test]
    fn size_lines_are_read_back() {
        for size in [1, 9, 10, 255, 4096, 65536, usize::MAX] {
            assert_eq!(SizeLine::new(size).as_bytes(), format!("{size:x}\r\n").as_bytes());
        }
    }
}
