//! `_SUCCESS.json`: every file of a finished measurement with its rows and digest, and the units that were given up.

use babelquant_proto::{Digest, Spec, Unit, UnitIndex};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::parquet;
use crate::scheduler::Fault;

/// The content of `_SUCCESS.json`; its bytes are a function of the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The measurement.
    pub spec_digest: Digest,
    /// The files under `data/`, by path.
    pub files: Vec<DataFile>,
    /// The units without rows, by number.
    pub quarantined: Vec<QuarantinedUnit>,
}

/// A file of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its path in the output.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its digest.
    pub blake3: Digest,
}

/// A unit that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedUnit {
    /// Its number.
    pub unit: u64,
    /// What it is, in words.
    pub description: String,
    /// How it broke last.
    pub fault: String,
}

impl Manifest {
    /// Its name in the output.
    pub(super) const PATH: &'static str = "_SUCCESS.json";

    pub(super) fn to_json(&self) -> Bytes {
        let mut json = serde_json::to_vec_pretty(self).expect("its fields are texts and numbers");
        json.push(b'\n');
        json.into()
    }
}

impl DataFile {
    /// Describes the Parquet file at `path`.
    pub(super) fn of(path: &str, content: Bytes) -> Result<Self, StoreError> {
        let blake3 = Digest::of(&content);
        Ok(Self { path: path.to_owned(), rows: parquet::count(path, content)?, blake3 })
    }
}

impl QuarantinedUnit {
    /// Describes a unit of `spec`.
    pub(super) fn of(spec: &Spec, unit: u64, fault: Fault) -> Self {
        let description = describe(spec, UnitIndex(unit));
        Self { unit, description, fault: fault.to_string() }
    }
}

/// A unit in words: model, language, shard, scope, config.
pub(crate) fn describe(spec: &Spec, unit: UnitIndex) -> String {
    let model = |model: usize| &spec.models[model].model.name;
    let language = |shard: babelquant_proto::ShardId| {
        let language = &spec.corpus[shard.language as usize].language;
        format!("{language} shard {}", shard.shard)
    };
    match spec.unit(unit) {
        None => format!("unit {unit}, which the study does not have"),
        Some(Unit::Weights { model: m, layer: Some(layer) }) => {
            format!("weights of {} layer {layer}", model(m))
        }
        Some(Unit::Weights { model: m, layer: None }) => {
            format!("weights of {} outside the layers", model(m))
        }
        Some(Unit::Quantization { model: m, layer: Some(layer) }) => {
            format!("quantization of {} layer {layer}", model(m))
        }
        Some(Unit::Quantization { model: m, layer: None }) => {
            format!("quantization of {} outside the layers", model(m))
        }
        Some(Unit::Baseline { model: m, shard }) => {
            format!("baseline of {} on {}", model(m), language(shard))
        }
        Some(Unit::Cell { model: m, shard, scope, config }) => {
            format!("{} on {}: {scope} {config}", model(m), language(shard))
        }
    }
}
