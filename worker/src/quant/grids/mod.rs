//! Rounding to the nearest value of a grid: which grid is computed by whom, and the grids that are not uniform, one a file.

mod candle;
mod codebook;
mod dynamic_codes;
mod float8;
mod microscaling;
mod minifloat;
mod nvfp4;
mod signs;

use babelquant_proto::quant::Grid;

use super::clip::Ends;
use super::{MatrixShape, QuantError, Quantized, uniform};

/// The weights [out, in], each rounded to the nearest value of the grid that it belongs to.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    grid: Grid,
) -> Result<Quantized, QuantError> {
    match grid {
        Grid::Uniform(uniform) => uniform::quantize(weights, shape, (uniform, Ends::Rule)),
        Grid::Codebook { code, block, scales } => {
            codebook::quantize(weights, code, block.get() as usize, scales)
        }
        Grid::Float8 { format, scope } => float8::quantize(weights, shape, format, scope),
        Grid::Microscaling { element, scale_rule } => {
            microscaling::quantize(weights, shape, element, scale_rule)
        }
        Grid::Nvfp4 => nvfp4::quantize(weights, shape),
        Grid::Signs(signs) => signs::quantize(weights, shape, signs),
        Grid::Candle(block) => candle::quantize(weights, shape, block),
    }
}
