//! Tail probabilities and quantiles of the distributions that the tests of this reduction use. Not the tests themselves.

use std::f64::consts::SQRT_2;

use statrs::function::beta::beta_reg;
use statrs::function::erf::{erfc, erfc_inv};

/// Two-sided p of a correlation `r` of `n` pairs under independence and normality: I(1 − r²; (n−2)/2, 1/2), which equals
/// 2·P(T > |t|) for t = r·√((n−2)/(1−r²)) (science §E.1). `n` is at least 3; |r| = 1 gives 0.
pub(super) fn correlation_p(r: f64, n: usize) -> f64 {
    let degrees = n.max(3) as f64 - 2.0;
    beta_reg(degrees / 2.0, 0.5, ((1.0 - r) * (1.0 + r)).clamp(0.0, 1.0))
}

/// Two-sided p of a standard normal `z`: erfc(|z|/√2).
pub(super) fn normal_p(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// Φ(z), the distribution function of the standard normal.
pub(super) fn normal_cdf(z: f64) -> f64 {
    erfc(-z / SQRT_2) / 2.0
}

/// z such that the standard normal lies within ±z with probability `confidence`; `None` outside 0…1, both excluded.
pub(super) fn normal_quantile_two_sided(confidence: f64) -> Option<f64> {
    let z = SQRT_2 * erfc_inv(1.0 - confidence);
    (confidence > 0.0 && confidence < 1.0 && z.is_finite()).then_some(z)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// statrs's `erfc` is accurate to 1e-10 relative, its `beta_reg` to 1e-10 up to n = 10,000 (compared with mpmath).
    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-10 * expected.abs(), "{found} {expected}");
    }

    /// Expected values: mpmath with 40 digits.
    #[test]
    fn tails_agree_with_forty_digit_arithmetic() {
        close(correlation_p(-0.765_769_206_304_443_6, 14), 0.001_408_605_260_438_416_5);
        close(correlation_p(0.376_628_309_084_845, 14), 0.184_395_168_984_906_66);
        close(normal_quantile_two_sided(0.95).unwrap(), 1.959_963_984_540_054_2);
        close(normal_p(1.959_963_984_540_054_2), 0.05);
        close(normal_cdf(-3.0), 0.001_349_898_031_630_094_5);
        assert_eq!(
            (correlation_p(1.0, 9), correlation_p(-1.0, 9), correlation_p(0.0, 9)),
            (0.0, 0.0, 1.0)
        );
        assert_eq!((normal_quantile_two_sided(1.0), normal_quantile_two_sided(0.0)), (None, None));
    }
}
