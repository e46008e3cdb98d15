//! Tail probabilities and quantiles of the distributions that the tests of this reduction use. Not the tests themselves.

use std::f64::consts::SQRT_2;

use statrs::function::beta::{beta_reg, inv_beta_reg};
use statrs::function::erf::{erfc, erfc_inv};

/// Two-sided p of a correlation `r` under independence and normality: I(1 − r²; degrees/2, 1/2), which equals 2·P(T > |t|) for
/// t = r·√(degrees/(1−r²)) (science §E.1). `degrees` is n − 2, of a partial correlation less the covariates, and above 0; |r| = 1 gives 0.
pub(super) fn correlation_p(r: f64, degrees: f64) -> f64 {
    beta_reg(degrees / 2.0, 0.5, ((1.0 - r) * (1.0 + r)).clamp(0.0, 1.0))
}

/// Two-sided p of Student's `t`: I(degrees/(degrees + t²); degrees/2, 1/2).
pub(super) fn student_p(t: f64, degrees: f64) -> f64 {
    beta_reg(degrees / 2.0, 0.5, (degrees / (degrees + t * t)).clamp(0.0, 1.0))
}

/// P(T ≥ t) of Student's t.
pub(super) fn student_upper(t: f64, degrees: f64) -> f64 {
    let tail = student_p(t, degrees) / 2.0;
    if t < 0.0 { 1.0 - tail } else { tail }
}

/// Two-sided p of a standard normal `z`: erfc(|z|/√2).
pub(super) fn normal_p(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// Φ(z), the distribution function of the standard normal.
pub(super) fn normal_cdf(z: f64) -> f64 {
    erfc(-z / SQRT_2) / 2.0
}

/// Φ⁻¹(p), the quantile of the standard normal; infinite at 0 and 1.
pub(super) fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

/// z such that the standard normal lies within ±z with probability `confidence`; `None` outside 0…1, both excluded.
pub(super) fn normal_quantile_two_sided(confidence: f64) -> Option<f64> {
    let z = SQRT_2 * erfc_inv(1.0 - confidence);
    (confidence > 0.0 && confidence < 1.0 && z.is_finite()).then_some(z)
}

/// t such that Student's t of `degrees` lies within ±t with probability `confidence`; `None` outside 0…1, both excluded.
pub(super) fn student_quantile_two_sided(confidence: f64, degrees: f64) -> Option<f64> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let share = inv_beta_reg(degrees / 2.0, 0.5, 1.0 - confidence);
    let t = (degrees * (1.0 - share) / share).sqrt();
    t.is_finite().then_some(t)
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
        close(correlation_p(-0.765_769_206_304_443_6, 12.0), 0.001_408_605_260_438_416_5);
        close(correlation_p(0.376_628_309_084_845, 12.0), 0.184_395_168_984_906_66);
        close(student_p(1.408_385_993_923_693_1, 12.0), 0.184_395_168_984_906_66);
        close(normal_quantile_two_sided(0.95).unwrap(), 1.959_963_984_540_054_2);
        close(normal_p(1.959_963_984_540_054_2), 0.05);
        close(student_quantile_two_sided(0.95, 3.0).unwrap(), 3.182_446_305_283_71);
        close(student_quantile_two_sided(0.95, 12.0).unwrap(), 2.178_812_829_667_228);
        close(normal_cdf(-3.0), 0.001_349_898_031_630_094_5);
        close(normal_quantile(0.001_349_898_031_630_094_5), -3.0);
        assert_eq!(
            (correlation_p(1.0, 7.0), correlation_p(-1.0, 7.0), correlation_p(0.0, 7.0)),
            (0.0, 0.0, 1.0)
        );
        assert_eq!((normal_quantile_two_sided(1.0), normal_quantile_two_sided(0.0)), (None, None));
    }
}
