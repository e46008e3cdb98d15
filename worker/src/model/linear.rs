//! Linear maps on the last axis. Not a layer with state: weights come and go with the configs.

use candle_core::Tensor;

use super::error::ModelError;
use super::kernels;

/// A matrix [out, in] and, where there is one, a bias [out].
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
}

impl Linear {
    /// x·Wᵀ without the bias; x [n, in], result [n, out], in the dtype of both.
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        kernels::matmul_transposed(x, &self.weight)
    }

    /// x·Wᵀ + b; x [n, in], result [n, out].
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let product = self.product(x)?;
        match &self.bias {
            Some(bias) => kernels::add_bias(product, bias),
            None => Ok(product),
        }
    }

    /// As `forward` over the last axis of x [windows, positions, in]; result [windows, positions, out].
    pub(super) fn along(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let (windows, positions, width) = x.dims3()?;
        let y = self.forward(&x.reshape((windows * positions, width))?)?;
        Ok(y.reshape((windows, positions, ()))?)
    }
}
