//! `_SUCCESS.json`: every file of a finished measurement with its rows and digest, and the units that were given up.

use babelquant_proto::{Digest, Spec, UnitIndex};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::parquet;
use crate::scheduler::Fault;

/// The content of `_SUCCESS.json`; its bytes are a function of the results and of what was claimed of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The measurement.
    pub spec_digest: Digest,
    /// The files under `data/`, by path.
    pub files: Vec<DataFile>,
    /// The units without rows, by number.
    pub quarantined: Vec<QuarantinedUnit>,
    /// The digest of what was registered in `run.json`; a manifest of an older program has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Digest>,
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
    let unknown = || format!("unit {unit}, which the study does not have");
    spec.words(unit).map_or_else(unknown, |words| words.to_string())
}
