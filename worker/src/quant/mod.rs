//! Quantization as a function on weights: `(stored tensor, context) -> tensor`, quantize then dequantize.
//!
//! Pure: it knows no model, no layer and no device. The spelling of configs is `babelquant_proto::quant`; which tensors are
//! quantized is decided by who calls.

mod awq;
mod clip;
mod context;
mod distortion;
mod ending;
mod error;
mod gptq;
mod grid;
mod grids;
mod hqq;
mod inputs;
mod kept;
mod matrices;
mod quantized;
mod range;
mod rotation;
mod sample;
mod smooth_quant;
mod sums;
#[cfg(test)]
mod tests;
mod uniform;
mod walk;

use babelquant_proto::quant::{
    Basis, Bits, Clip, Decimal, Granularity, Rule, Symmetry, Uniform, WeightConfig,
};

use clip::Ends;
use gptq::Gptq;
use rayon::prelude::*;
use rotation::BothSides;

pub use context::{MatrixShape, WeightContext};
pub use distortion::{Distortion, GridUse};
pub use ending::Endings;
pub use error::QuantError;
pub use inputs::{InputMoments, InputSums};
pub use quantized::{Fallback, Groups, Quantized};
pub use sample::Sample;

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
    let quantized = match config.kept {
        Some(percent) => beside_kept(weights, shape, (config, percent), context),
        None => in_basis(weights, shape, config, context),
    };
    match quantized {
        Err(QuantError::NonFinite) if weights.iter().all(|weight| weight.is_finite()) => {
            Err(overflow())
        }
        quantized => quantized,
    }
}

/// Keeps the largest weights and quantizes the rest.
fn beside_kept(
    weights: &[f32],
    shape: MatrixShape,
    (config, percent): (&WeightConfig, Decimal),
    context: &WeightContext<'_>,
) -> Result<Quantized, QuantError> {
    let places = kept::places(weights, percent.value());
    let rest = in_basis(&kept::remainder(weights, &places), shape, config, context)?;
    if rest.input_divisor.is_some() {
        return Err(QuantError::unsupported("kept weights have no scaled inputs"));
    }
    kept::restored(rest, weights, &places)
}

/// Quantizes in the basis of the config.
fn in_basis(
    weights: &[f32],
    shape: MatrixShape,
    config: &WeightConfig,
    context: &WeightContext<'_>,
) -> Result<Quantized, QuantError> {
    match config.basis {
        Basis::Stored => by_rule(weights, shape, config.rule, context),
        Basis::Rotated if matches!(config.rule, Rule::SmoothQuant { .. }) => {
            Err(QuantError::unsupported("the inputs of a turned matrix are not scaled"))
        }
        Basis::Rotated => {
            let both = BothSides::new(shape, context.seed);
            let inputs = context.inputs.map(|inputs| both.moments(inputs));
            let context = WeightContext { inputs: inputs.as_ref(), ..*context };
            let turned = by_rule(&both.turn(weights), shape, config.rule, &context)?;
            finite(Quantized { weights: both.turn_back(&turned.weights), groups: None, ..turned })
        }
    }
}

fn by_rule(
    weights: &[f32],
    shape: MatrixShape,
    rule: Rule,
    context: &WeightContext<'_>,
) -> Result<Quantized, QuantError> {
    let inputs = || {
        let missing = || QuantError::unsupported("the rule needs a calibration set");
        let inputs = context.inputs.ok_or_else(missing)?;
        assert_eq!(inputs.second.len(), shape.columns * shape.columns, "moments of these inputs");
        Ok(inputs)
    };
    match rule {
        Rule::Nearest(grid) => grids::quantize(weights, shape, grid),
        Rule::Named(named) => {
            let ends = Ends::Sigmas(named.sigmas(context.group_kurtosis));
            uniform::quantize(weights, shape, (named.grid(), ends))
        }
        Rule::Gptq { grid, order, damping } => {
            finite(gptq::quantize(weights, shape, Gptq { grid, order, damping }, inputs()?)?)
        }
        Rule::Awq(grid) => finite(awq::quantize(weights, shape, grid, inputs()?)?),
        Rule::SmoothQuant { strength, grid } => {
            finite(smooth_quant::quantize(weights, shape, (strength, grid), inputs()?)?)
        }
        Rule::Hqq { bits, group } => hqq::quantize(weights, shape, (bits, group.get() as usize)),
        Rule::LlmInt8 { .. } => uniform::quantize(weights, shape, (INT8_ROWS, Ends::Rule)),
    }
}

/// What came out, if no number on the way left f32.
fn finite(quantized: Quantized) -> Result<Quantized, QuantError> {
    match quantized.weights.par_iter().all(|value| value.is_finite()) {
        true => Ok(quantized),
        false => Err(overflow()),
    }
}

fn overflow() -> QuantError {
    QuantError::unsupported("the weights are so large that sums of them overflow f32")
}

/// The weights of LLM.int8(): eight bits a row.
const INT8_ROWS: Uniform = Uniform {
    bits: Bits::new(8).expect("8 is a width"),
    symmetry: Symmetry::Symmetric,
    granularity: Granularity::Channel,
    clip: Clip::AbsMax,
};
