//! The other checkpoints of a model that its configs name: found when one is asked for first, held against the model before a run.
//! Not how they are read (`model`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use babelquant_proto::quant::CheckpointName;
use babelquant_proto::{CheckpointPart, Component, Layer};

use super::error::EvalError;
use super::find::Places;
use crate::model::{Architecture, Checkpoint, Lent, Matrix, ModelError, OtherCheckpoint, open};
use crate::quant::QuantError;

/// The other checkpoints of one model.
#[derive(Debug)]
pub(super) struct Others {
    /// Where the model is.
    directory: PathBuf,
    places: Places,
    parts: Vec<CheckpointPart>,
    found: BTreeMap<CheckpointName, OtherCheckpoint>,
}

impl Others {
    /// The checkpoints of the model in `directory`, to be looked for in `places`.
    pub(super) fn new(directory: &Path, places: &Places, parts: &[CheckpointPart]) -> Self {
        let (directory, places) = (directory.to_owned(), places.clone());
        Self { directory, places, parts: parts.to_vec(), found: BTreeMap::new() }
    }

    /// A matrix of a layer as the checkpoint of this name has it, [out, in].
    pub(super) fn matrix(
        &mut self,
        architecture: &Architecture,
        (layer, matrix): (Layer, &Matrix),
        name: &CheckpointName,
    ) -> Result<Lent, EvalError> {
        let refused = |source| EvalError::Quant { layer, tensor: matrix.name, source };
        let other = self.find(architecture, name)?.ok_or_else(|| refused(absent(name)))?;
        finite(other.matrix(architecture, (layer, matrix))?).map_err(refused)
    }

    /// A table as the checkpoint of this name has it, [vocabulary, width]; `tensor` in the model's own checkpoint, whose values are
    /// `own`. Rows that the other leaves out, because no token uses them, stay the model's.
    pub(super) fn table(
        &mut self,
        architecture: &Architecture,
        (component, tensor): (Component, &str),
        own: Lent,
        name: &CheckpointName,
    ) -> Result<Lent, EvalError> {
        let refused = |source| EvalError::Table { table: component.name(), source };
        let other = self.find(architecture, name)?.ok_or_else(|| refused(absent(name)))?;
        let Lent { values, bits_per_weight } =
            finite(other.rows(architecture, tensor, usize::MAX)?).map_err(refused)?;
        let rest = own.values.get(values.len()..).unwrap_or_default();
        Ok(Lent { values: [&values, rest].concat(), bits_per_weight })
    }

    /// The gain of the norm `name` of a layer as the checkpoint of this name has it; `tensor` in the model's own checkpoint.
    pub(super) fn gain(
        &mut self,
        architecture: &Architecture,
        (layer, name, tensor): (Layer, &'static str, &str),
        other: &CheckpointName,
    ) -> Result<Lent, EvalError> {
        let refused = |source| EvalError::Quant { layer, tensor: name, source };
        let found = self.find(architecture, other)?.ok_or_else(|| refused(absent(other)))?;
        finite(found.rows(architecture, tensor, usize::MAX)?).map_err(refused)
    }

    fn find(
        &mut self,
        architecture: &Architecture,
        name: &CheckpointName,
    ) -> Result<Option<&OtherCheckpoint>, EvalError> {
        if !self.found.contains_key(name) {
            let Some(part) = self.parts.iter().find(|part| part.name == *name) else {
                return Ok(None);
            };
            let path = self.places.find_checkpoint(part)?;
            let other = OtherCheckpoint::open(&path, (&self.directory, architecture))?;
            self.found.insert(name.clone(), other);
        }
        Ok(self.found.get(name))
    }
}

fn absent(name: &CheckpointName) -> QuantError {
    QuantError::Unsupported { reason: format!("the spec has no checkpoint {name} of this model") }
}

fn finite(lent: Lent) -> Result<Lent, QuantError> {
    match lent.values.iter().all(|value| value.is_finite()) {
        true => Ok(lent),
        false => Err(QuantError::NonFinite),
    }
}

/// How far what stands beside the layers' matrices is from the model's own; of a table its first rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Remainder {
    /// Tensors that are farther than their storage explains.
    pub differing: usize,
    /// Tensors that were compared.
    pub compared: usize,
    /// The farthest of those.
    pub farthest: String,
    /// ‖other − own‖ / ‖own‖ of it.
    pub distance: f64,
}

