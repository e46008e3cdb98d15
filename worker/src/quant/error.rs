//! Why weights cannot be quantized. Which config and tensor it was is known to the caller.

use thiserror::Error;

/// Why weights cannot be quantized.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantError {
    /// A scale of NaN would spread over its whole group.
    #[error("a weight is NaN or infinite")]
    NonFinite,
    /// The config does not fit the tensor: a property of the model, not a failure.
    #[error("unsupported: {reason}")]
    Unsupported {
        /// What does not fit.
        reason: String,
    },
}

impl QuantError {
    /// The config does not fit the tensor.
    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported { reason: reason.into() }
    }

    /// `value`, the largest of a grid over weights up to `magnitude`, must be a number.
    #[inline(always)]
    pub(super) fn unless_finite(value: f32, magnitude: f32) -> Result<(), Self> {
        match value.is_finite() {
            true => Ok(()),
            false => Err(Self::overflow(magnitude)),
        }
    }

    #[cold]
    fn overflow(magnitude: f32) -> Self {
        Self::unsupported(format!("a grid for weights up to {magnitude} overflows f32"))
    }
}
