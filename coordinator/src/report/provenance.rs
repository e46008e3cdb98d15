//! Where the numbers of a report come from. No time, host or path.

use babelquant_proto::{Digest, EngineClass};
use serde::Serialize;

/// The run behind a Summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// Name of the study.
    pub study: String,
    /// Digest of the measurement.
    pub spec_digest: Digest,
    /// What computed it.
    pub engine_class: EngineClass,
    /// Digest of the measurement whose results were taken over, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused: Option<Digest>,
    /// The units that were given up, in words.
    pub quarantined: Vec<String>,
}
