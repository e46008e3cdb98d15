//! SmoothQuant (Xiao et al. 2022): a part of the inputs' range is moved into the weights: s_j = max|x_j|^α / max|w_j|^(1−α). The weights
//! become Q(W·s), and their inputs are divided by s before they are rounded.

use babelquant_proto::quant::{Decimal, Uniform};

use super::clip::Ends;
use super::matrices::by_column;
use super::uniform::quantize as to_nearest;
use super::{InputMoments, MatrixShape, QuantError, Quantized};

/// Keeps scales away from 0.
const SMALLEST: f32 = 1e-5;

/// The weights [out, in], to be multiplied by inputs over `input_divisor`.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    (strength, grid): (Decimal, Uniform),
    inputs: &InputMoments,
) -> Result<Quantized, QuantError> {
    let mut largest = vec![SMALLEST; shape.columns];
    for row in weights.chunks(shape.columns.max(1)) {
        for (largest, weight) in largest.iter_mut().zip(row) {
            *largest = largest.max(weight.abs());
        }
    }
    let alpha = strength.value() as f32;
    let one = |(x, w): (&f32, &f32)| (x.powf(alpha) / w.powf(1.0 - alpha)).max(SMALLEST);
    let scales: Vec<f32> = inputs.max_abs.iter().zip(&largest).map(one).collect();
    let scaled = by_column(weights, &scales, |weight, scale| weight * scale);
    let quantized = to_nearest(&scaled, shape, (grid, Ends::Rule))?;
    Ok(Quantized { input_divisor: Some(scales), ..quantized })
}
