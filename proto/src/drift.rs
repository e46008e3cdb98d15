//! How far hidden states lie from the baseline's at a layer boundary, as sums. Not the ratios made of them, which are the coordinator's.

use std::ops::Add;

/// Sums over channels and tokens in f64, with b the baseline's state and x the other one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drift {
    /// Σ (x − b)².
    pub error: f64,
    /// Σ b².
    pub base: f64,
    /// Σ x·b.
    pub product: f64,
}

impl Drift {
    /// The sums of a row, where it has them.
    pub fn of(error: Option<f64>, base: Option<f64>, product: Option<f64>) -> Option<Self> {
        Some(Self { error: error?, base: base?, product: product? })
    }

    /// The sums, if each of them is a number.
    pub fn finite(self) -> Option<Self> {
        let Self { error, base, product } = self;
        [error, base, product].iter().all(|sum| sum.is_finite()).then_some(self)
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
