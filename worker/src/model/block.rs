//! One transformer block: norm, attention, norm, MLP, two residual adds.

use babelquant_proto::rows::Point;
use candle_core::Tensor;

use super::architecture::{Matrix, Residual, Slot};
use super::attention::Attention;
use super::error::ModelError;
use super::kernels;
use super::linear::Linear;
use super::norm::Norm;
use super::tap::Tap;

/// A block with its weights.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) layer: u32,
    pub(super) residual: Residual,
    pub(super) attn_norm: Norm,
    pub(super) attention: Attention,
    pub(super) mlp_norm: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

impl Block {
    /// The residual stream after the block; x [windows, positions, width] before it.
    pub(super) fn forward(&self, x: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        let layer = Some(self.layer);
        let attn_in = self.attn_norm.forward(x)?;
        tap.see(Point::AttnIn, layer, &attn_in)?;
        let attn_out = self.attention.forward(&attn_in)?;
        tap.see(Point::AttnOut, layer, &attn_out)?;
        let resid_mid = kernels::add(attn_out, self.residual.pick(x, &attn_in))?;
        tap.see(Point::ResidMid, layer, &resid_mid)?;
        let mlp_in = self.mlp_norm.forward(&resid_mid)?;
        tap.see(Point::MlpIn, layer, &mlp_in)?;
        let mlp_out = self.mlp(&mlp_in, tap)?;
        tap.see(Point::MlpOut, layer, &mlp_out)?;
        let block_out = kernels::add(mlp_out, self.residual.pick(&resid_mid, &mlp_in))?;
        tap.see(Point::BlockOut, layer, &block_out)?;
        Ok(block_out)
    }

    /// The MLP branch before the residual add; x [windows, positions, width], same shape back.
    fn mlp(&self, x: &Tensor, tap: &mut dyn Tap) -> Result<Tensor, ModelError> {
        let (windows, positions, width) = x.dims3()?;
        let up = self.up.product(&x.reshape((windows * positions, width))?)?;
        let act = kernels::bias_gelu(up, &self.up.bias)?;
        tap.see(Point::MlpAct, Some(self.layer), &act.reshape((windows, positions, ()))?)?;
        Ok(self.down.forward(&act)?.reshape((windows, positions, width))?)
    }

    /// The same block with another stored weight for one of its matrices.
    pub(super) fn replace(&mut self, matrix: &Matrix, weight: &Tensor) -> Result<(), ModelError> {
        match matrix.slot {
            Slot::MlpUp => self.up = self.up.with_weight(matrix, weight)?,
            Slot::MlpDown => self.down = self.down.with_weight(matrix, weight)?,
            Slot::Qkv | Slot::AttnO => self.attention.replace(matrix, weight)?,
        }
        Ok(())
    }
}

impl Residual {
    /// What the branch's output is added to.
    fn pick<'a>(self, before: &'a Tensor, after: &'a Tensor) -> &'a Tensor {
        match self {
            Self::BeforeNorm => before,
            Self::AfterNorm => after,
        }
    }
}
