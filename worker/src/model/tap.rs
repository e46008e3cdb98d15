//! Taps: whoever wants to see the activations at the named points while the decoder runs.

use babelquant_proto::rows::Point;
use candle_core::Tensor;

use super::error::ModelError;

/// Sees the values at every named point, in the order of the forward pass.
pub trait Tap {
    /// The values at `point` of `layer` (`None` outside the layers), [windows, positions, width].
    ///
    /// # Errors
    /// Whatever the tap cannot do with them; the forward pass ends with it.
    fn see(&mut self, point: Point, layer: Option<u32>, values: &Tensor) -> Result<(), ModelError>;
}

/// Looks at nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTap;

impl Tap for NoTap {
    fn see(&mut self, _: Point, _: Option<u32>, _: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }
}
