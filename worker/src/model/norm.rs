//! Layer norm over the last axis.

use candle_core::Tensor;

use super::error::ModelError;
use super::kernels;

/// Gain and bias [width] and ε of a layer norm.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    pub(super) gain: Tensor,
    pub(super) bias: Tensor,
    pub(super) epsilon: f64,
}

impl Norm {
    /// (x − mean)/√(var + ε)·gain + bias over the last axis; x [n, width], same shape and dtype back.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        kernels::layer_norm(x, &self.gain, &self.bias, self.epsilon)
    }
}
