//! The MLP: two matrices with a nonlinearity between them, or three where a gate multiplies.

use candle_core::Tensor;

use super::architecture::Activation;
use super::error::ModelError;
use super::kernels;
use super::linear::Linear;

/// The MLP of one layer.
#[derive(Debug, Clone)]
pub(super) struct Mlp {
    pub(super) activation: Activation,
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

impl Mlp {
    /// The input of the last matrix: f(up x), or f(gate x)·(up x); x [windows, positions, width], result [windows, positions, MLP
    /// width].
    pub(super) fn act(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let (windows, positions, width) = x.dims3()?;
        let x = x.reshape((windows * positions, width))?;
        let act = match &self.gate {
            None => {
                kernels::activate(self.up.product(&x)?, self.up.bias.as_ref(), self.activation)?
            }
            Some(gate) => {
                let gated =
                    kernels::activate(gate.product(&x)?, gate.bias.as_ref(), self.activation)?;
                kernels::multiply(gated, &self.up.forward(&x)?)?
            }
        };
        Ok(act.reshape((windows, positions, ()))?)
    }

    /// The branch before the residual add, from `act`'s result; [windows, positions, width].
    pub(super) fn project(&self, act: &Tensor) -> Result<Tensor, ModelError> {
        self.down.along(act)
    }
}
