//! NVFP4: E2M1 in blocks of 16, an E4M3 scale a block and one f32 scale a tensor, as torchao computes it.
//!
//! st = max|w| / (448·6); sb = E4M3(clamp(max|block| / 6 / st, 2⁻⁶, 448)); ŵ = E2M1(w·(1/st/sb))·(sb·st).

use super::minifloat::{E2M1, E4M3};
use crate::quant::range::Range;
use crate::quant::walk::{Block, walk};
use crate::quant::{MatrixShape, QuantError, Quantized};

/// Weights in a block.
const BLOCK: usize = 16;
/// Smallest block scale: the smallest normal E4M3.
const SCALE_MIN: f32 = 1.0 / 64.0;
/// Smallest tensor scale: the inverse of it and the smallest block scale is still a number.
const TENSOR_SCALE_MIN: f32 = 2.0 / SCALE_MIN / f32::MAX;

/// The weights [out, in] in blocks of 16.
pub(super) fn quantize(weights: &[f32], shape: MatrixShape) -> Result<Quantized, QuantError> {
    if !shape.columns.is_multiple_of(BLOCK) {
        let reason = format!("blocks of {BLOCK} do not divide a row of {} weights", shape.columns);
        return Err(QuantError::unsupported(reason));
    }
    let tensor_scale = Range::of(weights)?.magnitude() / (E4M3.max * E2M1.max);
    // Of a tensor of zeros, or so small that the scale has no inverse, every value is 0.
    let tensor_scale = if tensor_scale < TENSOR_SCALE_MIN { 1.0 } else { tensor_scale };
    let (rounded, groups) = walk(weights, BLOCK, E2M1.values, &TwoLevels { tensor_scale })?;
    let bits_per_weight = 4.5 + 32.0 / weights.len().max(1) as f64;
    Ok(Quantized::on_grids(rounded, bits_per_weight, groups))
}

/// A block under the tensor's scale.
struct TwoLevels {
    tensor_scale: f32,
}

impl Block for TwoLevels {
    #[inline(always)]
    fn round(&self, weights: &[f32], output: &mut [f32]) -> Result<[f32; 2], QuantError> {
        let magnitude = Range::of_run(weights)?.magnitude();
        let wanted = magnitude / E2M1.max / self.tensor_scale;
        let scale = E4M3.round(wanted.clamp(SCALE_MIN, E4M3.max));
        let inverse = 1.0 / self.tensor_scale / scale;
        QuantError::unless_finite(E2M1.max * (scale * self.tensor_scale), magnitude)?;
        for (value, weight) in output.iter_mut().zip(weights) {
            *value = E2M1.round(weight * inverse) * (scale * self.tensor_scale);
        }
        let limit = E2M1.max * (scale * self.tensor_scale);
        Ok([-limit, limit])
    }
}
