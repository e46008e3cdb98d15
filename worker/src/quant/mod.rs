//! Quantization as a function on weights: `(stored tensor, context) -> tensor`, quantize then dequantize.
//!
//! Pure: it knows no model, no layer and no device. The spelling of configs is `babelquant_proto::quant`; which tensors are
//! quantized is decided by who calls.

mod clip;
mod context;
mod error;
mod grid;
mod grids;
mod quantized;
mod range;
#[cfg(test)]
mod tests;
mod uniform;
mod walk;

use babelquant_proto::quant::{Basis, Grid, Rule, WeightConfig};

use clip::Ends;

pub use context::{InputMoments, MatrixShape, WeightContext};
pub use error::QuantError;
pub use quantized::{Groups, Quantized};

/// The weights [out, in] that remain when `config` has quantized and dequantized them. The same bits come out for any number of
/// threads.
///
/// # Errors
/// A weight is NaN or infinite, or the config does not fit the shape, the range or what is known of the weights.
///
/// # Panics
/// `weights` does not have the length of `shape`.
pub fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    config: &WeightConfig,
    context: &WeightContext<'_>,
) -> Result<Quantized, QuantError> {
    assert_eq!(
        weights.len(),
        shape.rows * shape.columns,
        "a matrix {shape:?} has rows x columns weights"
    );
    match (config.basis, config.kept) {
        (Basis::Stored, None) => by_rule(weights, shape, config.rule, context),
        (Basis::Rotated, _) | (_, Some(_)) => Err(QuantError::unsupported("not built yet")),
    }
}

fn by_rule(
    weights: &[f32],
    shape: MatrixShape,
    rule: Rule,
    context: &WeightContext<'_>,
) -> Result<Quantized, QuantError> {
    match rule {
        Rule::Nearest(grid) => to_nearest(weights, shape, grid),
        Rule::Named(named) => {
            let ends = Ends::Sigmas(named.sigmas(context.group_kurtosis));
            uniform::quantize(weights, shape, (named.grid(), ends))
        }
        Rule::Gptq { .. }
        | Rule::Awq(_)
        | Rule::SmoothQuant { .. }
        | Rule::Hqq { .. }
        | Rule::LlmInt8 { .. } => Err(QuantError::unsupported("not built yet")),
    }
}

fn to_nearest(weights: &[f32], shape: MatrixShape, grid: Grid) -> Result<Quantized, QuantError> {
    match grid {
        Grid::Uniform(uniform) => uniform::quantize(weights, shape, (uniform, Ends::Rule)),
        Grid::Codebook { code, block, scales } => {
            grids::codebook::quantize(weights, code, block.get() as usize, scales)
        }
        Grid::Float8 { format, scope } => grids::float8::quantize(weights, shape, format, scope),
        Grid::Microscaling { element, scale_rule } => {
            grids::microscaling::quantize(weights, shape, element, scale_rule)
        }
        Grid::Nvfp4 => grids::nvfp4::quantize(weights, shape),
        Grid::Signs(signs) => grids::signs::quantize(weights, shape, signs),
        Grid::Candle(block) => grids::candle::quantize(weights, shape, block),
    }
}
