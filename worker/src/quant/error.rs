//! Why weights cannot be quantized. Which tensor it was is known to the caller.

use babelquant_proto::quant::Uniform;
use thiserror::Error;

/// Why weights cannot be quantized.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantError {
    /// A scale of NaN would spread over its whole group.
    #[error("a weight is NaN or infinite")]
    NonFinite,
    /// The config does not fit the tensor.
    #[error("{config} does not fit: {reason}")]
    Unsupported {
        /// The uniform grid, which is the config or what a named rule picked.
        config: Uniform,
        /// What does not fit.
        reason: String,
    },
}
