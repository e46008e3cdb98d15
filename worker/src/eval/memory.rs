//! What a unit needs in memory, estimated before anything is allocated. Not a limit that the system enforces.

use babelquant_proto::{ShardText, Spec};

use super::error::EvalError;

/// Bytes of text that a token stands for at least, on average: an estimate must not be too low.
const BYTES_PER_TOKEN: u64 = 2;

/// An error where the model of number `model`, with one shard if given, would exceed `allowed` bytes.
pub(super) fn check(
    spec: &Spec,
    model: usize,
    text: Option<&ShardText>,
    allowed: Option<u64>,
) -> Result<(), EvalError> {
    let Some(allowed) = allowed else { return Ok(()) };
    let needed = model_bytes(spec, model) + text.map_or(0, |text| shard_bytes(spec, model, text));
    if needed <= allowed {
        return Ok(());
    }
    Err(EvalError::Memory { needed: needed >> 20, allowed: allowed >> 20 })
}

/// The weights in the dtype of the computation.
fn model_bytes(spec: &Spec, model: usize) -> u64 {
    let shape = spec.models[model].model.shape;
    let (width, layers) = (u64::from(shape.hidden), u64::from(shape.layers));
    (u64::from(shape.vocabulary) * width + layers * 12 * width * width) * spec.dtype.bytes()
}

/// Boundaries of a shard, the widest activation of a micro-batch and two tiles of logits.
fn shard_bytes(spec: &Spec, model: usize, text: &ShardText) -> u64 {
    let shape = spec.models[model].model.shape;
    let (width, layers) = (u64::from(shape.hidden), u64::from(shape.layers));
    let bytes: u64 = text.documents.iter().map(|document| document.text.len() as u64).sum();
    let boundaries = bytes / BYTES_PER_TOKEN * width * (layers + 10) * spec.dtype.bytes();
    let tile = u64::from(spec.batch.head_rows) * u64::from(spec.batch.head_columns) * 4;
    boundaries + u64::from(spec.batch.tokens) * width * 16 * 4 + 2 * tile
}
