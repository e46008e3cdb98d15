//! Records: the durable facts about units. The scheduler proposes them, the store keeps them, and a restart replays them.

use std::fmt;
use std::str::FromStr;

use babelquant_proto::{FailureKind, UnitIndex, serde_by_spelling};
use serde::{Deserialize, Serialize};

/// A fact about a unit that a restart must find again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The unit has a result.
    Done {
        /// The unit.
        unit: UnitIndex,
    },
    /// The unit broke once on a worker.
    Charge {
        /// The unit.
        unit: UnitIndex,
        /// The worker's name.
        worker: String,
        /// How.
        fault: Fault,
    },
    /// The unit is given up.
    Quarantine {
        /// The unit.
        unit: UnitIndex,
        /// How it broke last.
        fault: Fault,
    },
}

impl Record {
    /// The unit that it is about.
    pub fn unit(&self) -> UnitIndex {
        match self {
            Self::Done { unit } | Self::Charge { unit, .. } | Self::Quarantine { unit, .. } => {
                *unit
            }
        }
    }
}

/// How a unit broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The worker said so.
    Reported(FailureKind),
    /// The worker that held it fell silent.
    LeaseLost,
}

impl Fault {
    pub(super) const OUT_OF_MEMORY: Self = Self::Reported(FailureKind::OutOfMemory);

    const ALL: [Self; 6] = [
        Self::Reported(FailureKind::InvalidUnit),
        Self::Reported(FailureKind::OutOfMemory),
        Self::Reported(FailureKind::Crash),
        Self::Reported(FailureKind::Timeout),
        Self::Reported(FailureKind::ModelUnavailable),
        Self::LeaseLost,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported(kind) => kind.fmt(f),
            Self::LeaseLost => f.write_str("lease_lost"),
        }
    }
}

serde_by_spelling!(Fault);

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = Self::ALL.into_iter().find(|fault| fault.to_string() == text);
        fault.ok_or_else(|| format!("{text:?} is no fault"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_round_trip() {
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse(), Ok(fault));
            let json = serde_json::to_value(fault).unwrap();
            assert_eq!(json, fault.to_string());
            assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
        }
        assert!("x".parse::<Fault>().is_err());
    }
}
