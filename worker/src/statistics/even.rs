//! A look at whether weights are spread evenly within their buckets, which the L-moments of a coarse population suppose. It
//! finds values that repeat (dequantized weights) and values that keep to the edges (16-bit weights with small changes).

/// Parts of a bucket that are compared, and the bits that number them.
const CELLS: usize = 1 << CELL_BITS;
const CELL_BITS: u32 = 4;

/// The mean square of the cells' relative deviations beyond chance that passes for even.
const EXCESS_MAX: f64 = 0.02;

/// Pearson's χ² of the cells of every bucket, summed, is near its mean. `buckets` are the free bits of the values of each.
pub(super) fn is_even(
    buckets: impl Iterator<Item = impl Iterator<Item = u32>>,
    free_bits: u32,
) -> bool {
    let (mut excess, mut values, mut variance) = (0.0, 0.0, 0.0);
    for bucket in buckets {
        let mut cells = [0.0_f64; CELLS];
        bucket.for_each(|free| cells[(free >> (free_bits - CELL_BITS)) as usize] += 1.0);
        let count: f64 = cells.iter().sum();
        let freedom = (CELLS - 1) as f64;
        let expected = count / CELLS as f64;
        if expected >= 1.0 {
            let square: f64 = cells.iter().map(|cell| (cell - expected).powi(2)).sum();
            excess += square / expected - freedom;
            values += count;
            variance += 2.0 * freedom;
        }
    }
    excess <= EXCESS_MAX * values + 5.0 * variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_uneven_buckets() {
        let check = |free: fn(u32) -> u32, expected| {
            let buckets = (0..3).map(|_| (0..300).map(free));
            assert_eq!(is_even(buckets, 13), expected);
        };
        check(|at| at * 8191 / 299, true);
        check(|at| at.wrapping_mul(2_654_435_769) >> 19, true);
        check(|_| 4000, false);
        check(|at| at % 2 * (at * 8191 / 299), false);
        check(|at| at % 3 * 2000, false);
        assert!(is_even(std::iter::empty::<std::iter::Empty<u32>>(), 13));
    }
}
