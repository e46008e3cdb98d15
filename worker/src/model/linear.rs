//! Linear maps on the last axis. Not a layer with state: weights come and go with the configs.

use candle_core::{DType, Tensor};

use super::error::ModelError;
use super::kernels;

/// A matrix [out, in] and, where there is one, a bias [out].
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
    pub(super) reading: Reading,
}

/// How a matrix reads its inputs: the one place where activations may lose precision.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What the inputs are divided by, channel by channel, [in] in f32.
    pub divisor: Option<Tensor>,
    /// On which grid they come then.
    pub rounding: Rounding,
}

/// How inputs x [n, in] are rounded, to nearest with ties to even.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rounding {
    /// They are not.
    None,
    /// A token's inputs to k·s, |k| ≤ `top`, with s = max(max|x|, 10⁻⁵)/top (SmoothQuant's W8A8, Xiao et al. 2022).
    PerToken {
        /// The largest code.
        top: u8,
    },
    /// LLM.int8() (Dettmers et al. 2022): columns in which some |x| of the micro-batch reaches the threshold stay as they are, the
    /// others come to k·s, |k| ≤ 127, with s = max|x|/127 over the token's inputs below the threshold.
    Outliers {
        /// Inputs of this magnitude make their column an outlier.
        threshold: f32,
    },
}

impl Reading {
    /// The inputs as they are.
    pub const EXACT: Self = Self { divisor: None, rounding: Rounding::None };

    /// What the matrix multiplies; x [n, in], same shape and dtype back. Computed in f32.
    pub(super) fn of(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        if self.divisor.is_none() && self.rounding == Rounding::None {
            return Ok(x.clone());
        }
        let mut wide = match x.dtype() {
            DType::F32 => x.copy()?,
            _ => x.to_dtype(DType::F32)?,
        };
        if let Some(divisor) = &self.divisor {
            wide = kernels::divide(wide, divisor)?;
        }
        let rounded = match self.rounding {
            Rounding::None => wide,
            Rounding::PerToken { top } => kernels::round_tokens(wide, top)?,
            Rounding::Outliers { threshold } => kernels::round_but_outliers(wide, threshold)?,
        };
        Ok(rounded.to_dtype(x.dtype())?)
    }
}

impl Linear {
    /// x·Wᵀ without the bias; x [n, in], result [n, out], in the dtype of both.
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        kernels::matmul_transposed(&self.reading.of(x)?, &self.weight)
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
