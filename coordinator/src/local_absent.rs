//! Local mode in a build without the feature `local`: every call says so.

use std::path::{Path, PathBuf};

use babelquant_proto::Shape;
use babelquant_proto::quant::Uniform;
use babelquant_proto::rows::{ClippingRow, WeightRow};
use thiserror::Error;

use crate::owner::Outcome;
use crate::serve::Service;

/// The in-process worker.
#[derive(Debug, Clone)]
pub struct LocalWorker {
    /// Model directories, and other checkpoints of them.
    pub models: Vec<PathBuf>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Refuse units that need more memory than this, in bytes.
    pub memory_bytes: Option<u64>,
    /// Folder for what calibration computes.
    pub cache: PathBuf,
    /// Size of that folder at most, in bytes; 0 keeps nothing.
    pub cache_bytes: u64,
    /// Units held at a time.
    pub slots: usize,
}

/// What `config.json` says of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelShape {
    /// Parameters, tied ones once.
    pub parameters: u64,
    /// Layers, widths and limits.
    pub shape: Shape,
}

/// This build computes nothing itself.
#[derive(Debug, Error)]
#[error(
    "this build has no worker inside: build it with `--features local`, or use `babelquant serve` and babelquant-worker"
)]
pub struct LocalError;

impl LocalError {
    /// The exit code that tells a launcher what to do.
    pub fn exit_code(&self) -> u8 {
        babelquant_proto::exit::USAGE
    }
}

/// Refuses.
///
/// # Errors
/// Always.
pub async fn run(
    _: Service,
    _: LocalWorker,
    _: impl Future<Output = ()>,
) -> Result<Outcome, LocalError> {
    Err(LocalError)
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn weight_rows(_: &Path, _: &str) -> Result<Vec<WeightRow>, LocalError> {
    Err(LocalError)
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn clipping_rows(_: &Path, _: &str, _: &[Uniform]) -> Result<Vec<ClippingRow>, LocalError> {
    Err(LocalError)
}

/// Nothing is checked: workers will say what is wrong with a model.
///
/// # Errors
/// Never.
pub fn check(_: &Path) -> Result<(), LocalError> {
    Ok(())
}

/// Nothing is checked: workers will say what is wrong with a checkpoint.
///
/// # Errors
/// Never.
pub fn check_checkpoint(_: &Path, _: &Path) -> Result<Option<String>, LocalError> {
    Ok(None)
}

/// Refuses.
///
/// # Errors
/// Always.
pub fn shape(_: &Path) -> Result<ModelShape, LocalError> {
    Err(LocalError)
}
