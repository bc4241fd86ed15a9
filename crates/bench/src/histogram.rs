//! Latencies by the million in constant memory: log-linear buckets, as HdrHistogram has them.
//!
//! Every power of two is cut into [`STEPS`] equal buckets, so a quantile is wrong by less than 1 % at any height, which
//! is far below what the machine's own noise does to p99.9.

/// Buckets per power of two.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Values below [`STEPS`] are exact; each of the 64 - 7 powers above them has its own [`STEPS`] buckets.
const BUCKETS: usize = (64 - STEP_BITS as usize + 1) * STEPS as usize;

/// Counts values, and says which value a share of them does not exceed.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub(crate) fn record(&mut self, value: u64) {
        self.buckets[bucket(value)] += 1;
        self.count += 1;
    }

    /// The smallest recorded value, to within a bucket, that `share` of all values do not exceed; 0 when empty.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest(index);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEP_BITS;
    let step = (value >> shift) - STEPS;
    ((u64::from(shift) + 1) * STEPS + step) as usize
}

/// The highest value that falls into a bucket.
fn highest(index: usize) -> u64 {
    let (power, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if power == 0 {
        return step;
    }
    let shift = power - 1;
    ((STEPS + step) << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_less_than_one_percent_wide() {
        let edges = (0..64).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + 1]);
        for value in edges.chain([3_141_592_653, u64::MAX]) {
            let high = highest(bucket(value));
            assert!(high >= value, "{value} is above its bucket's end {high}");
            assert!((high - value) as f64 <= value as f64 * 0.01, "{value} became {high}");
        }
    }

    #[test]
    fn quantiles_of_a_known_distribution() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|value| histogram.record(value));
        for (share, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0), (1.0, 100_000.0)] {
            let found = histogram.quantile(share) as f64;
            assert!((found - exact).abs() / exact < 0.01, "{share}: {found} instead of {exact}");
        }
    }

    #[test]
    fn one_slow_request_in_a_thousand_is_seen_above_p999_only() {
        let mut histogram = Histogram::default();
        (0..9_990).for_each(|_| histogram.record(100));
        (0..10).for_each(|_| histogram.record(1_000_000));
        assert_eq!(histogram.quantile(0.999), 100);
        assert!(histogram.quantile(0.9995) >= 1_000_000);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert_eq!(Histogram::default().quantile(0.99), 0);
    }
}
