//! What a unit needs in memory, estimated before anything is allocated, and what of a model is kept for it. Not a limit that the
//! system enforces.

use babelquant_proto::{ShardText, Spec};

use super::error::EvalError;
use crate::model::{Architecture, Residence};

/// Bytes of text that a token stands for at least, on average: an estimate must not be too low.
const BYTES_PER_TOKEN: u64 = 2;
/// Share of the machine's memory that a whole model may take before it is streamed instead.
const WHOLE_SHARE: f64 = 0.6;

/// How much memory there is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    /// Units that need more are refused, in bytes; no bound where absent.
    pub(super) allowed: Option<u64>,
    /// What the device has, in bytes, where it says so.
    pub(super) device: Option<u64>,
}

/// A model's needs, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    whole: u64,
    streamed: u64,
}

impl Needs {
    /// In the dtype of the computation: all weights; or the largest layer as it is stored and as it is used, beside a run of the
    /// head.
    pub(super) fn of(spec: &Spec, architecture: &Architecture) -> Self {
        let size = |shape: &[usize]| shape.iter().map(|&size| size as u64).product::<u64>();
        let bytes = spec.dtype.bytes();
        let mut layers = std::collections::BTreeMap::new();
        for (name, shape) in architecture.tensors() {
            if let Some((layer, _)) = architecture.split_name(&name) {
                *layers.entry(layer).or_insert(0) += size(&shape);
            }
        }
        let largest = layers.into_values().max().unwrap_or(0);
        let head = u64::from(spec.batch.head_columns) * u64::from(architecture.shape.hidden);
        Self { whole: architecture.parameters() * bytes, streamed: (2 * largest + head) * bytes }
    }

    /// The bytes of a model of this residence.
    fn bytes(self, residence: Residence) -> u64 {
        match residence {
            Residence::Whole => self.whole,
            Residence::Streamed => self.streamed,
        }
    }

    /// The whole model where it fits, else its layers one by one.
    pub(super) fn residence(self, budget: Budget) -> Result<Residence, EvalError> {
        let device = budget.device.map(|bytes| (bytes as f64 * WHOLE_SHARE) as u64);
        match budget.allowed.or(device) {
            Some(bytes) if self.whole > bytes => {
                within(self.streamed, budget.allowed)?;
                Ok(Residence::Streamed)
            }
            Some(_) | None => Ok(Residence::Whole),
        }
    }

    /// An error where the model with one shard would exceed the budget.
    pub(super) fn check(
        self,
        spec: &Spec,
        text: &ShardText,
        budget: Budget,
        (architecture, residence): (&Architecture, Residence),
    ) -> Result<(), EvalError> {
        within(self.bytes(residence) + shard_bytes(spec, text, architecture), budget.allowed)
    }
}

fn within(needed: u64, allowed: Option<u64>) -> Result<(), EvalError> {
    match allowed {
        Some(allowed) if needed > allowed => {
            Err(EvalError::Memory { needed: needed >> 20, allowed: allowed >> 20 })
        }
        Some(_) | None => Ok(()),
    }
}

/// Boundaries of a shard, the widest activation of a micro-batch and two tiles of logits.
fn shard_bytes(spec: &Spec, text: &ShardText, architecture: &Architecture) -> u64 {
    let (width, layers) =
        (u64::from(architecture.shape.hidden), u64::from(architecture.shape.depth()));
    let bytes: u64 = text.documents.iter().map(|document| document.text.len() as u64).sum();
    let boundaries = bytes / BYTES_PER_TOKEN * width * (layers + 10) * spec.dtype.bytes();
    let tile = u64::from(spec.batch.head_rows) * u64::from(spec.batch.head_columns) * 4;
    let widest = u64::from(architecture.mlp_width).max(4 * width);
    boundaries + u64::from(spec.batch.tokens) * widest * 4 * 4 + 2 * tile
}
