//! The quantile of magnitudes (type 7).

use crate::quant::Sample;
use crate::statistics::Position;

/// The p quantile of |w|; 0 of none.
pub(super) fn of_magnitudes(sample: Sample<'_>, p: f64) -> f64 {
    if sample.is_empty() {
        return 0.0;
    }
    let position = Position::of(sample.len(), p);
    let [below, above] = match sample.counts() {
        None => neighbours(sample.values(), position.below),
        Some(counts) => counted_neighbours(sample.values(), counts, position.below),
    };
    position.between(below, above)
}

/// The magnitudes of these ranks, from 0; the second is the last where there is none.
fn neighbours(weights: &[f32], below: u64) -> [f64; 2] {
    // Bits of non-negative floats are ordered as they are.
    let mut keys: Vec<u32> = weights.iter().map(|weight| weight.abs().to_bits()).collect();
    let (_, &mut low, rest) = keys.select_nth_unstable(below as usize);
    let high = rest.iter().copied().min().unwrap_or(low);
    [low, high].map(|bits| f64::from(f32::from_bits(bits)))
}

fn counted_neighbours(values: &[f32], counts: &[u64], below: u64) -> [f64; 2] {
    let mut counted: Vec<(f32, u64)> =
        values.iter().map(|value| value.abs()).zip(counts.iter().copied()).collect();
    counted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let at = |rank: u64| {
        let mut before = 0;
        let found = counted.iter().find(|(_, count)| {
            before += count;
            before > rank
        });
        found.or(counted.last()).map_or(0.0, |(value, _)| f64::from(*value))
    };
    [at(below), at(below + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_magnitudes() {
        let check = |weights: &[f32], p, expected| {
            assert_eq!(of_magnitudes(Sample::of(weights), p), expected);
        };
        check(&[], 0.5, 0.0);
        check(&[-2.0], 0.1, 2.0);
        check(&[3.0, -1.0, 2.0, 0.0], 0.5, 1.5);
        check(&[3.0, -1.0, 2.0, 0.0], 1.0, 3.0);
    }
}
