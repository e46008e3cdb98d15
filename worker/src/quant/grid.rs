//! Uniform grids: a scale and perhaps a zero point over a range, rounding to them, and what they cost. Not which weights share a grid.

use babelquant_proto::quant::{Symmetry, Uniform};

use super::QuantError;
use super::range::Range;

/// Bits of a stored scale.
const SCALE_BITS: f64 = 16.0;

/// A uniform grid in f32. Ties round to even, weights are divided by the scale (not multiplied by its inverse).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Grid {
    /// q = clamp(rne(w / scale), −top, top), ŵ = q · scale.
    Symmetric {
        /// Distance of two values.
        scale: f32,
        /// Largest code, 2^(b−1) − 1.
        top: f32,
    },
    /// q = clamp(rne(w / scale) + zero, 0, top), ŵ = scale · (q − zero).
    Asymmetric {
        /// Distance of two values.
        scale: f32,
        /// The code of 0.
        zero: f32,
        /// Largest code, 2^b − 1.
        top: f32,
    },
}

impl Grid {
    /// The grid of `config` over `range`. Symmetric: scale = max|w| / (2^(b−1) − 1), or 1 where that is 0.
    /// Asymmetric, the GPTQ form: scale = (high − low) / (2^b − 1), zero = rne(−low / scale), over [−1, 1] where the scale
    /// would be 0.
    pub(super) fn fit(config: Uniform, range: Range) -> Result<Self, QuantError> {
        let grid = match config.symmetry {
            Symmetry::Symmetric => Self::symmetric(config.bits.get(), range),
            Symmetry::Asymmetric => Self::asymmetric(config.bits.get(), range),
        };
        if grid.extent().is_finite() {
            return Ok(grid);
        }
        let (low, high) = (range.low, range.high);
        Err(QuantError::unsupported(format!("a grid from {low} to {high} overflows f32")))
    }

    fn symmetric(bits: u8, range: Range) -> Self {
        let top = ((1_u32 << (bits - 1)) - 1) as f32;
        let scale = range.magnitude() / top;
        Self::Symmetric { scale: if scale == 0.0 { 1.0 } else { scale }, top }
    }

    fn asymmetric(bits: u8, range: Range) -> Self {
        let top = ((1_u32 << bits) - 1) as f32;
        let over = |low: f32, high: f32| (low, (high - low) / top);
        let (low, scale) = match over(range.low, range.high) {
            (_, 0.0) => over(-1.0, 1.0),
            fitted => fitted,
        };
        Self::Asymmetric { scale, zero: (-low / scale).round_ties_even(), top }
    }

    /// The smallest and the largest weight that a grid of `config` over `range` does not clip.
    pub(super) fn limits(config: Uniform, range: Range) -> [f32; 2] {
        match config.symmetry {
            Symmetry::Symmetric => [-range.magnitude(), range.magnitude()],
            Symmetry::Asymmetric => [range.low, range.high],
        }
    }

    /// Values of a grid of `config`.
    pub(super) fn codes(config: Uniform) -> u32 {
        match config.symmetry {
            Symmetry::Symmetric => (1 << config.bits.get()) - 1,
            Symmetry::Asymmetric => 1 << config.bits.get(),
        }
    }

    /// Bits of a code and its share of the group's scale (16 bits, as uniform grids are deployed) and zero point (a code).
    pub(super) fn bits_per_weight(config: Uniform, group: usize) -> f64 {
        let bits = f64::from(config.bits.get());
        let zero = match config.symmetry {
            Symmetry::Symmetric => 0.0,
            Symmetry::Asymmetric => bits,
        };
        bits + (SCALE_BITS + zero) / group.max(1) as f64
    }

    /// Bound of the magnitudes on the grid.
    fn extent(self) -> f32 {
        match self {
            Self::Symmetric { scale, top } | Self::Asymmetric { scale, top, .. } => scale * top,
        }
    }

    /// The nearest value of the grid.
    #[inline(always)]
    pub(super) fn nearest(self, weight: f32) -> f32 {
        match self {
            Self::Symmetric { scale, top } => {
                (weight / scale).round_ties_even().clamp(-top, top) * scale
            }
            Self::Asymmetric { scale, zero, top } => {
                let code = ((weight / scale).round_ties_even() + zero).clamp(0.0, top);
                scale * (code - zero)
            }
        }
    }

    /// Writes the nearest values of the grid to `output`; both slices have one length.
    #[inline(always)]
    pub(super) fn round(self, weights: &[f32], output: &mut [f32]) {
        for (value, weight) in output.iter_mut().zip(weights) {
            *value = self.nearest(*weight);
        }
    }
}
