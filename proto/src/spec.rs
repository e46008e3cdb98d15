//! The spec: what every unit of a study shares and a worker needs. It generates all units (`unit`) and its digest guards the
//! output directory. Not the study: no paths, no analysis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cells::Cells;
use crate::digest::Digest;
use crate::language::Language;
use crate::model::{Model, ModelFile};
use crate::quant::{CalibrationSet, CheckpointName};
use crate::shard::Shard;

/// The measurement part of a study, resolved: models with their scopes and configs, the corpus in shards, the shapes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Version of this structure.
    pub version: u32,
    /// The models and what is done to each.
    pub models: Vec<ModelPart>,
    /// The languages and their shards.
    pub corpus: Vec<LanguageCorpus>,
    /// How documents are cut into windows.
    pub windows: Windows,
    /// How windows are batched.
    pub batch: Batch,
    /// The dtype of the computation.
    pub dtype: Dtype,
    /// What is scored.
    pub metrics: Metrics,
    /// Seed of everything random in the measurement.
    pub seed: u64,
    /// The calibration sets that configs name.
    pub calibration: Vec<Calibration>,
}

/// One model and the (scope, config) pairs evaluated on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelPart {
    /// The model.
    pub model: Model,
    /// What is evaluated, in the fixed order of its units.
    pub cells: Cells,
    /// The checkpoints that configs name.
    pub checkpoints: Vec<CheckpointPart>,
}

/// A checkpoint of the same model, quantized elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointPart {
    /// Its name in configs.
    pub name: CheckpointName,
    /// Its files: those of a model directory, or one GGUF file.
    pub files: BTreeMap<String, ModelFile>,
}

/// The text of a calibration set: small, so it stands in the spec, where its digest guards the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Its name in configs.
    pub set: CalibrationSet,
    /// The documents.
    pub texts: Vec<String>,
}

/// One language and its shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageCorpus {
    /// The language.
    pub language: Language,
    /// Its shards in document order.
    pub shards: Vec<Shard>,
}

/// How a document's tokens are cut into windows: each token is scored once, with at least `tokens − stride` tokens of context
/// except in the first window (science: disjoint scoring with overlap).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Longest window, in tokens.
    pub tokens: u32,
    /// Distance between the starts of windows, in tokens.
    pub stride: u32,
}

/// The shapes of the computation: part of a unit's identity, because a matmul's last bits depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Windows are batched up to so many padded tokens.
    pub tokens: u32,
    /// The head's matmul covers so many scored positions at a time.
    pub head_rows: u32,
    /// The head's matmul covers so many vocabulary entries at a time.
    pub head_columns: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Self { tokens: 1024, head_rows: 512, head_columns: 4096 }
    }
}

/// Dtype of the forward pass; softmax, norms and sums are wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floats: the reference.
    F32,
    /// 16-bit brain floats.
    Bf16,
    /// 16-bit IEEE floats.
    F16,
}

impl Dtype {
    /// Bytes of one value.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }
}

/// What is scored beyond NLL and top-1 agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// KL(base ‖ quantized): costs one more pass over the head for each group of cells.
    pub kl: bool,
}

/// What every version of a spec says.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Spec {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 7;

    /// Canonical JSON: the same spec gives the same bytes.
    ///
    /// # Errors
    /// Only where JSON cannot hold a value, which no field of a spec is.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads what `to_json` wrote.
    ///
    /// # Errors
    /// The JSON is not a spec, or one of another version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != Self::VERSION {
            let ours = Self::VERSION;
            let reason = format!("the spec has version {version}, this build reads {ours} only");
            return Err(serde::de::Error::custom(reason));
        }
        serde_json::from_slice(bytes)
    }

    /// The digest that guards an output directory.
    ///
    /// # Errors
    /// As `to_json`.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&self.to_json()?))
    }

    /// What its run is called in the logs of both sides: the start of the digest.
    ///
    /// # Errors
    /// As `to_json`.
    pub fn run_id(&self) -> Result<String, serde_json::Error> {
        self.digest().map(|digest| digest.to_string().chars().take(12).collect())
    }
}