/// Rows of a table that are compared.
const ROWS: usize = 4096;
/// How far values of 16 bits and more may be: a rounding to bf16 moves them by less.
const FLOAT_DISTANCE: f64 = 0.01;
/// How far values of fewer bits may be: two bits move them by less, other values by more than 1.
const QUANTIZED_DISTANCE: f64 = 0.6;

/// Opens the checkpoint at `path` without loading it, and compares what it does not lend with the model in `directory`; `None`
/// where that is the model's.
///
/// # Errors
/// One of them cannot be read, or the checkpoint is not one of the model.
pub fn check_checkpoint(directory: &Path, path: &Path) -> Result<Option<Remainder>, EvalError> {
    let (architecture, checkpoint) = open(directory)?;
    let other = OtherCheckpoint::open(path, (directory, &architecture))?;
    let names = remaining(&architecture);
    let mut worst: Option<Remainder> = None;
    for name in &names {
        let (distance, allowed) = distance((&checkpoint, &architecture), &other, name)?;
        if distance <= allowed {
            continue;
        }
        let differing = worst.as_ref().map_or(0, |worst| worst.differing) + 1;
        let farther = worst.take().filter(|worst| worst.distance >= distance);
        let (farthest, distance) =
            farther.map_or((name.clone(), distance), |worst| (worst.farthest, worst.distance));
        worst = Some(Remainder { differing, compared: names.len(), farthest, distance });
    }
    Ok(worst)
}

/// Every tensor that is no matrix of a layer.
fn remaining(architecture: &Architecture) -> Vec<String> {
    let is_matrix = |name: &str| {
        let Some((layer, rest)) = architecture.split_name(name) else { return false };
        let Some(rest) = rest.strip_suffix(".weight") else { return false };
        architecture.matrix(layer, rest).is_some()
    };
    let names = architecture.tensors().into_iter().map(|(name, _)| name);
    names.filter(|name| !is_matrix(name)).collect()
}

/// The distance of a tensor, and how much of it its storage explains.
fn distance(
    (checkpoint, architecture): (&Checkpoint, &Architecture),
    other: &OtherCheckpoint,
    name: &str,
) -> Result<(f64, f64), ModelError> {
    let stored = checkpoint.require(name)?;
    let lent = other.rows(architecture, name, ROWS.min(stored.shape[0]))?;
    let rows = lent.values.len() / stored.shape[1..].iter().product::<usize>().max(1);
    let own = stored.rows(0..rows).to_f32();
    let square = |value: f64| value * value;
    let pairs = lent.values.iter().zip(&own);
    let error: f64 = pairs.map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    let size: f64 = own.iter().map(|&value| square(f64::from(value))).sum();
    let allowed = if lent.bits_per_weight < 16.0 { QUANTIZED_DISTANCE } else { FLOAT_DISTANCE };
    let distance = if error == 0.0 { 0.0 } else { (error / size).sqrt() };
    Ok((if distance.is_nan() { f64::INFINITY } else { distance }, allowed))
}

impl fmt::Display for Remainder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { differing, compared, farthest, distance } = self;
        write!(
            f,
            "{differing} of {compared} tensors outside the layers' matrices are not the model's, {farthest} the least \
             (relative distance {distance:.2e}): what is in scope is taken from a checkpoint, norms where a scope names them, and never biases, so one \
             that keeps a part of its quantization there, as AWQ and SmoothQuant do, is not measured as a whole"
        )
    }
}
