//! How far hidden states lie from the baseline's: the two ratios made of a row's sums. The sums themselves come from workers.

use std::ops::Add;

use crate::statistics::ratio;

/// Sums over hidden states at one boundary, x of the quantized model and b of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Drift {
    /// Σ (x − b)².
    pub(super) error: f64,
    /// Σ b².
    pub(super) base: f64,
    /// Σ x·b.
    pub(super) product: f64,
}

impl Drift {
    /// The sums of a row, where it has them.
    pub(super) fn of(error: Option<f64>, base: Option<f64>, product: Option<f64>) -> Option<Self> {
        Some(Self { error: error?, base: base?, product: product? })
    }

    /// Σ (x − b)² / Σ b²: the square of the relative error in the Frobenius norm.
    pub(super) fn square_error(self) -> Option<f64> {
        ratio(self.error, self.base)
    }

    /// The cosine Σ x·b / √(Σ b²·Σ x²), with Σ x² = Σ (x − b)² + 2·Σ x·b − Σ b². Exactly 1 for equal states.
    pub(super) fn cosine(self) -> Option<f64> {
        let square = self.error + 2.0 * self.product - self.base;
        ratio(self.product, (self.base * square.max(0.0)).sqrt())
            .map(|cosine| cosine.clamp(-1.0, 1.0))
    }
}

impl Add for Drift {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            error: self.error + other.error,
            base: self.base + other.base,
            product: self.product + other.product,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(base: &[f64], other: &[f64]) -> Drift {
        let pairs = base.iter().zip(other);
        pairs.fold(Drift::default(), |sum, (b, x)| {
            sum + Drift { error: (x - b) * (x - b), base: b * b, product: x * b }
        })
    }

    #[test]
    fn ratios_by_hand() {
        let drift = between(&[3.0, 4.0], &[4.0, -3.0]);
        assert_eq!((drift.square_error(), drift.cosine()), (Some(2.0), Some(0.0)));
        let twice = between(&[3.0, 4.0], &[6.0, 8.0]);
        assert_eq!((twice.square_error(), twice.cosine()), (Some(1.0), Some(1.0)));
        let opposite = between(&[1.0, 0.1], &[-1.0, -0.1]);
        assert_eq!((opposite.square_error(), opposite.cosine()), (Some(4.0), Some(-1.0)));
        for seed in 1..50 {
            let states: Vec<f64> = (0..17).map(|i| f64::from(i * seed % 23) / 7.0 - 1.5).collect();
            let same = between(&states, &states);
            assert_eq!((same.square_error(), same.cosine()), (Some(0.0), Some(1.0)), "{seed}");
        }
    }

    #[test]
    fn nothing_has_no_direction() {
        assert_eq!(Drift::default().square_error(), None);
        assert_eq!(between(&[1.0], &[0.0]).cosine(), None);
    }
}
