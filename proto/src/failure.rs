//! Failure kinds: why a unit was not computed. Typed from where they arise to where they are acted on; not an error text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a worker could not return a unit's rows; each kind has one consequence (the scheduler's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The unit itself cannot be computed, by anyone: quarantined at once.
    InvalidUnit,
    /// Not enough memory on this worker: charged, tried elsewhere.
    OutOfMemory,
    /// The engine broke while computing it: charged.
    Crash,
    /// It took longer than allowed: charged.
    Timeout,
    /// The worker lacks the model: the worker gets no units of it, the unit is not charged.
    ModelUnavailable,
}

impl FailureKind {
    /// Its name in logs and journals.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUnit => "invalid_unit",
            Self::OutOfMemory => "out_of_memory",
            Self::Crash => "crash",
            Self::Timeout => "timeout",
            Self::ModelUnavailable => "model_unavailable",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
