//! Eight-bit floats (Micikevicius et al. 2022) with one scale a tensor or a row: s = max|w| / largest value, ŵ = round(w / s) · s.

use babelquant_proto::quant::{Float8, Float8Scope};

use super::minifloat::{E4M3, E5M2, Minifloat};
use crate::quant::range::Range;
use crate::quant::walk::{Block, walk};
use crate::quant::{MatrixShape, QuantError, Quantized};

/// Bits of a stored scale.
const SCALE_BITS: f64 = 32.0;

/// The weights [out, in] as eight-bit floats.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    format: Float8,
    scope: Float8Scope,
) -> Result<Quantized, QuantError> {
    let element = match format {
        Float8::E4m3 => E4M3,
        Float8::E5m2 => E5M2,
    };
    let (length, scale) = match scope {
        Float8Scope::Channel => (shape.columns, None),
        Float8Scope::Tensor => {
            (weights.len(), Some(scale(element, Range::of(weights)?.magnitude())))
        }
    };
    let row = Scaled { element, scale };
    let (rounded, groups) = walk(weights, length, element.values, &row)?;
    let bits_per_weight = 8.0 + SCALE_BITS / length.max(1) as f64;
    Ok(Quantized::on_grids(rounded, bits_per_weight, groups))
}

/// max|w| / largest value, or 1 where that is 0.
#[inline(always)]
fn scale(element: Minifloat, magnitude: f32) -> f32 {
    let scale = magnitude / element.max;
    if scale == 0.0 { 1.0 } else { scale }
}

/// Floats over a scale that is known, or that of the block.
struct Scaled {
    element: Minifloat,
    scale: Option<f32>,
}

impl Block for Scaled {
    #[inline(always)]
    fn round(&self, weights: &[f32], output: &mut [f32]) -> Result<[f32; 2], QuantError> {
        let magnitude = Range::of_run(weights)?.magnitude();
        let scale = self.scale.unwrap_or_else(|| scale(self.element, magnitude));
        QuantError::unless_finite(self.element.max * scale, magnitude)?;
        for (value, weight) in output.iter_mut().zip(weights) {
            *value = self.element.round(weight / scale) * scale;
        }
        Ok([-magnitude, magnitude])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::tests::heavy42::{check, heavy42, vector};

    #[test]
    fn weights_without_a_scale_are_those_of_ml_dtypes() {
        for (name, format) in [("fp8_e4m3fn_noscale", E4M3), ("fp8_e5m2_noscale", E5M2)] {
            let values: Vec<f32> =
                heavy42().into_iter().map(|weight| format.round(weight)).collect();
            check(&values, &vector(name));
        }
    }
}
