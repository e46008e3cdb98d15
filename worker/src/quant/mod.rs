//! Quantization as a function on weights: `(stored tensor, context) -> tensor`, quantize then dequantize.
//!
//! Pure: it knows no model, no layer and no device. The spelling of configs is `babelquant_proto::quant`; which tensors are
//! quantized is decided by who calls.

mod context;
mod error;
mod grid;
mod quantized;
mod range;
#[cfg(test)]
mod tests;
mod uniform;

use babelquant_proto::quant::{Basis, Grid, Rule, WeightConfig};

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
            to_nearest(weights, shape, Grid::Uniform(named.grid(context.group_kurtosis)))
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
        Grid::Uniform(uniform) => uniform::quantize(weights, shape, uniform),
        Grid::Codebook { .. }
        | Grid::Float8 { .. }
        | Grid::Microscaling { .. }
        | Grid::Nvfp4
        | Grid::Signs(_)
        | Grid::Candle(_) => Err(QuantError::unsupported("not built yet")),
    }
}
