//! Weight statistics of a checkpoint: one row per tensor and per layer group. TEMPORARY body until statistics lands.

use std::path::Path;

use babelquant_proto::rows::WeightRow;

use super::error::EvalError;
use crate::error::Error;
use crate::model::{Architecture, Checkpoint, ModelError};

/// The statistics of every tensor and layer group.
///
/// # Errors
/// unreadable
pub fn weight_rows(_directory: &Path, _name: &str) -> Result<Vec<WeightRow>, Error> {
    Ok(Vec::new())
}

pub(super) fn rows(_: &Checkpoint, _: &str, _: Option<u32>) -> Result<Vec<WeightRow>, EvalError> {
    Ok(Vec::new())
}

pub(super) fn group_kurtosis(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    layer: u32,
) -> Result<Option<f64>, ModelError> {
    let _ = (checkpoint, architecture, layer);
    Ok(None)
}
