//! Rounding of activations onto grids, row by row: SIMD in place on the CPU, tensor operations on a device. Both give the same
//! bits; a test holds them to that. Which rows and which grid is said by `linear`.

use candle_core::{CpuStorage, D, InplaceOp1, InplaceOp2, Layout, Result, Tensor};

use super::cpu::{for_rows, values, values_mut};
use super::simd;
use crate::model::ModelError;

/// The least magnitude that a token's scale is made for.
const LARGEST_MIN: f32 = 1e-5;
/// The largest code of eight bits.
const TOP_INT8: f32 = 127.0;
/// Added and taken away again, it leaves an f32 of magnitude below 2²² rounded to the nearest whole number, ties to even.
const MAGIC: f64 = 12_582_912.0;

/// x over a number a column; x f32 [n, width] a fresh result, `divisor` f32 [width].
pub(in crate::model) fn divide(
    x: Tensor,
    divisor: &Tensor,
) -> std::result::Result<Tensor, ModelError> {
    if x.device().is_cpu() {
        x.inplace_op2(divisor, &Divide)?;
        return Ok(x);
    }
    Ok(x.broadcast_div(divisor)?)
}

/// Each row on a grid of 2·top + 1 values; x f32 [n, width] a fresh result.
pub(in crate::model) fn round_tokens(
    x: Tensor,
    top: u8,
) -> std::result::Result<Tensor, ModelError> {
    match x.device().is_cpu() {
        true => x.inplace_op1(&RoundTokens { top: top.into() })?,
        false => return tokens_by_tensors(&x, top),
    }
    Ok(x)
}

/// Each row in int8, but for the columns in which a magnitude reaches `threshold`; x f32 [n, width] a fresh result.
pub(in crate::model) fn round_but_outliers(
    x: Tensor,
    threshold: f32,
) -> std::result::Result<Tensor, ModelError> {
    match x.device().is_cpu() {
        true => x.inplace_op1(&RoundButOutliers { threshold })?,
        false => return outliers_by_tensors(&x, threshold),
    }
    Ok(x)
}

fn tokens_by_tensors(x: &Tensor, top: u8) -> std::result::Result<Tensor, ModelError> {
    let largest = x.abs()?.max_keepdim(D::Minus1)?.maximum(LARGEST_MIN)?;
    let scale = (&largest / &Tensor::full(f32::from(top), largest.shape(), x.device())?)?;
    Ok(nearest(&x.broadcast_div(&scale)?)?.broadcast_mul(&scale)?)
}

fn outliers_by_tensors(x: &Tensor, threshold: f32) -> std::result::Result<Tensor, ModelError> {
    let abs = x.abs()?;
    let kept = abs.max_keepdim(0)?.ge(threshold)?.broadcast_as(x.shape())?;
    let below = abs.lt(threshold)?.where_cond(&abs, &abs.zeros_like()?)?;
    let largest = below.max_keepdim(D::Minus1)?;
    let some = largest.gt(0_f32)?.where_cond(&largest, &largest.ones_like()?)?;
    let top = Tensor::full(TOP_INT8, some.shape(), x.device())?;
    let codes = nearest(&x.broadcast_mul(&(&top / &some)?)?)?;
    let rounded = codes.broadcast_mul(&(&some / &top)?)?;
    Ok(kept.where_cond(x, &rounded)?)
}

/// Whole numbers; x below 2²² in magnitude. Outliers that are larger are not used.
fn nearest(x: &Tensor) -> Result<Tensor> {
    (x + MAGIC)? - MAGIC
}

/// x /= divisor, row by row.
struct Divide;
/// Each row on the grid over ± its largest magnitude.
struct RoundTokens {
    top: f32,
}
/// Each row in int8 but for columns of outliers.
struct RoundButOutliers {
    threshold: f32,
}

impl InplaceOp2 for Divide {
    fn name(&self) -> &'static str {
        "divide-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, lx: &Layout, d: &CpuStorage, ld: &Layout) -> Result<()> {
        let (x, divisor) = (values_mut(x, lx)?, values(d, ld)?);
        for_rows(
            x,
            divisor.len(),
            #[inline(always)]
            |_, row| row.iter_mut().zip(divisor).for_each(|(x, &divisor)| *x /= divisor),
        );
        Ok(())
    }
}

impl InplaceOp1 for RoundTokens {
    fn name(&self) -> &'static str {
        "round-tokens-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, width) = layout.shape().dims2()?;
        for_rows(
            values_mut(x, layout)?,
            width,
            #[inline(always)]
            |_, row| {
                let largest = simd::max_of(row, f32::abs).max(LARGEST_MIN);
                let scale = largest / self.top;
                row.iter_mut().for_each(|x| *x = (*x / scale).round_ties_even() * scale);
            },
        );
        Ok(())
    }
}

