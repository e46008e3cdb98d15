//! The quantile of magnitudes (type 7: linear between the two order statistics around (n − 1)·p).

/// The p quantile of |w|; 0 of none.
pub(super) fn of_magnitudes(weights: &[f32], p: f64) -> f64 {
    // Bits of non-negative floats are ordered as they are.
    let mut keys: Vec<u32> = weights.iter().map(|weight| weight.abs().to_bits()).collect();
    let Some(last) = keys.len().checked_sub(1) else { return 0.0 };
    let place = last as f64 * p;
    let below = place.floor() as usize;
    let (_, &mut low, above) = keys.select_nth_unstable(below);
    let high = above.iter().copied().min().unwrap_or(low);
    let [low, high] = [low, high].map(|bits| f64::from(f32::from_bits(bits)));
    low + (high - low) * (place - below as f64)
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
