//! Fused functions of rows with their derivatives: what makes an hour enough. No model here.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Shape, Tensor};

use crate::model::HEADS;

const EPSILON: f32 = 1e-5;
/// 1/√d_head.
const SCORE_SCALE: f32 = 0.176_776_7;
/// √(2/π), of the tanh GELU.
const ROOT_TWO_OVER_PI: f32 = 0.797_884_6;

/// A function of each row (the last axis) with a hand-written derivative, fused into one pass.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowOp {
    /// BLOOM's tanh GELU: x·σ(2u), u = 0.79788456·x·(1 + 0.044715·x²).
    Gelu,
    /// (x − mean) / √(variance + ε): layer norm before its gain and bias.
    Normalise,
    /// Softmax over the keys j ≤ i of x/√d_head + slope·j; rows are \[batch, head, i\].
    CausalSoftmax,
    /// x − ln Σ exp x.
    LogSoftmax,
}

/// Chunk-wise sum, which the compiler can vectorise.
fn sum(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0f32; 16];
    values.enumerate().for_each(|(index, value)| lanes[index % 16] += value);
    lanes.iter().sum()
}

fn mean_and_inverse_deviation(x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x.iter().copied()) / n;
    let variance = sum(x.iter().map(|x| (x - mean) * (x - mean))) / n;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

/// Replaces y by exp(y − max y) and returns max y and the sum of the result.
fn exponentiate(y: &mut [f32]) -> (f32, f32) {
    let max = y.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    y.iter_mut().for_each(|y| *y = (*y - max).exp());
    (max, sum(y.iter().copied()))
}

/// σ(2u) of the tanh GELU.
fn gelu_gate(x: f32) -> f32 {
    1.0 / (1.0 + (-2.0 * ROOT_TWO_OVER_PI * x * (1.0 + 0.044_715 * x * x)).exp())
}

impl RowOp {
    fn forward(self, row: usize, x: &[f32], y: &mut [f32]) {
        match self {
            Self::Gelu => y.iter_mut().zip(x).for_each(|(y, x)| *y = x * gelu_gate(*x)),
            Self::Normalise => {
                let (mean, inverse) = mean_and_inverse_deviation(x);
                y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * inverse);
            }
            Self::CausalSoftmax => {
                let (query, head) = (row % x.len(), row / x.len() % HEADS);
                let slope = (-8.0 * (head + 1) as f32 / HEADS as f32).exp2();
                let (seen, unseen) = y.split_at_mut(query + 1);
                unseen.fill(0.0);
                let scores = x.iter().enumerate().map(|(j, x)| x * SCORE_SCALE + slope * j as f32);
                seen.iter_mut().zip(scores).for_each(|(y, score)| *y = score);
                let (_, total) = exponentiate(seen);
                seen.iter_mut().for_each(|y| *y /= total);
            }
            Self::LogSoftmax => {
                y.copy_from_slice(x);
                let (max, total) = exponentiate(y);
                let shift = max + total.ln();
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x - shift);
            }
        }
    }

    /// The gradient with respect to `x`, from the result `y` and its gradient; starts as `dx` = dy.
    fn backward(self, x: &[f32], y: &[f32], dx: &mut [f32]) {
        match self {
            Self::Gelu => dx.iter_mut().zip(x).for_each(|(dx, &x)| {
                let gate = gelu_gate(x);
                let slope = 2.0 * ROOT_TWO_OVER_PI * (1.0 + 3.0 * 0.044_715 * x * x);
                *dx *= gate + x * gate * (1.0 - gate) * slope;
            }),
            Self::Normalise => {
                let (_, inverse) = mean_and_inverse_deviation(x);
                let n = x.len() as f32;
                let mean = sum(dx.iter().copied()) / n;
                let along = sum(dx.iter().zip(y).map(|(dx, y)| dx * y)) / n;
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx = inverse * (*dx - mean - y * along));
            }
            Self::CausalSoftmax => {
                let along = sum(dx.iter().zip(y).map(|(dx, y)| dx * y));
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx = SCORE_SCALE * y * (*dx - along));
            }
            Self::LogSoftmax => {
                let total = sum(dx.iter().copied());
                dx.iter_mut().zip(y).for_each(|(dx, y)| *dx -= y.exp() * total);
            }
        }
    }
}

impl CustomOp1 for RowOp {
    fn name(&self) -> &'static str {
        "row-op"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("a row operation needs contiguous rows")
        };
        let (x, width) = (&x.as_slice::<f32>()?[start..end], layout.shape().dim(D::Minus1)?);
        let mut y = vec![0f32; x.len()];
        let rows = y.chunks_mut(width).zip(x.chunks(width)).enumerate();
        rows.for_each(|(row, (y, x))| self.forward(row, x, y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (x_values, y, mut dx) = (values(x)?, values(y)?, values(dy)?);
        let width = x.dim(D::Minus1)?;
        let rows = dx.chunks_mut(width).zip(x_values.chunks(width)).zip(y.chunks(width));
        rows.for_each(|((dx, x), y)| self.backward(x, y, dx));
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}
