//! Does one predictor go with the outcome better than another? Tests of two correlations that share a variable and a sample.

use super::distribution::{normal_p, student_p};

/// The correlations of three columns: predictors 2 and 3 with the outcome 1, and with each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triple {
    /// Predictor 2 with the outcome.
    pub r12: f64,
    /// Predictor 3 with the outcome.
    pub r13: f64,
    /// The predictors with each other.
    pub r23: f64,
    /// Rows.
    pub n: usize,
}

/// A test statistic and its two-sided p.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Test {
    /// t or z.
    pub statistic: f64,
    /// Two-sided p.
    pub p: f64,
}

impl Triple {
    /// Williams's T = (r12−r13)·√((n−1)(1+r23) / (2·(n−1)/(n−3)·|R| + r̄²(1−r23)³)) with n−3 degrees of freedom (Williams 1959,
    /// science §E.7); `None` below four rows or where the predictors are one another.
    pub fn williams(&self) -> Option<Test> {
        let Self { r12, r13, r23, n } = *self;
        let n = n as f64;
        let determinant = 1.0 - r12 * r12 - r13 * r13 - r23 * r23 + 2.0 * r12 * r13 * r23;
        let mean = (r12 + r13) / 2.0;
        let spread = 2.0 * (n - 1.0) / (n - 3.0) * determinant + mean * mean * (1.0 - r23).powi(3);
        let t = (r12 - r13) * ((n - 1.0) * (1.0 + r23) / spread).sqrt();
        self.test(t, |t| student_p(t, n - 3.0))
    }

    /// Steiger's Z = (z12−z13)·√(n−3)/√(2−2c), the covariance c taken at the mean correlation (Steiger 1980, equation 14).
    pub fn steiger(&self) -> Option<Test> {
        let square = ((self.r12 + self.r13) / 2.0).powi(2);
        let r23 = self.r23;
        let covariance =
            r23 * (1.0 - 2.0 * square) - square / 2.0 * (1.0 - 2.0 * square - r23 * r23);
        let c = covariance / (1.0 - square).powi(2);
        self.test(self.difference() / (2.0 - 2.0 * c).sqrt(), normal_p)
    }

    /// Meng, Rosenthal and Rubin's Z = (z12−z13)·√((n−3)/(2(1−r23)h)), h = (1−f·r²)/(1−r²), f = min(1, (1−r23)/(2(1−r²))), r² the mean
    /// square (1992).
    pub fn meng(&self) -> Option<Test> {
        let square = (self.r12 * self.r12 + self.r13 * self.r13) / 2.0;
        let f = ((1.0 - self.r23) / (2.0 * (1.0 - square))).min(1.0);
        let h = (1.0 - f * square) / (1.0 - square);
        self.test(self.difference() / (2.0 * (1.0 - self.r23) * h).sqrt(), normal_p)
    }

    /// (atanh r12 − atanh r13)·√(n−3)
    fn difference(&self) -> f64 {
        (self.r12.atanh() - self.r13.atanh()) * (self.n as f64 - 3.0).sqrt()
    }

    fn test(&self, statistic: f64, p: impl Fn(f64) -> f64) -> Option<Test> {
        let defined = self.n > 3 && statistic.is_finite();
        defined.then(|| Test { statistic, p: p(statistic) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: Option<Test>, statistic: f64, p: f64) {
        let found = found.unwrap();
        assert!((found.statistic / statistic - 1.0).abs() < 1e-9, "{found:?}");
        assert!((found.p / p - 1.0).abs() < 1e-9, "{found:?}");
    }

    /// The earlier study's weighted kurtosis against its outlier share.
    #[test]
    fn the_better_predictor_is_not_significantly_better() {
        let triple = Triple {
            r12: -0.765_769_206_304_443,
            r13: -0.834_112_419_548_979,
            r23: 0.933_031_727_534_137,
            n: 14,
        };
        check(triple.williams(), 1.123_915_465_726_88, 0.284_978_022_334_557);
        check(triple.steiger(), 1.073_772_206_636_38, 0.282_924_789_632_694);
        check(triple.meng(), 1.072_202_256_299_13, 0.283_629_197_206_927);
    }

    /// Steiger's example as psych::r.test prints it, −0.89, and that of Meng, Rosenthal and Rubin, 1.68.
    #[test]
    fn published_examples() {
        let triple = Triple { r12: 0.4, r13: 0.5, r23: 0.1, n: 103 };
        assert!((triple.williams().unwrap().statistic + 0.891_279_904_760_5).abs() < 1e-12);
        let triple = Triple { r12: 0.63, r13: -0.03, r23: -0.19, n: 15 };
        assert!((triple.meng().unwrap().statistic - 1.679_385_440_176_1).abs() < 1e-12);
    }

    #[test]
    fn a_predictor_against_itself_and_few_rows_have_no_test() {
        let itself = Triple { r12: 0.4, r13: 0.4, r23: 1.0, n: 20 };
        assert_eq!((itself.steiger(), itself.meng()), (None, None));
        let few = Triple { r12: 0.4, r13: 0.5, r23: 0.1, n: 3 };
        assert_eq!((few.williams(), few.steiger(), few.meng()), (None, None, None));
    }
}
