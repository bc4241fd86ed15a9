//! A window of bytes: read into the space behind it, parse and consume at its front.

use std::ops::Range;

/// Bytes that were read and not yet consumed, in one piece.
///
/// The memory is zeroed once when it is made and reused afterwards, so that reading needs no uninitialised memory.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// A buffer that holds up to `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity], start: 0, end: 0 }
    }

    /// What was read and not yet consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The same, to be decoded in place.
    #[inline]
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// A part of [`filled`](Self::filled).
    #[inline]
    pub fn part(&self, range: Range<usize>) -> &[u8] {
        &self.filled()[range]
    }

    /// How many bytes wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes it can hold.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Where the next bytes go. Empty only when the buffer is full; what waits is moved to the front where that makes room.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// Counts `read` bytes of [`space`](Self::space) as filled.
    #[inline]
    pub fn advance(&mut self, read: usize) {
        self.end = (self.end + read).min(self.bytes.len());
    }

    /// Forgets the first `count` bytes.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Forgets everything, the memory excepted.
    #[inline]
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Makes room for `capacity` bytes in all; never shrinks.
    pub fn grow(&mut self, capacity: usize) {
        if capacity > self.bytes.len() {
            self.bytes.resize(capacity, 0);
        }
    }

    /// Forgets everything and gives back memory above `capacity`.
    pub fn reset(&mut self, capacity: usize) {
        self.clear();
        if self.bytes.len() > capacity {
            self.bytes.truncate(capacity);
            self.bytes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut Buffer, bytes: &[u8]) -> usize {
        let space = buffer.space();
        let count = bytes.len().min(space.len());
        space[..count].copy_from_slice(&bytes[..count]);
        buffer.advance(count);
        count
    }

    #[test]
    fn what_waits_moves_to_the_front_when_the_end_is_reached() {
        let mut buffer = Buffer::with_capacity(8);
        assert_eq!(fill(&mut buffer, b"abcdefghij"), 8);
        buffer.consume(6);
        assert_eq!(fill(&mut buffer, b"ijklmnop"), 6);
        assert_eq!(buffer.filled(), b"ghijklmn");
        assert!(buffer.space().is_empty());
    }

    #[test]
    fn a_consumed_buffer_starts_over() {
        let mut buffer = Buffer::with_capacity(4);
        fill(&mut buffer, b"abcd");
        buffer.consume(9);
        assert!(buffer.is_empty());
        assert_eq!(buffer.space().len(), 4);
    }

    #[test]
    fn it_grows_with_its_bytes_and_gives_memory_back() {
        let mut buffer = Buffer::with_capacity(4);
        fill(&mut buffer, b"abcd");
        buffer.grow(8);
        assert_eq!(fill(&mut buffer, b"efgh"), 4);
        assert_eq!(buffer.filled(), b"abcdefgh");
        buffer.reset(4);
        assert_eq!((buffer.capacity(), buffer.len()), (4, 0));
    }
}
