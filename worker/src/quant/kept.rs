//! Weights that are kept: the largest magnitudes of a matrix stay, as f16, and the rest is quantized as if they were 0.

use std::cmp::Ordering;

use half::f16;

use super::{QuantError, Quantized};

/// Bits of a kept weight: an f16 and its place in the matrix.
const KEPT_BITS: f64 = 16.0 + 32.0;

/// The places of the largest `percent` % of |w|, ascending; of equals the first. At least one of a non-empty matrix.
pub(super) fn places(weights: &[f32], percent: f64) -> Vec<usize> {
    let count = ((weights.len() as f64 * percent / 100.0).round() as usize).max(1);
    let count = count.min(weights.len());
    if count == 0 {
        return Vec::new();
    }
    // Bits of non-negative floats are ordered as they are.
    let key = |weight: &f32| weight.abs().to_bits();
    let mut keys: Vec<u32> = weights.iter().map(key).collect();
    let (_, &mut least, above) = keys.select_nth_unstable(weights.len() - count);
    let mut equals = count - above.iter().filter(|&&key| key > least).count();
    let mut is_kept = |weight: &f32| match key(weight).cmp(&least) {
        Ordering::Greater => true,
        Ordering::Equal if equals > 0 => {
            equals -= 1;
            true
        }
        Ordering::Equal | Ordering::Less => false,
    };
    (0..weights.len()).filter(|&place| is_kept(&weights[place])).collect()
}

/// The weights without those in `places`.
pub(super) fn remainder(weights: &[f32], places: &[usize]) -> Vec<f32> {
    let mut rest = weights.to_vec();
    places.iter().for_each(|&place| rest[place] = 0.0);
    rest
}

/// The quantized remainder with the kept weights in their places.
pub(super) fn restored(
    mut quantized: Quantized,
    weights: &[f32],
    places: &[usize],
) -> Result<Quantized, QuantError> {
    for &place in places {
        let kept = f16::from_f32(weights[place]).to_f32();
        if !weights[place].is_finite() {
            return Err(QuantError::NonFinite);
        }
        if !kept.is_finite() {
            let reason = format!("a kept weight of {} overflows f16", weights[place]);
            return Err(QuantError::unsupported(reason));
        }
        quantized.weights[place] = kept;
    }
    quantized.bits_per_weight += KEPT_BITS * places.len() as f64 / weights.len().max(1) as f64;
    quantized.groups = None;
    Ok(quantized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_stay_and_of_equals_the_first() {
        let weights = [0.5, -3.0, 1.0, 3.0, -0.25, 1.0, 0.0, 0.125];
        assert_eq!(places(&weights, 25.0), [1, 3]);
        assert_eq!(places(&weights, 37.5), [1, 2, 3]);
        assert_eq!(places(&weights, 0.001), [1]);
        assert_eq!(places(&[], 1.0), [0; 0]);
        assert_eq!(remainder(&weights, &[1, 3])[..4], [0.5, 0.0, 1.0, 0.0]);
    }
}
