//! The quantile of magnitudes (type 7).

use crate::statistics::Position;

/// The p quantile of |w|; 0 of none.
pub(super) fn of_magnitudes(weights: &[f32], p: f64) -> f64 {
    // Bits of non-negative floats are ordered as they are.
    let mut keys: Vec<u32> = weights.iter().map(|weight| weight.abs().to_bits()).collect();
    if keys.is_empty() {
        return 0.0;
    }
    let position = Position::of(keys.len() as u64, p);
    let (_, &mut below, rest) = keys.select_nth_unstable(position.below as usize);
    let above = rest.iter().copied().min().unwrap_or(below);
    let [below, above] = [below, above].map(|bits| f64::from(f32::from_bits(bits)));
    position.between(below, above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_magnitudes() {
        assert_eq!(of_magnitudes(&[], 0.5), 0.0);
        assert_eq!(of_magnitudes(&[-2.0], 0.1), 2.0);
        assert_eq!(of_magnitudes(&[3.0, -1.0, 2.0, 0.0], 0.5), 1.5);
        assert_eq!(of_magnitudes(&[3.0, -1.0, 2.0, 0.0], 1.0), 3.0);
    }
}
