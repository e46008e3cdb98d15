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
}
