//! Why a unit cannot be computed, and what that means for the run.

use std::path::PathBuf;

use babelquant_proto::quant::{CalibrationSet, CheckpointName};
use babelquant_proto::rows::{RowError, unsupported};
use babelquant_proto::{Dtype, FailureKind, Layer, UnitIndex};
use thiserror::Error;

use crate::corpus::CorpusError;
use crate::model::{Input, ModelError};
use crate::quant::QuantError;

/// Why a unit cannot be computed.
#[derive(Debug, Error)]
pub enum EvalError {
    /// No directory holds the model, to the byte.
    #[error("no directory below {searched:?} holds model {model} with the files of the spec; give --models DIR{}", .nearest.as_deref().map(|n| format!(" ({n})")).unwrap_or_default())]
    ModelUnavailable {
        /// The model's name.
        model: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
        /// What differs in the directory that comes nearest.
        nearest: Option<String>,
    },
    /// Nothing holds the checkpoint, to the byte.
    #[error("nothing below {searched:?} holds checkpoint {checkpoint} with the files of the spec; give --models DIR{}", .nearest.as_deref().map(|n| format!(" ({n})")).unwrap_or_default())]
    CheckpointUnavailable {
        /// The checkpoint's name.
        checkpoint: CheckpointName,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
        /// What differs in what comes nearest.
        nearest: Option<String>,
    },
    /// The model cannot be loaded or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The text cannot be tokenized.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The config does not fit the weights.
    #[error("layer {layer}, {tensor}")]
    Quant {
        /// The layer.
        layer: Layer,
        /// The tensor.
        tensor: &'static str,
        /// The cause.
        source: QuantError,
    },
    /// A calibration set gives no moments.
    #[error(
        "calibration set {set} gives no finite inputs of layer {layer} ({input}): its text has no token, or the model's activations \
         are not finite"
    )]
    Calibration {
        /// The set.
        set: CalibrationSet,
        /// The layer.
        layer: Layer,
        /// What of it.
        input: Input,
    },
    /// The config does not fit a table outside the layers.
    #[error("{table}")]
    Table {
        /// The component.
        table: &'static str,
        /// The cause.
        source: QuantError,
    },
    /// Rows cannot be written.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The unit would need more memory than the worker may use.
    #[error("needs about {needed} MiB of memory, --memory allows {allowed} MiB")]
    Memory {
        /// Estimate for the unit, MiB.
        needed: u64,
        /// The worker's budget, MiB.
        allowed: u64,
    },
    /// The baseline cannot be scored.
    #[error(
        "the baseline's logits are not finite in {dtype:?}: the model's activations do not fit into it; use bf16 or f32"
    )]
    NotFinite {
        /// The dtype of the computation.
        dtype: Dtype,
    },
    /// The unit is not in the spec, or its shard's text is missing.
    #[error("unit {0} is not in the spec, or its text is missing")]
    NoSuchUnit(UnitIndex),
    /// A config other than `none` changes no weight.
    #[error("{scope} with {components} holds none of the model's matrices")]
    EmptyScope {
        /// The scope.
        scope: String,
        /// Its components.
        components: String,
    },
}

impl EvalError {
    /// The reason of a row, where the config does not fit a matrix: then the unit has rows instead of a failure.
    pub(super) fn unsupported(&self) -> Option<String> {
        match self {
            Self::Quant { tensor, source: QuantError::Unsupported { reason }, .. } => {
                Some(unsupported(tensor, reason))
            }
            Self::Table { table, source: QuantError::Unsupported { reason } } => {
                Some(unsupported(table, reason))
            }
            Self::Quant { source: QuantError::NonFinite, .. }
            | Self::Table { source: QuantError::NonFinite, .. }
            | Self::ModelUnavailable { .. }
            | Self::CheckpointUnavailable { .. }
            | Self::Model(_)
            | Self::Corpus(_)
            | Self::Calibration { .. }
            | Self::Row(_)
            | Self::Memory { .. }
            | Self::NotFinite { .. }
            | Self::NoSuchUnit(_)
            | Self::EmptyScope { .. } => None,
        }
    }

    /// True where the device itself failed: after that a CUDA context computes nothing more.
    pub(crate) fn is_of_device(&self) -> bool {
        match self {
            Self::Model(ModelError::Candle(error)) => {
                is_of_device(error) && !is_out_of_memory(error)
            }
            _ => false,
        }
    }

    /// The kind of failure and its text, causes included.
    pub(crate) fn to_failure(&self) -> (FailureKind, String) {
        let kind = match self {
            Self::ModelUnavailable { .. } | Self::CheckpointUnavailable { .. } => {
                FailureKind::ModelUnavailable
            }
            Self::Memory { .. } => FailureKind::OutOfMemory,
            Self::Model(ModelError::Candle(error)) if is_out_of_memory(error) => {
                FailureKind::OutOfMemory
            }
            Self::Model(ModelError::Candle(error)) if is_of_device(error) => FailureKind::Crash,
            Self::Model(ModelError::Read { .. }) => FailureKind::ModelUnavailable,
            Self::Model(_)
            | Self::Corpus(_)
            | Self::Quant { .. }
            | Self::Calibration { .. }
            | Self::Table { .. }
            | Self::Row(_)
            | Self::NotFinite { .. }
            | Self::NoSuchUnit(_)
            | Self::EmptyScope { .. } => FailureKind::InvalidUnit,
        };
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        (kind, text)
    }
}

/// An error of the driver or of a library on the device, not of what was asked of it.
fn is_of_device(error: &candle_core::Error) -> bool {
    use candle_core::Error;
    match error {
        Error::Cuda(_) => true,
        Error::Context { inner, .. }
        | Error::WithPath { inner, .. }
        | Error::WithBacktrace { inner, .. } => is_of_device(inner),
        _ => false,
    }
}

/// A device without memory left; the CPU's allocator does not return.
#[cfg(feature = "cuda")]
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    use candle_core::cuda_backend::cudarc::driver::{DriverError, sys::CUresult};
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let driver = error.downcast_ref::<DriverError>();
        if driver.is_some_and(|error| error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Without a device nothing reports its memory.
#[cfg(not(feature = "cuda"))]
fn is_out_of_memory(_: &candle_core::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(error: candle_core::Error) -> (FailureKind, bool) {
        let error = EvalError::Model(ModelError::Candle(error));
        (error.to_failure().0, error.is_of_device())
    }

    #[test]
    fn what_breaks_on_the_device_is_not_the_units_fault() {
        let broken = || candle_core::Error::Cuda("an illegal memory access".into());
        assert_eq!(kind(broken()), (FailureKind::Crash, true));
        assert_eq!(kind(broken().context("layer 3").with_path("m")), (FailureKind::Crash, true));
        let wrong = candle_core::Error::Msg("shapes differ".to_owned());
        assert_eq!(kind(wrong), (FailureKind::InvalidUnit, false));
    }
}
