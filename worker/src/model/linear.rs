//! Linear maps on the last axis. Not a layer with state: weights come and go with the configs.

use candle_core::Tensor;

use super::architecture::{Layout, Matrix};
use super::error::ModelError;
use super::kernels;

/// A matrix [out, in] in the layout that the decoder uses, and a bias [out].
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
}

impl Linear {
    /// Both tensors as stored, brought to the decoder's layout.
    pub(super) fn new(matrix: &Matrix, weight: &Tensor, bias: &Tensor) -> Result<Self, ModelError> {
        Ok(Self { weight: normalise(matrix, weight)?, bias: normalise(matrix, bias)? })
    }

    /// The same bias with another weight, as stored.
    pub(super) fn with_weight(&self, matrix: &Matrix, weight: &Tensor) -> Result<Self, ModelError> {
        Ok(Self { weight: normalise(matrix, weight)?, bias: self.bias.clone() })
    }

    /// x·Wᵀ without the bias; x [n, in], result [n, out], in the dtype of both.
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.matmul(&self.weight.t()?)?)
    }

    /// x·Wᵀ + b; x [n, in], result [n, out].
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        kernels::add_bias(self.product(x)?, &self.bias)
    }
}

/// Rows of a stored weight or bias in the order that the decoder uses: queries, keys, values.
fn normalise(matrix: &Matrix, stored: &Tensor) -> Result<Tensor, ModelError> {
    match matrix.layout {
        Layout::Plain => Ok(stored.clone()),
        Layout::QkvByHead { heads } => {
            let width = matrix.rows / (3 * heads);
            let rest = stored.elem_count() / matrix.rows;
            let turned = stored.reshape((heads, 3, width * rest))?.transpose(0, 1)?.contiguous()?;
            Ok(turned.reshape(stored.shape())?)
        }
    }
}
