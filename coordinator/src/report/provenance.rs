//! Where the numbers of a report come from. No time, host or path.

use babelquant_proto::Digest;
use serde::Serialize;

/// The run behind a Summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// Name of the study.
    pub study: String,
    /// Digest of the measurement.
    pub spec_digest: Digest,
    /// The engine classes that made its rows.
    pub engines: Vec<String>,
    /// Digest of the measurement whose results were taken over, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused: Option<Digest>,
    /// The units that were given up, in words.
    pub quarantined: Vec<String>,
}

impl Provenance {
    /// `Study toy · spec 1f3a… · engine cpu-x86_64-v3-candle0.11.1`
    pub(super) fn in_words(&self) -> String {
        let Self { study, spec_digest, engines, reused, .. } = self;
        let reused = reused.map(|spec| format!(" · with results of spec {spec}"));
        format!(
            "Study {study} · spec {spec_digest} · engine {}{}",
            engines.join(", "),
            reused.unwrap_or_default()
        )
    }
}
