//! Weight statistics of a checkpoint: a row per tensor of a layer and one for the layer's group, read once. Not the
//! statistics themselves (`statistics`).

use std::path::Path;

use babelquant_proto::rows::WeightRow;
use babelquant_proto::{Layer, ranked_by_kurtosis};
use rayon::prelude::*;

use super::error::EvalError;
use crate::corpus::Tokenizer;
use crate::model::{Architecture, Checkpoint, Matrix, ModelError, StoredDtype, StoredTensor, open};
use crate::statistics::{StoredValues, WeightKey, of_group, of_tensor};

/// The layer group of the earlier study: the matrices of the MLP taken together.
pub(super) const GROUP: &str = "mlp";

/// The rows of a model in `directory`, called `name` in them: layer by layer, then the tensors outside the layers.
///
/// # Errors
/// The directory holds no supported checkpoint.
pub fn weight_rows(directory: &Path, name: &str) -> Result<Vec<WeightRow>, ModelError> {
    let (architecture, checkpoint) = open(directory)?;
    let layers = architecture.shape.stacked_layers().map(Some).chain([None]);
    let layers: Vec<Option<Layer>> = layers.collect();
    let rows = layers.into_par_iter().map(|layer| rows(&checkpoint, &architecture, (name, layer)));
    Ok(rows.collect::<Vec<_>>().concat())
}

/// Opens the model in `directory` without loading it: its configuration, every tensor's place and shape, its tokenizer.
///
/// # Errors
/// One of them is missing, damaged or not supported.
pub fn check(directory: &Path) -> Result<(), EvalError> {
    open(directory)?;
    Tokenizer::open(directory)?;
    Ok(())
}

/// How many numbers the model that `directory/config.json` describes has; needs no weights.
///
/// # Errors
/// The configuration is missing or not supported.
pub fn parameters(directory: &Path) -> Result<u64, ModelError> {
    Ok(Architecture::read(directory)?.parameters())
}

/// The rows of one layer (`None`: of the tensors outside the layers) of the model called `name`.
pub(super) fn rows(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    (name, layer): (&str, Option<Layer>),
) -> Vec<WeightRow> {
    let key = |kind, tensor: &str| WeightKey {
        model: name.to_owned(),
        layer,
        kind,
        name: tensor.to_owned(),
    };
    let tensors = tensors_of(checkpoint, architecture, layer);
    let (grouped, others): (Vec<_>, Vec<_>) = tensors
        .into_iter()
        .partition(|(tensor, _)| layer.is_some_and(|layer| in_group(architecture, layer, tensor)));
    let values: Vec<StoredValues<'_>> =
        grouped.iter().map(|(_, stored)| values_of(stored)).collect();
    let mut rows: Vec<WeightRow> = others
        .par_iter()
        .map(|(tensor, stored)| of_tensor(values_of(stored)).into_row(key("tensor", tensor)))
        .collect();
    if !values.is_empty() {
        let statistics = of_group(&values);
        let each = grouped.iter().zip(statistics.tensors);
        rows.extend(each.map(|((tensor, _), one)| one.into_row(key("tensor", tensor))));
        rows.push(statistics.group.into_row(key("group", GROUP)));
    }
    rows.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    rows
}

/// Excess kurtosis of a layer's group; `None` where it is undefined.
pub(super) fn group_kurtosis(
    checkpoint: &Checkpoint,
    architecture: &Architecture,
    layer: Layer,
) -> Option<f64> {
    let rows = rows(checkpoint, architecture, ("", Some(layer)));
    rows.into_iter().find(|row| row.kind == "group").and_then(|row| row.kurtosis)
}

/// Excess kurtosis of a tensor; `None` where it is undefined.
pub(super) fn kurtosis(stored: &StoredTensor<'_>) -> Option<f64> {
    of_tensor(values_of(stored)).moments.kurtosis()
}

/// The layers by falling kurtosis of their groups.
pub(super) fn ranking(checkpoint: &Checkpoint, architecture: &Architecture) -> Vec<Layer> {
    let layers: Vec<Layer> = architecture.shape.stacked_layers().collect();
    let kurtosis = |layer: Layer| (layer, group_kurtosis(checkpoint, architecture, layer));
    let layers: Vec<_> = layers.into_par_iter().map(kurtosis).collect();
    ranked_by_kurtosis(layers)
}

/// The layer's tensors by their names in it, or (`None`) those of no layer. Only what the model needs.
fn tensors_of<'a>(
    checkpoint: &'a Checkpoint,
    architecture: &Architecture,
    layer: Option<Layer>,
) -> Vec<(&'a str, StoredTensor<'a>)> {
    let place = |(name, stored): (&'a str, StoredTensor<'a>)| match architecture.split_name(name) {
        Some((layer, rest)) => (Some(layer), rest, stored),
        None => (None, name, stored),
    };
    let needed = checkpoint.tensors().filter(|(name, _)| !architecture.ignores(name));
    let tensors = needed.map(place).filter(|(number, _, _)| *number == layer);
    tensors.map(|(_, name, stored)| (name, stored)).collect()
}

/// True for a weight matrix of the MLP.
fn in_group(architecture: &Architecture, layer: Layer, tensor: &str) -> bool {
    let Some(name) = tensor.strip_suffix(".weight") else { return false };
    architecture.matrix(layer, name).is_some_and(Matrix::is_mlp)
}

/// A tensor's values, in place.
pub(super) fn values_of<'a>(stored: &StoredTensor<'a>) -> StoredValues<'a> {
    match stored.dtype {
        StoredDtype::F32 => StoredValues::F32(stored.bytes),
        StoredDtype::F16 => StoredValues::F16(stored.bytes),
        StoredDtype::Bf16 => StoredValues::Bf16(stored.bytes),
    }
}
