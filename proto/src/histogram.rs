//! Counts of values of any size in buckets whose width grows with the value, as they add up over units and languages, and quantiles of them.
//! Not the values themselves, which nobody keeps.
//!
//! Each octave from 2⁻²⁰ to 2⁶ has 16 buckets of equal width, so that a value lies within 1/16 of its bucket's ends; below is one bucket, above
//! another. The bucket is read off the bits of the number: no logarithm, whose last bit depends on the platform.

/// The lowest power of two with a bucket of its own.
const OCTAVE_MIN: i32 = -20;
/// The power of two from which on there is one bucket.
const OCTAVE_MAX: i32 = 6;
/// log₂ of the buckets of an octave.
const SPLIT_BITS: u32 = 4;
/// Bits of an f64 below those that choose the bucket.
const REST_BITS: u32 = f64::MANTISSA_DIGITS - 1 - SPLIT_BITS;
/// Bucket of the first value that is not too small, minus one, as bits of an f64 say it.
const SHIFT: u64 = ((f64::MAX_EXP + OCTAVE_MIN - 1) as u64) << SPLIT_BITS;
/// The last bucket, open above.
const LAST: usize = 1 + (((OCTAVE_MAX - OCTAVE_MIN) as usize) << SPLIT_BITS);

/// Counts of values; those below 2⁻²⁰, negative ones too, share the first bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// By bucket, without the empty ones at the end.
    counts: Vec<u64>,
}

/// A run of values without gaps between them: `count` values from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The least value that it may hold.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// How many it holds.
    pub count: u64,
}

impl Histogram {
    /// Most buckets of a histogram.
    pub const BUCKETS_MAX: usize = LAST + 1;

    /// Counts a value that is a number.
    pub fn push(&mut self, value: f64) {
        let bucket = bucket(value);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
    }

    /// Adds the counts of a column.
    pub fn add(&mut self, counts: &[u32]) {
        if self.counts.len() < counts.len() {
            self.counts.resize(counts.len(), 0);
        }
        for (sum, &count) in self.counts.iter_mut().zip(counts) {
            *sum += u64::from(count);
        }
    }

    /// The counts by bucket as a column has them, the empty ones at the end left out.
    pub fn into_counts(self) -> Vec<u32> {
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.counts.into_iter().map(narrow).collect()
    }

    /// The buckets that hold something, from the smallest values up.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + Clone + '_ {
        let bucket = |(number, &count): (usize, &u64)| Bucket {
            low: if number == 0 { f64::NEG_INFINITY } else { low(number) },
            high: if number == LAST { f64::INFINITY } else { low(number + 1) },
            count,
        };
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(bucket)
    }
}

impl Bucket {
    /// The bucket of the same values with their signs turned.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self { low: -self.high, high: -self.low, count: self.count }
    }
}

/// The quantile of type 7 of what ascending `buckets` hold, whose least and largest values are known: between the order statistics on both
/// sides of rank (n−1)·p from 0, linear. Each of them is off by no more than the width of its bucket, and both ends are exact. `None` where
/// there is no value.
pub fn quantile(
    buckets: impl Iterator<Item = Bucket> + Clone,
    ends: (f64, f64),
    p: f64,
) -> Option<f64> {
    let total: u64 = buckets.clone().map(|bucket| bucket.count).sum();
    let rank = total.checked_sub(1)? as f64 * p;
    let at = |rank: f64| order_statistic(buckets.clone(), ends, (rank, total as f64));
    let (below, above) = (at(rank.floor()), at(rank.ceil()));
    Some(below + (above - below) * rank.fract())
}

