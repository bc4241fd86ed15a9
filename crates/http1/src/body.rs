//! A body's bytes, whatever way its end is found.

use crate::chunked::{Chunked, Step};
use crate::error::BodyError;
use crate::framing::BodyLength;

/// What one step of decoding found; see [`Step`].
pub type Decoded = Step;

/// Finds a body's data and its end in a window of bytes.
#[derive(Clone, Copy, Debug)]
pub enum Decoder {
    /// In chunks.
    Chunked(Chunked),
    /// This many bytes are left.
    Sized(u64),
    /// Everything until the connection closes.
    UntilClose,
}

impl Decoder {
    /// A decoder for a body that has not begun.
    #[inline]
    pub fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Chunked => Self::Chunked(Chunked::default()),
            BodyLength::Empty => Self::Sized(0),
            BodyLength::Sized(bytes) => Self::Sized(bytes),
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    /// Decodes as much of `window` as is there.
    ///
    /// # Errors
    /// Chunks that are none.
    #[inline]
    pub fn decode(&mut self, window: &mut [u8]) -> Result<Decoded, BodyError> {
        match self {
            Self::Chunked(chunked) => chunked.decode(window),
            Self::Sized(left) => {
                let here = window.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= here as u64;
                Ok(Step { data: 0..here, consumed: here, end: (*left == 0).then_some(here..here) })
            }
            Self::UntilClose => Ok(Step { data: 0..window.len(), consumed: window.len(), end: None }),
        }
    }

    /// Whether nothing is left to come. A body that ends with the connection never is.
    #[inline]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Chunked(chunked) => chunked.is_done(),
            Self::Sized(left) => *left == 0,
            Self::UntilClose => false,
        }
    }

    /// Whether the connection's end is the body's end, and not a body broken off.
    #[inline]
    pub fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilClose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sized_body_takes_no_byte_of_the_next_message() {
        let mut decoder = Decoder::new(BodyLength::Sized(5));
        let found = decoder.decode(&mut b"helloGET".to_vec()).expect("sized");
        assert_eq!((found.data, found.consumed, found.end), (0..5, 5, Some(5..5)));
        assert!(decoder.is_done());
    }

    #[test]
    fn an_empty_body_is_done_before_it_begins() {
        assert!(Decoder::new(BodyLength::Empty).is_done());
        assert!(!Decoder::new(BodyLength::Chunked).is_done());
        assert!(!Decoder::new(BodyLength::UntilClose).is_done());
    }
}
