//! The confidence band of the least-squares line. Not the line (`line`), nor where a further pair would fall.

use super::distribution::student_quantile_two_sided;
use super::interval::Interval;
use super::line::{Line, line};
use super::pairs::{Centred, Pairs};

/// The line through pairs and how far it may be off at each x, under independent normal errors of one variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The line.
    pub line: Line,
    mean_x: f64,
    /// Σ(x−x̄)²/n.
    variance_x: f64,
    /// t times the slope's standard error.
    reach: f64,
}

impl Band {
    /// The band at a confidence; `None` where it is no probability.
    pub fn of(pairs: &Pairs, confidence: f64) -> Option<Self> {
        let (n, x, line) = (pairs.count() as f64, Centred::of(pairs.x()), line(pairs));
        let reach = student_quantile_two_sided(confidence, n - 2.0)? * line.slope_error;
        Some(Self { line, mean_x: x.mean, variance_x: x.norm * x.norm / n, reach })
    }

    /// ŷ ± t·s·√(1/n + (x−x̄)²/Σ(x−x̄)²), which is ŷ ± t·se(slope)·√(Σ(x−x̄)²/n + (x−x̄)²).
    pub fn at(&self, x: f64) -> Interval {
        let half = self.reach * (self.variance_x + (x - self.mean_x).powi(2)).sqrt();
        let middle = self.line.at(x);
        Interval { low: middle - half, high: middle + half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x = 1, 2, 3, 4, 5 and y = 2, 1, 4, 3, 5: slope 0.8, residual variance 1.2, t(0.975; 3) = 3.18244630528371.
    #[test]
    fn a_worked_example() {
        let pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 4.0), (4.0, 3.0), (5.0, 5.0)];
        let band = Band::of(&Pairs::new(&pairs).unwrap(), 0.95).unwrap();
        for (x, middle) in [(3.0, 3.0), (5.0, 4.6), (0.0, 0.6)] {
            let half =
                3.182_446_305_283_71 * (1.2_f64 * (0.2 + (x - 3.0_f64).powi(2) / 10.0)).sqrt();
            let found = band.at(x);
            assert!((found.low - (middle - half)).abs() < 1e-9, "{found:?} {middle} {half}");
            assert!((found.high - (middle + half)).abs() < 1e-9);
        }
        assert_eq!(Band::of(&Pairs::new(&pairs).unwrap(), 1.0), None);
    }
}
