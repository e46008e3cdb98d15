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
    /// A file is no torch checkpoint of tensors.
    #[error("cannot read {path} as a torch checkpoint")]
    Torch {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file is no GGUF file.
    #[error("cannot read {path} as a GGUF file")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The index of a sharded checkpoint is none, or names what is not there.
    #[error("{path}: {reason}")]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two tensors have one name.
    #[error("the checkpoint in {path} has two tensors for {name}: {first} and {second}")]
    SameName {
        /// The directory.
        path: PathBuf,
        /// Their name without the family's prefix.
        name: String,
        /// The first, as written, and its file.
        first: String,
        /// The second.
        second: String,
    },
    /// Tensors have a dtype or a layout that cannot be read.
    #[error("{path} holds tensors that cannot be read: {}", listed(.problems))]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// One line a tensor.
        problems: Vec<String>,
    },
    /// Tensors are missing, superfluous, have another shape, or a dtype that is not f32, f16 or bf16.
    #[error("the checkpoint in {path} does not fit its config.json: {}", listed(.problems))]
    Tensors {
        /// The directory.
        path: PathBuf,
        /// One line a tensor.
        problems: Vec<String>,
    },
    /// A checkpoint whose weights cannot take the place of a model's.
    #[error("{path} is no checkpoint of the same model: {reason}")]
    OtherModel {
        /// The checkpoint.
        path: PathBuf,
        /// In what it differs.
        reason: String,
    },
    /// A tensor operation failed.
    #[error("tensor operation failed")]
    Candle(#[from] candle_core::Error),
}

/// The first of the problems, and how many more there are.
pub(super) fn listed(problems: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = problems[..problems.len().min(SHOWN)].join("; ");
    match problems.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
