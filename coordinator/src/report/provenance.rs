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
    /// What computed it; of several, the first worker's.
    pub engine_class: EngineClass,
    /// True where engines of other classes may have computed some of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mixed_engines: bool,
    /// Digest of the measurement whose results were taken over, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused: Option<Digest>,
    /// The units that were given up, in words.
    pub quarantined: Vec<String>,
}

impl Provenance {
    /// `Study toy · spec 1f3a… · engine cpu-x86_64-v3-candle0.11.1`
    pub(super) fn in_words(&self) -> String {
        let Self { study, spec_digest, engine_class, mixed_engines, reused, .. } = self;
        let reused = reused.map(|spec| format!(" · with results of spec {spec}"));
        format!(
            "Study {study} · spec {spec_digest} · engine {engine_class}{}{}",
            if *mixed_engines { " and others" } else { "" },
            reused.unwrap_or_default()
        )
    }
}