/// The value of this rank from 0 of so many; those of a bucket are taken to lie evenly in it.
fn order_statistic(
    buckets: impl Iterator<Item = Bucket>,
    (min, max): (f64, f64),
    (rank, total): (f64, f64),
) -> f64 {
    if rank <= 0.0 {
        return min;
    }
    if rank >= total - 1.0 {
        return max;
    }
    let mut before = 0.0;
    for bucket in buckets {
        let count = bucket.count as f64;
        if rank < before + count {
            let (low, high) = (bucket.low.max(min), bucket.high.min(max));
            return low + (high - low) * (rank - before + 0.5) / count;
        }
        before += count;
    }
    max
}

fn bucket(value: f64) -> usize {
    if value < low(1) {
        return 0;
    }
    let number = (value.to_bits() >> REST_BITS).saturating_sub(SHIFT) + 1;
    usize::try_from(number).map_or(LAST, |number| number.min(LAST))
}

/// The least value of a bucket above the first.
fn low(bucket: usize) -> f64 {
    f64::from_bits((bucket as u64 - 1 + SHIFT) << REST_BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.push(value));
        histogram
    }

    /// Type 7 over all values, as numpy has it.
    fn exact(values: &[f64], p: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() - 1) as f64 * p;
        let below = rank.floor() as usize;
        let above = (below + 1).min(sorted.len() - 1);
        sorted[below] + (rank - rank.floor()) * (sorted[above] - sorted[below])
    }

    #[test]
    fn octaves_begin_at_powers_of_two_and_have_sixteen_buckets() {
        assert_eq!((low(1), low(LAST)), (2_f64.powi(-20), 64.0));
        assert_eq!((low(17), low(18) - low(17)), (2_f64.powi(-19), 2_f64.powi(-23)));
        assert_eq!((LAST, Histogram::BUCKETS_MAX), (417, 418));
        for (value, expected) in [
            (-1.0, 0),
            (0.0, 0),
            (2_f64.powi(-20), 1),
            (1.0, 1 + 16 * 20),
            (1.0 - f64::EPSILON, 16 * 20),
            (1.0625, 2 + 16 * 20),
            (63.9, LAST - 1),
            (64.0, LAST),
            (f64::MAX, LAST),
        ] {
            assert_eq!(bucket(value), expected, "{value}");
        }
    }

    #[test]
    fn the_ends_are_exact_and_nothing_has_no_quantile() {
        let values = [3.0, -1e-9, 0.25, 70.0, 1e-30];
        let histogram = of(&values);
        let at = |p| quantile(histogram.buckets(), (-1e-9, 70.0), p);
        assert_eq!((at(0.0), at(1.0)), (Some(-1e-9), Some(70.0)));
        assert!((at(0.5).unwrap() / 0.25 - 1.0).abs() < 0.0625);
        assert!((at(0.75).unwrap() / 3.0 - 1.0).abs() < 0.0625);
        assert!((at(0.875).unwrap() / 36.5 - 1.0).abs() < 0.0625, "between 3 and 70");
        assert_eq!(quantile(Histogram::default().buckets(), (0.0, 0.0), 0.5), None);
        assert_eq!(quantile(of(&[0.1]).buckets(), (0.1, 0.1), 0.3), Some(0.1));
    }

    proptest! {
        #[test]
        fn a_histogram_is_the_sum_of_its_parts(
            values in prop::collection::vec(-1.0..80.0_f64, 0..80),
            cut in 0..80_usize,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut sum = of(left);
            sum.add(&of(right).into_counts());
            prop_assert_eq!(sum, of(&values));
        }

        #[test]
        fn a_quantile_is_off_by_the_width_of_a_bucket(
            logs in prop::collection::vec(-9.0..1.5_f64, 1..200),
            p in 0.0..1.0_f64,
        ) {
            let values: Vec<f64> = logs.iter().map(|log| 10_f64.powf(*log)).collect();
            let expected = exact(&values, p);
            let ends = (exact(&values, 0.0), exact(&values, 1.0));
            let found = quantile(of(&values).buckets(), ends, p).unwrap();
            prop_assert!((found - expected).abs() <= expected / 16.0 + 1e-6, "{found} {expected}");
        }
    }
}
