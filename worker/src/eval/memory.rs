//! What a unit needs in memory, estimated before anything is allocated, and what of a model is kept for it. Not a limit that the
//! system enforces.

use babelquant_proto::quant::{QuantConfig, Rule};
use babelquant_proto::{ModelPart, Protocol, Scope, ShardText, Spec};

use super::error::EvalError;
use crate::model::{Architecture, Residence};

/// Bytes of text that a token stands for at least, on average; a vocabulary made for other scripts comes near it.
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
    /// For each byte of a shard's text: the kept hidden states.
    byte_of_text: u64,
    /// For any shard: the widest activations of a micro-batch, two tiles of logits, and what calibrated configs hold.
    shard: u64,
}

impl Needs {
    /// In the dtype of the computation: all weights; or the largest layer as it is stored and as it is used, beside a run of the
    /// head. Tables that are quantized come on top.
    pub(super) fn of(spec: &Spec, model: usize, architecture: &Architecture) -> Self {
        let size = |shape: &[usize]| shape.iter().map(|&size| size as u64).product::<u64>();
        let (bytes, width) = (spec.dtype.bytes(), u64::from(architecture.shape.hidden));
        let mut layers = std::collections::BTreeMap::new();
        for (name, shape) in architecture.tensors() {
            if let Some((layer, _)) = architecture.split_name(&name) {
                *layers.entry(layer).or_insert(0) += size(&shape);
            }
        }
        let largest = layers.into_values().max().unwrap_or(0);
        let head = u64::from(spec.batch.head_columns) * width;
        let states = reading(spec, model) * (f64::from(architecture.shape.depth()) + 10.0);
        let widest = u64::from(architecture.mlp_width).max(4 * width) * 4;
        let window = u64::from(spec.windows.tokens);
        let scores = 2 * u64::from(architecture.attention.heads) * window * window;
        let tile = u64::from(spec.batch.head_rows) * u64::from(spec.batch.head_columns);
        let tables = tables(spec, model, width);
        Self {
            whole: architecture.parameters() * bytes + tables,
            streamed: (2 * largest + head) * bytes + tables,
            byte_of_text: (states * width as f64) as u64 * bytes / BYTES_PER_TOKEN,
            shard: (u64::from(spec.batch.tokens) * widest + scores + 2 * tile) * 4
                + calibration(spec, model, architecture),
        }
    }

    /// The whole model where it fits beside the study's largest shard, else its layers one by one.
    pub(super) fn residence(self, spec: &Spec, budget: Budget) -> Result<Residence, EvalError> {
        let shards = spec.corpus.iter().flat_map(|language| &language.shards);
        let largest = shards.map(|shard| shard.bytes).max().unwrap_or(0);
        let device = budget.device.map(|bytes| (bytes as f64 * WHOLE_SHARE) as u64);
        match budget.allowed.or(device) {
            Some(bytes) if self.whole + self.text(largest) > bytes => {
                within(self.streamed, budget.allowed)?;
                Ok(Residence::Streamed)
            }
            Some(_) | None => Ok(Residence::Whole),
        }
    }

    /// An error where the model with one shard would exceed the budget.
    pub(super) fn check(
        self,
        text: &ShardText,
        budget: Budget,
        residence: Residence,
    ) -> Result<(), EvalError> {
        let bytes = text.documents.iter().map(|document| document.text.len() as u64).sum();
        let model = match residence {
            Residence::Whole => self.whole,
            Residence::Streamed => self.streamed,
        };
        within(model + self.text(bytes), budget.allowed)
    }

    /// What a shard of so many bytes of text needs beside the model.
    fn text(self, bytes: u64) -> u64 {
        bytes * self.byte_of_text + self.shard
    }
}

/// What calibrated configs need, in bytes: the states of a set before and after a layer, and the moments of the widest matrix in
/// scope with what the rule makes of them.
fn calibration(spec: &Spec, model: usize, architecture: &Architecture) -> u64 {
    let largest = spec.calibration.iter().map(|set| set.texts.iter().map(String::len).sum());
    let text: usize = largest.max().unwrap_or(0);
    let tokens = text as f64 * reading(spec, model) / BYTES_PER_TOKEN as f64;
    let states = 2.0 * tokens * f64::from(architecture.shape.hidden) * spec.dtype.bytes() as f64;
    let calibrated =
        spec.models[model].cells.iter().filter(|(_, config)| !config.calibration_sets().is_empty());
    let widest = |(scope, config): &(Scope, QuantConfig)| {
        let held = scope.layers.possible(&architecture.shape);
        let layers = architecture.shape.stacked_layers().filter(|layer| held.contains(layer));
        let matrices = layers.flat_map(|layer| architecture.matrices(layer));
        let in_scope = matrices
            .filter(|matrix| matrix.roles.iter().any(|&(role, _)| scope.components.contains(role)));
        let columns = in_scope.map(|matrix| matrix.columns as u64).max().unwrap_or(0);
        columns * columns * moment_bytes(config)
    };
    states as u64 + calibrated.map(widest).max().unwrap_or(0)
}

/// Bytes for each entry of a second moment: f64 sums of one triangle, the moments in f32, and of GPTQ three factors in f64 and one in
/// f32, of others one copy.
fn moment_bytes(config: &QuantConfig) -> u64 {
    let factors = config.weight_configs().any(|config| matches!(config.rule, Rule::Gptq { .. }));
    if factors { 4 + 28 } else { 4 + 4 }
}

/// What quantized tables outside the layers need, in bytes: one as it is read and as it is left, in f32, and lookup and head as they
/// are used.
fn tables(spec: &Spec, model: usize, width: u64) -> u64 {
    let ModelPart { model, cells, .. } = &spec.models[model];
    let size = u64::from(model.shape.vocabulary) * width;
    match cells.iter().any(|(scope, _)| !scope.outside_layers().is_empty()) {
        true => size * (2 * 4 + 2 * spec.dtype.bytes()),
        false => 0,
    }
}

/// How many tokens a stack reads for each token of the text: masked documents are read again and again.
fn reading(spec: &Spec, model: usize) -> f64 {
    match spec.models[model].model.protocol {
        Protocol::Causal { .. } | Protocol::PrefixInfill { .. } => 1.0,
        Protocol::SpanCorruption { draws, .. } => f64::from(draws),
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
