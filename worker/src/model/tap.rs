//! Taps: whoever wants to see the activations at the named points while the model runs.

use babelquant_proto::rows::Point;
use babelquant_proto::{Layer, Stack};
use candle_core::Tensor;

use super::error::ModelError;
use super::input::Input;

/// Where a point stands: a layer, or the stack before its first or after its last layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The stack.
    pub stack: Stack,
    /// The layer's number; `None` outside the layers.
    pub layer: Option<u32>,
}

impl Site {
    /// A layer.
    pub fn of(layer: Layer) -> Self {
        Self { stack: layer.stack, layer: Some(layer.index) }
    }

    /// Outside the layers of a stack.
    pub fn outside(stack: Stack) -> Self {
        Self { stack, layer: None }
    }
}

/// Sees the values at every named point and what every matrix reads, in the order of the forward pass.
pub trait Tap {
    /// The values at `point` of `site`, [windows, positions, width].
    ///
    /// # Errors
    /// Whatever the tap cannot do with them; the forward pass ends with it.
    fn see(&mut self, point: Point, site: Site, values: &Tensor) -> Result<(), ModelError>;

    /// What matrices of `layer` read, [windows, positions, width]; a tap for points alone does not care.
    ///
    /// # Errors
    /// As `see`.
    fn feed(&mut self, _: Input, _: Layer, _: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }
}

/// Looks at nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoTap;

impl Tap for NoTap {
    fn see(&mut self, _: Point, _: Site, _: &Tensor) -> Result<(), ModelError> {
        Ok(())
    }
}
