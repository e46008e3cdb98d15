//! Quantiles of a sample, type 7. The one definition of a quantile in the reduction; not a sketch.

/// Quantile `p` of `sorted` (ascending), linear between order statistics: h = (n−1)p, x⌊h⌋ + (h−⌊h⌋)(x⌊h⌋₊₁ − x⌊h⌋)
/// (Hyndman & Fan 1996, type 7: numpy's default). `None` for an empty sample; `p` outside 0…1 is its nearer end.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let h = last as f64 * p.clamp(0.0, 1.0);
    let below = (h.floor() as usize).min(last);
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(a + (h - h.floor()) * (b - a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_7_interpolates_linearly() {
        let sample = [1.0, 2.0, 4.0, 8.0];
        for (p, value) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0), (2.0, 8.0)]
        {
            let found = quantile(&sample, p).unwrap();
            assert!((found - value).abs() < 1e-12, "{p}: {found} {value}");
        }
        assert_eq!(quantile(&[5.0], 0.3), Some(5.0));
        assert_eq!(quantile(&[], 0.3), None);
    }
}
