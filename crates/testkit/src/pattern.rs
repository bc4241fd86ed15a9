//! Large bodies that can be made and compared anywhere in the middle, without keeping a copy.

/// Bytes that look random and repeat only after a prime number of them, so that a lost, doubled or moved piece shows.
#[derive(Debug)]
pub struct Pattern {
    block: Vec<u8>,
}

impl Pattern {
    const PERIOD: usize = 65_521;

    /// The pattern that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        let mut state = seed | 1;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        };
        Self { block: std::iter::repeat_with(next).take(Self::PERIOD).collect() }
    }

    /// The bytes from `offset` on, at most `most` and at least one.
    pub fn piece(&self, offset: usize, most: usize) -> &[u8] {
        let start = offset % Self::PERIOD;
        &self.block[start..(start + most).min(Self::PERIOD)]
    }

    /// Whether `bytes` are what stands at `offset`.
    pub fn matches(&self, offset: usize, bytes: &[u8]) -> bool {
        let mut done = 0;
        while done < bytes.len() {
            let piece = self.piece(offset + done, bytes.len() - done);
            if piece != &bytes[done..done + piece.len()] {
                return false;
            }
            done += piece.len();
        }
        true
    }

    /// The first `length` bytes.
    pub fn take(&self, length: usize) -> Vec<u8> {
        self.block.iter().copied().cycle().take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_piece_shows() {
        let pattern = Pattern::new(7);
        let bytes = pattern.take(200_000);
        assert!(pattern.matches(0, &bytes));
        assert!(pattern.matches(1_000, &bytes[1_000..]));
        assert!(!pattern.matches(1_001, &bytes[1_000..]));
    }
}
