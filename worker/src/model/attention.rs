//! Causal self-attention with ALiBi. Right padding needs no mask: a causal row never sees what comes after it.

use candle_core::Tensor;

use super::architecture::{Architecture, Matrix, Slot};
use super::error::ModelError;
use super::kernels;
use super::linear::Linear;

/// Attention of one layer.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    pub(super) heads: usize,
    /// One slope a head, [heads].
    pub(super) slopes: Vec<f32>,
}

impl Attention {
    /// The attention branch before the residual add; x [windows, positions, width], same shape back.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let (windows, positions, width) = x.dims3()?;
        let head_width = width / self.heads;
        let qkv = self.qkv.forward(&x.reshape((windows * positions, width))?)?;
        let qkv = qkv.reshape((windows, positions, 3, self.heads, head_width))?;
        let qkv = qkv.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let scores = qkv.get(0)?.matmul(&qkv.get(1)?.t()?)?;
        let scale = 1.0 / (head_width as f32).sqrt();
        let shares = kernels::causal_softmax(scores, &self.slopes, scale)?;
        let context = shares.matmul(&qkv.get(2)?)?.transpose(1, 2)?.contiguous()?;
        let output = self.output.forward(&context.reshape((windows * positions, width))?)?;
        Ok(output.reshape((windows, positions, width))?)
    }

    /// The same attention with another stored weight for `matrix`, if it is one of its matrices.
    pub(super) fn replace(&mut self, matrix: &Matrix, weight: &Tensor) -> Result<(), ModelError> {
        match matrix.slot {
            Slot::Qkv => self.qkv = self.qkv.with_weight(matrix, weight)?,
            Slot::AttnO => self.output = self.output.with_weight(matrix, weight)?,
            Slot::MlpUp | Slot::MlpDown => {}
        }
        Ok(())
    }
}

/// ALiBi slopes (Press et al. 2022), one a head: powers of 2^(−8/n) for the largest power of two n ≤ heads, then odd powers of
/// 2^(−4/n) for the heads beyond it.
pub(super) fn alibi_slopes(architecture: &Architecture) -> Vec<f32> {
    let heads = architecture.heads;
    let n = 1_u32 << heads.ilog2();
    let base = |n: u32| (-8.0 / f64::from(n)).exp2();
    let first = (1..=n).map(|power| base(n).powi(power as i32));
    let rest = (0..heads - n).map(|head| base(2 * n).powi(2 * head as i32 + 1));
    first.chain(rest).map(|slope| slope as f32).collect()
}
