//! What a sample can see: the smallest correlation that a test of it detects. Not a test.

use super::distribution::{correlation_p, normal_cdf};

/// Two-sided level of the test.
const LEVEL: f64 = 0.05;
/// Probability of detecting the correlation.
const POWER: f64 = 0.8;

/// The smallest |r| that a two-sided test at 5 % detects with 80 % power in `n` pairs; `None` below four. The power is
/// Φ((z'−z_c)√(n−3)) + Φ((−z'−z_c)√(n−3)), z' = atanh r + r/(2(n−1)), z_c = atanh(critical r) (science §E.10, as pwr).
pub(super) fn detectable_r(n: usize) -> Option<f64> {
    let degrees = n.checked_sub(3).filter(|&degrees| degrees > 0)? as f64;
    let critical = smallest(|r| correlation_p(r, n) <= LEVEL).atanh();
    let power = |r: f64| {
        let shifted = r.atanh() + r / (2.0 * (n as f64 - 1.0));
        let tail = |z: f64| normal_cdf((z - critical) * degrees.sqrt());
        tail(shifted) + tail(-shifted)
    };
    Some(smallest(|r| power(r) >= POWER))
}

/// The smallest r between 0 and 1 from which on `holds` is true, by bisection to the last bits.
fn smallest(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match holds(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_languages_see_only_large_effects() {
        assert!((detectable_r(14).unwrap() - 0.675_762_153_376_148_4).abs() < 1e-9);
        let critical = smallest(|r| correlation_p(r, 14) <= LEVEL);
        assert!((critical - 0.532_412_804_681_309_6).abs() < 1e-12);
    }

    #[test]
    fn needs_four_pairs_and_falls_with_n() {
        assert_eq!(detectable_r(3), None);
        assert!(detectable_r(4).unwrap() > detectable_r(5).unwrap());
        assert!((0.1..0.3).contains(&detectable_r(200).unwrap()));
    }
}