impl InplaceOp1 for RoundButOutliers {
    fn name(&self) -> &'static str {
        "round-but-outliers-in-place"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, width) = layout.shape().dims2()?;
        let x = values_mut(x, layout)?;
        let mut column_max = vec![0.0_f32; width];
        for row in x.chunks_exact(width) {
            let pairs = column_max.iter_mut().zip(row);
            pairs.for_each(|(largest, x)| *largest = largest.max(x.abs()));
        }
        let threshold = self.threshold;
        for_rows(
            x,
            width,
            #[inline(always)]
            |_, row| {
                let below = |x: f32| if x.abs() < threshold { x.abs() } else { 0.0 };
                let largest = simd::max_of(row, below);
                let largest = if largest > 0.0 { largest } else { 1.0 };
                let (to_code, scale) = (TOP_INT8 / largest, largest / TOP_INT8);
                for (x, &column) in row.iter_mut().zip(&column_max) {
                    let rounded = (*x * to_code).round_ties_even() * scale;
                    *x = if column < threshold { rounded } else { *x };
                }
            },
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::statistics::golden::Generator;

    /// Inputs [9, 50] with outliers in two columns and a row of zeros.
    fn inputs() -> Tensor {
        let mut generator = Generator { state: 3 };
        let mut values: Vec<f32> = (0..9 * 50).map(|_| generator.gaussish() as f32).collect();
        values[2 * 50 + 7] = 61.5;
        values[4 * 50 + 7] = -3e7;
        values[5 * 50 + 31] = 6.0;
        values[6 * 50..7 * 50].fill(0.0);
        Tensor::from_vec(values, (9, 50), &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<Vec<f32>> {
        x.to_vec2().unwrap()
    }

    #[test]
    fn a_token_is_rounded_over_its_own_range() {
        for top in [1_u8, 7, 127] {
            let x = inputs();
            let rounded = round_tokens(x.copy().unwrap(), top).unwrap();
            assert_eq!(values(&tokens_by_tensors(&x, top).unwrap()), values(&rounded));
            for (x, rounded) in values(&x).iter().zip(values(&rounded)) {
                let largest = x.iter().fold(1e-5_f32, |largest, x| largest.max(x.abs()));
                let scale = largest / f32::from(top);
                let expected: Vec<f32> =
                    x.iter().map(|x| (x / scale).round_ties_even() * scale).collect();
                assert_eq!(rounded, expected);
            }
        }
    }

    #[test]
    fn columns_of_outliers_keep_their_bits() {
        let x = inputs();
        let rounded = round_but_outliers(x.copy().unwrap(), 6.0).unwrap();
        assert_eq!(values(&outliers_by_tensors(&x, 6.0).unwrap()), values(&rounded));
        for (x, rounded) in values(&x).iter().zip(values(&rounded)) {
            let below = x.iter().map(|x| x.abs()).filter(|&x| x < 6.0);
            let largest = below.fold(0.0, f32::max);
            for (column, (x, rounded)) in x.iter().zip(rounded).enumerate() {
                match [7, 31].contains(&column) || largest == 0.0 {
                    true => assert_eq!(*x, rounded),
                    false => {
                        let code = (x * (127.0 / largest)).round_ties_even();
                        assert_eq!(rounded, code * (largest / 127.0));
                    }
                }
            }
        }
        assert_eq!(values(&round_but_outliers(x.copy().unwrap(), 1e-9).unwrap()), values(&x));
    }

    #[test]
    fn codes_are_those_of_bitsandbytes() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/calibration/llm_int8.json");
        let golden: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let numbers = |value: &serde_json::Value| -> Vec<f32> {
            value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
        };
        let rows = |key: &str| -> Vec<Vec<f32>> {
            golden[key].as_array().unwrap().iter().map(numbers).collect()
        };
        let (inputs, codes, scales) = (rows("inputs"), rows("codes"), numbers(&golden["scales"]));
        let outliers = numbers(&golden["outliers"]);
        let x = Tensor::new(inputs.clone(), &Device::Cpu).unwrap();
        let threshold = golden["threshold"].as_f64().unwrap() as f32;
        let rounded = values(&round_but_outliers(x, threshold).unwrap());
        assert_eq!(outliers, [7.0, 31.0]);
        for (row, found) in rounded.iter().enumerate() {
            for (column, found) in found.iter().enumerate() {
                let expected = match outliers.contains(&(column as f32)) {
                    true => inputs[row][column],
                    false => codes[row][column] * (scales[row] / 127.0),
                };
                assert_eq!(*found, expected, "{row} {column}");
            }
        }
    }

    #[test]
    fn channels_are_divided() {
        let divisor = Tensor::arange(1_f32, 51.0, &Device::Cpu).unwrap();
        let divided = divide(inputs(), &divisor).unwrap();
        assert_eq!(values(&divided), values(&inputs().broadcast_div(&divisor).unwrap()));
    }
}
