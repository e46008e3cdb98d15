//! Signs with one scale a row: ternary (BitNet b1.58: γ = mean|w|, ŵ = γ·clamp(rne(w/γ), −1, 1)) and binary (XNOR-Net: α = mean|w|,
//! ŵ = ±α, + at 0).

use babelquant_proto::quant::Signs;

use crate::quant::range::Range;
use crate::quant::walk::{Block, walk};
use crate::quant::{MatrixShape, QuantError, Quantized};

/// Bits of a stored scale.
const SCALE_BITS: f64 = 16.0;

/// The weights [out, in] as signs.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    signs: Signs,
) -> Result<Quantized, QuantError> {
    let values = match signs {
        Signs::Ternary => 3,
        Signs::Binary => 2,
    };
    let (rounded, groups) = walk(weights, shape.columns, values, &Row { signs })?;
    let bits_per_weight = f64::from(values).log2() + SCALE_BITS / shape.columns.max(1) as f64;
    Ok(Quantized::on_grids(rounded, bits_per_weight, groups))
}

/// A row under its mean magnitude.
struct Row {
    signs: Signs,
}

impl Block for Row {
    #[inline(always)]
    fn round(&self, weights: &[f32], output: &mut [f32]) -> Result<[f32; 2], QuantError> {
        Range::of_run(weights)?;
        let sum: f64 = weights.iter().map(|&weight| f64::from(weight.abs())).sum();
        let scale = (sum / weights.len().max(1) as f64) as f32;
        for (value, &weight) in output.iter_mut().zip(weights) {
            *value = match self.signs {
                _ if scale == 0.0 => 0.0,
                Signs::Ternary => (weight / scale).round_ties_even().clamp(-1.0, 1.0) * scale,
                Signs::Binary if weight >= 0.0 => scale,
                Signs::Binary => -scale,
            };
        }
        Ok([-scale, scale])
    }
}
