//! The range of the weights that share a scale. Not how a grid is laid over it (`grid`).

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::QuantError;

/// Weights that one task reads; no result depends on it.
pub(super) const TASK_WEIGHTS: usize = 1 << 16;

/// The smallest interval that holds zero and all weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    /// min(0, smallest weight).
    pub(super) low: f32,
    /// max(0, largest weight).
    pub(super) high: f32,
}

impl Range {
    /// The range of `weights`, read in parallel.
    pub(super) fn of(weights: &[f32]) -> Result<Self, QuantError> {
        let arch = pulp::Arch::new();
        let keys = weights.par_chunks(TASK_WEIGHTS).map(|weights| arch.dispatch(FindKeys(weights)));
        keys.reduce(Keys::zero, Keys::merge).range()
    }

    /// The range of a short run of weights; inlined where the instruction set is known.
    #[inline(always)]
    pub(super) fn of_run(weights: &[f32]) -> Result<Self, QuantError> {
        Keys::of(weights).range()
    }

    /// The part of the range between two bounds; zero stays in it.
    pub(super) fn within(self, low: f32, high: f32) -> Self {
        Self { low: self.low.max(low).min(0.0), high: self.high.min(high).max(0.0) }
    }

    /// The range with both ends `factor` times as far from zero.
    pub(super) fn scaled(self, factor: f32) -> Self {
        Self { low: factor * self.low, high: factor * self.high }
    }

    /// The largest magnitude in the range.
    pub(super) fn magnitude(self) -> f32 {
        self.high.max(-self.low)
    }
}

/// `Keys::of`, compiled for each instruction set.
struct FindKeys<'a>(&'a [f32]);

impl WithSimd for FindKeys<'_> {
    type Output = Keys;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Keys {
        Keys::of(self.0)
    }
}

/// A range as integers in the order of the floats, NaN at the ends: integer minima need no care for NaN and vectorize.
#[derive(Debug, Clone, Copy)]
struct Keys {
    low: i32,
    high: i32,
}

impl Keys {
    fn zero() -> Self {
        Self { low: 0, high: 0 }
    }

    #[inline(always)]
    fn of(weights: &[f32]) -> Self {
        let mut keys = Self::zero();
        for weight in weights {
            let key = ordered(weight.to_bits() as i32);
            keys.low = keys.low.min(key);
            keys.high = keys.high.max(key);
        }
        keys
    }

    fn merge(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    fn range(self) -> Result<Range, QuantError> {
        let [low, high] = [self.low, self.high].map(|key| f32::from_bits(ordered(key) as u32));
        if low.is_finite() && high.is_finite() {
            Ok(Range { low, high })
        } else {
            Err(QuantError::NonFinite)
        }
    }
}

/// Bits of a float as an integer of the same order, and back: it is its own inverse.
#[inline(always)]
fn ordered(bits: i32) -> i32 {
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_holds_zero() {
        let check = |weights: &[f32], low, high| {
            let range = Range::of(weights).unwrap();
            assert_eq!((range.low, range.high), (low, high));
            assert_eq!(Range::of_run(weights).unwrap(), range);
        };
        check(&[], 0.0, 0.0);
        check(&[1.0, 3.0], 0.0, 3.0);
        check(&[-1.0, -3.0, -0.0], -3.0, 0.0);
        check(&[f32::MAX, -1e-45], -1e-45, f32::MAX);
    }

    #[test]
    fn non_finite_is_an_error() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut weights = vec![0.5; 1000];
            weights[777] = bad;
            assert_eq!(Range::of(&weights), Err(QuantError::NonFinite));
        }
    }

    #[test]
    fn cutting_keeps_zero() {
        let range = Range::of(&[-3.0, 1.0]).unwrap();
        assert_eq!(range.within(-2.0, 2.0), Range { low: -2.0, high: 1.0 });
        assert_eq!(range.within(0.5, 0.75), Range { low: 0.0, high: 0.75 });
        assert_eq!(range.scaled(0.5), Range { low: -1.5, high: 0.5 });
    }
}
