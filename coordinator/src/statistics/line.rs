//! The least-squares line through pairs. Not a model across cells.

use super::pairs::{Pairs, standardised};

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

/// The line of least squares: slope = Σ(x−x̄)(y−ȳ)/Σ(x−x̄)² (science §E.11).
pub fn line(pairs: &Pairs) -> Line {
    let n = pairs.count() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (x_mean, y_mean) = (mean(&pairs.x), mean(&pairs.y));
    let norm = |values: &[f64], mean: f64| {
        let largest = values.iter().fold(0.0, |a: f64, value| a.max((value - mean).abs()));
        largest * values.iter().map(|value| ((value - mean) / largest).powi(2)).sum::<f64>().sqrt()
    };
    let (x, y) = (standardised(&pairs.x), standardised(&pairs.y));
    let r: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    let scale = norm(&pairs.y, y_mean) / norm(&pairs.x, x_mean);
    let slope_error = scale * ((1.0 - r) * (1.0 + r) / (n - 2.0)).max(0.0).sqrt();
    let square = mean(&pairs.x.iter().map(|value| value * value).collect::<Vec<_>>());
    Line {
        slope: r * scale,
        intercept: y_mean - r * scale * x_mean,
        slope_error,
        intercept_error: slope_error * square.sqrt(),
    }
}
