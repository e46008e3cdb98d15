//! Studies: what a user asks, from TOML to the spec that workers get. Every mistake is named with its file, key and value
//! here, so that everything after this room is well-typed. Nothing here measures anything or talks to a worker.

mod analysis;
mod analysis_section;
mod calibration;
mod cells;
mod checkpoints;
mod configs;
mod cost;
mod documents;
mod effect;
mod entries;
mod error;
mod file;
mod groups;
pub mod hypothesis;
mod models;
mod pattern;
pub mod plan;
mod reach;
mod reading;
mod resolve;
mod scopes;
mod section;
mod shards;
mod windows;
mod write;

use std::path::PathBuf;

use babelquant_proto::{Batch, Components, Dtype, LanguageTag, Layers, Metrics, ParseError};

pub use analysis::{Analysis, Outcome, Predictor};
pub use calibration::{CALIBRATION_BYTES, CalibrationSource, SetChoice};
pub use checkpoints::CheckpointSource;
pub use configs::ConfigPattern;
pub use error::{CalibrationError, CorpusError, StudyError};
pub use hypothesis::{Families, Hypothesis, Registration};
pub use models::{Fetch, ModelSource, Place, Prefix, ProtocolKind, ReadingChoice, Repository};
#[cfg(test)]
pub(crate) use resolve::tests::no_hub;
pub use resolve::{OtherPlace, Resolved};
pub(crate) use scopes::binomial;
pub use scopes::{ScopePattern, Sets};
pub use shards::{SHARD_BYTES, SHARD_DOCUMENTS_MAX, Texts};
pub use windows::WindowsChoice;

/// What a user asks: the measurement, and apart from it the analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// Its name in reports.
    pub name: String,
    /// The models.
    pub models: Vec<ModelSource>,
    /// The texts.
    pub corpus: CorpusSource,
    /// How documents are cut into windows.
    pub windows: WindowsChoice,
    /// The shapes of the computation.
    pub batch: Batch,
    /// The dtype of the computation.
    pub dtype: Dtype,
    /// Which tensors of a scope's layers are quantized; each entry makes scopes of its own.
    pub components: Vec<Components>,
    /// Which layers are quantized.
    pub scopes: Vec<ScopePattern>,
    /// How they are quantized.
    pub configs: Vec<ConfigPattern>,
    /// The text that calibrated configs see, where there are such.
    pub calibration: Option<CalibrationSource>,
    /// The checkpoints that configs name.
    pub checkpoints: Vec<CheckpointSource>,
    /// What is scored beyond NLL and top-1.
    pub metrics: Metrics,
    /// Seed of everything random in the measurement.
    pub seed: u64,
    /// How the rows are reduced; another analysis needs no new run.
    pub analysis: Analysis,
    /// What is claimed, in the order of the ids; a run is held to it.
    pub hypotheses: Vec<Hypothesis>,
}

/// The corpus of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct CorpusSource {
    /// The path pattern with its `{language}`.
    pub path: String,
    /// The group file.
    pub groups: Option<PathBuf>,
    /// The languages; empty for all that match.
    pub languages: Vec<LanguageTag>,
    /// The first so many documents of each language (lines: missing units count).
    pub documents: Option<u32>,
    /// Byte budget of a shard.
    pub shard_bytes: u64,
}

impl Study {
    /// The study that `run --model MODEL --corpus PATTERN` runs without a file.
    ///
    /// The scopes are the whole model and each layer alone. The configs are the two that bracket what is deployed: 4 bits per
    /// channel, where a healthy language hardly changes, and 3 bits, where layers and languages come apart.
    ///
    /// # Errors
    /// Never: the spellings of the default configs are covered by a test.
    pub fn sensible(models: Vec<ModelSource>, corpus_path: String) -> Result<Self, ParseError> {
        Ok(Self {
            name: "study".to_owned(),
            models,
            corpus: CorpusSource {
                path: corpus_path,
                groups: None,
                languages: Vec::new(),
                documents: None,
                shard_bytes: SHARD_BYTES,
            },
            windows: WindowsChoice::default(),
            batch: Batch::default(),
            dtype: Dtype::F32,
            components: vec![Components::mlp()],
            scopes: vec![ScopePattern::One(Layers::All), ScopePattern::Only(Sets::Each)],
            configs: vec!["int4-channel".parse()?, "int3-channel".parse()?],
            calibration: None,
            checkpoints: Vec::new(),
            metrics: Metrics { kl: true },
            seed: 1,
            analysis: Analysis::default(),
            hypotheses: Vec::new(),
        })
    }

    /// What a run of this study is held to.
    pub fn registration(&self) -> Registration {
        Registration {
            hypotheses: self.hypotheses.clone(),
            outlier_layers: self.analysis.outlier_layers,
        }
    }
}
