//! Quantization as a function on weights: `(stored tensor, context) -> tensor`, quantize then dequantize.
//!
//! Pure: it knows no model, no layer and no device. The spelling of configs is `babelquant_proto::quant`; which tensors are
//! quantized is decided by who calls.

mod error;
mod grid;
mod range;
#[cfg(test)]
mod tests;
mod uniform;

use babelquant_proto::quant::QuantConfig;

pub use error::QuantError;

/// Shape of a stored matrix [out, in], row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixShape {
    /// Output dimension.
    pub rows: usize,
    /// Input dimension: the weights of a row lie side by side.
    pub columns: usize,
}

/// What a rule may need to know beyond the tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightContext {
    /// Biased excess kurtosis of the layer group that the tensor belongs to (dimensionless); `None` where it is undefined.
    pub group_kurtosis: Option<f64>,
}

/// The weights [out, in] that remain when `config` has quantized and dequantized them. `none` and `f32` are the identity. The same
/// bits come out for any number of threads.
///
/// # Errors
/// A weight is NaN or infinite, or the config does not fit the shape or the range of the weights.
///
/// # Panics
/// `weights` does not have the length of `shape`.
pub fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    config: QuantConfig,
    context: &WeightContext,
) -> Result<Vec<f32>, QuantError> {
    assert_eq!(
        weights.len(),
        shape.rows * shape.columns,
        "a matrix {shape:?} has rows x columns weights"
    );
    match config {
        QuantConfig::None | QuantConfig::F32 => uniform::identity(weights),
        QuantConfig::Uniform(grid) => uniform::quantize(weights, shape, grid),
        QuantConfig::Named(named) => {
            uniform::quantize(weights, shape, named.grid(context.group_kurtosis))
        }
    }
}
