//! The least-squares line through pairs. Not a model across cells.

use super::correlation::product;
use super::pairs::{Centred, Pairs};

/// y = intercept + slope·x, with standard errors under independent errors of one variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Change of y per unit of x.
    pub slope: f64,
    /// y at x = 0.
    pub intercept: f64,
    /// Standard error of the slope: |slope|·√((1/r² − 1)/(n−2)).
    pub slope_error: f64,
    /// Standard error of the intercept: slope error · √(Σx²/n).
    pub intercept_error: f64,
}

impl Line {
    /// The line's y at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// The line of least squares: slope = Σ(x−x̄)(y−ȳ)/Σ(x−x̄)² (science §E.11).
pub fn line(pairs: &Pairs) -> Line {
    let n = pairs.count() as f64;
    let (x, y) = (Centred::of(&pairs.x), Centred::of(&pairs.y));
    let (r, scale) = (product(&x.standardised, &y.standardised), y.norm / x.norm);
    let slope_error = scale * ((1.0 - r) * (1.0 + r) / (n - 2.0)).sqrt();
    let square = pairs.x.iter().map(|value| value * value).sum::<f64>() / n;
    Line {
        slope: r * scale,
        intercept: y.mean - r * scale * x.mean,
        slope_error,
        intercept_error: slope_error * square.sqrt(),
    }
}
