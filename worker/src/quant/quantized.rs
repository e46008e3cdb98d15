//! What quantization leaves: the weights, and what they cost. Not what is measured of it.

use std::fmt;

/// Quantized and dequantized weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    /// [out, in], row-major. Where `input_divisor` is given, they are to be multiplied by inputs divided by it.
    pub weights: Vec<f32>,
    /// Bits of storage a weight takes: codes, scales and zero points.
    pub bits_per_weight: f64,
    /// The groups that share a grid; `None` where weights of one group do not lie side by side, or are off their grid.
    pub groups: Option<Groups>,
    /// What inputs are divided by before they are quantized, [in].
    pub input_divisor: Option<Vec<f32>>,
    /// What was done instead of what the config asks.
    pub fallback: Option<Fallback>,
}

impl Quantized {
    /// Weights of which nothing is known but what they cost.
    pub fn of(weights: Vec<f32>, bits_per_weight: f64) -> Self {
        Self { weights, bits_per_weight, groups: None, input_divisor: None, fallback: None }
    }

    /// Weights on the grids of their groups.
    pub(super) fn on_grids(weights: Vec<f32>, bits_per_weight: f64, groups: Groups) -> Self {
        Self { groups: Some(groups), ..Self::of(weights, bits_per_weight) }
    }
}

/// Runs of weights that share a grid, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// Weights in a group; the last one may have fewer.
    pub length: usize,
    /// Values that a grid has.
    pub codes: u32,
    /// For each group the smallest and the largest weight that is not clipped.
    pub limits: Vec<[f32; 2]>,
}

/// What a rule did instead of what its config asks, because the moments of the inputs allowed no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fallback {
    /// GPTQ with this share of the mean diagonal added, because with less there is no Cholesky factor.
    Damped(f64),
    /// Rounded to nearest, because there is no Cholesky factor even with damping 1.
    Nearest,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damped(damping) => write!(f, "damping raised to {damping}"),
            Self::Nearest => f.write_str("rounded to nearest: no Cholesky factor with damping 1"),
        }
    }
}
