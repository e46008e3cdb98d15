//! Why a model cannot be loaded or run.

use std::path::PathBuf;

use thiserror::Error;

/// Why a model cannot be loaded or run.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The directory is not laid out as a model.
    #[error(transparent)]
    Directory(#[from] babelquant_proto::ModelError),
    /// `config.json` describes something that is not supported.
    #[error("{path}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be accepted.
        reason: String,
    },
    /// A file is no safetensors file.
    #[error("{path} is no safetensors file")]
    Format {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: safetensors::SafeTensorError,
    },
    /// Tensors are missing, have another shape, or a dtype that is not f32, f16 or bf16.
    #[error("the checkpoint in {path} does not fit its config.json: {}", .problems.join("; "))]
    Tensors {
        /// The directory.
        path: PathBuf,
        /// One line a tensor.
        problems: Vec<String>,
    },
    /// A tensor operation failed.
    #[error("tensor operation failed")]
    Candle(#[from] candle_core::Error),
}
