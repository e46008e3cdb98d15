//! The overview: a run at one moment, for whoever watches it. Counts, durations and bounded lists; no timestamps, no path, and
//! nothing that a decision is taken by.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::message::{RunState, Session};
use crate::unit::UnitIndex;
use crate::words::Words;

/// A run at one moment. Lists are bounded but for the workers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// The study's name.
    pub study: String,
    /// How the run is.
    pub state: RunState,
    /// Why and since when nothing is granted, while the state is degraded.
    pub degraded: Option<Degraded>,
    /// How many coordinators have opened this output; 0 before this one has.
    pub epoch: u64,
    /// Units of the study.
    pub units: u64,
    /// Units with a durable result.
    pub done: u64,
    /// Units lent to workers.
    pub granted: u64,
    /// Units given up.
    pub quarantined: u64,
    /// Results that became durable, per second, over the last two minutes or since the first worker came, if that is less;
    /// `None` before the first.
    pub units_per_second: Option<f64>,
    /// How long the open units take at that rate; `None` where it is unknown or nothing.
    #[serde(rename = "seconds_left", serialize_with = "optional_seconds")]
    pub left: Option<Duration>,
    /// Live workers, in the order in which they came.
    pub workers: Vec<Worker>,
    /// Globs of the workers that the operator has drained.
    pub drained: Vec<String>,
    /// The lent units that have been held longest, the oldest first.
    pub longest_held: Vec<HeldUnit>,
    /// The first of the units that are given up; `quarantined` says how many there are.
    pub quarantined_units: Vec<QuarantinedUnit>,
}

/// A run whose results cannot be made durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// For how long.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub since: Duration,
    /// Why.
    pub reason: String,
}

/// A live worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worker {
    /// Its name, which others may share.
    pub name: String,
    /// Its session, which it shares with nobody.
    pub session: Session,
    /// What makes its numbers.
    pub engine: String,
    /// Units lent to it.
    pub held: u64,
    /// Results of this session that became durable.
    pub accepted: u64,
    /// These per second, as for the whole run.
    pub units_per_second: Option<f64>,
    /// Since its last Sync.
    #[serde(rename = "last_contact_seconds", serialize_with = "seconds")]
    pub last_contact: Duration,
    /// It gets no more units: it is leaving, or the operator has drained it.
    pub draining: bool,
    /// Models of which it gets no units, since it cannot find or read them.
    pub lacks: Vec<String>,
}

/// A unit that is lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldUnit {
    /// The unit.
    pub unit: UnitIndex,
    /// What it is.
    #[serde(flatten)]
    pub words: Words,
    /// The name of the worker that holds it.
    pub worker: String,
    /// For how long.
    #[serde(rename = "held_seconds", serialize_with = "seconds")]
    pub held: Duration,
}

/// A unit that is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantinedUnit {
    /// The unit.
    pub unit: UnitIndex,
    /// What it is.
    #[serde(flatten)]
    pub words: Words,
    /// How it broke last.
    pub fault: String,
    /// What its last worker said of it; empty where it said nothing, or said it to an earlier coordinator.
    pub detail: String,
}

impl Overview {
    /// A run of a study with so many units before anything is known of it.
    pub fn unopened(study: String, units: u64) -> Self {
        Self {
            study,
            state: RunState::Running,
            degraded: None,
            epoch: 0,
            units,
            done: 0,
            granted: 0,
            quarantined: 0,
            units_per_second: None,
            left: None,
            workers: Vec::new(),
            drained: Vec::new(),
            longest_held: Vec::new(),
            quarantined_units: Vec::new(),
        }
    }

    /// Units that are done or given up.
    pub fn closed(&self) -> u64 {
        self.done + self.quarantined
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn optional_seconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
