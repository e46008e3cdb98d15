//! What goes into a step of the scheduler and what comes out of it. Not what happens in between. Both can be written down (`trace`).

use babelquant_proto::message::Session as SessionId;
use babelquant_proto::{FailureKind, UnitIndex};
use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::record::{Fault, Record};
use super::spelled;

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A worker opened a session.
    Join {
        /// The session.
        session: SessionId,
        /// The worker's name.
        worker: String,
        /// Bytes that its computations may take, where it knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<u64>,
        /// Its engine class, where those of a run differ.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<String>,
    },
    /// A worker said how it is.
    Report(Report),
    /// A worker wants so many units.
    Ask {
        /// The session.
        session: SessionId,
        /// How many.
        want: u32,
    },
    /// Time passed.
    Tick,
    /// The records of a commit are durable.
    Durable(#[serde(with = "spelled::records")] Vec<Record>),
    /// The operator sends the workers of these names away: they get no more units, now and when they join again.
    Drain(#[serde(with = "spelled::pattern")] Pattern),
    /// The operator takes a drain of this glob back.
    Undrain(#[serde(with = "spelled::pattern")] Pattern),
}

/// A worker's state and its news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The session.
    pub session: SessionId,
    /// What it holds.
    #[serde(with = "spelled::units", default, skip_serializing_if = "Vec::is_empty")]
    pub holding: Vec<UnitIndex>,
    /// Units for which it has sent a valid result.
    #[serde(with = "spelled::units", default, skip_serializing_if = "Vec::is_empty")]
    pub finished: Vec<UnitIndex>,
    /// Units that broke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<(UnitIndex, FailureKind)>,
    /// Units given back uncomputed.
    #[serde(with = "spelled::units", default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<UnitIndex>,
    /// It takes no more work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Effects {
    /// Units lent to the worker that asked.
    #[serde(with = "spelled::units", default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<UnitIndex>,
    /// Units that the worker should stop computing.
    #[serde(with = "spelled::units", default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<UnitIndex>,
    /// Facts to make durable; each unit is withheld until its record comes back as `Durable`.
    #[serde(with = "spelled::records", default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
}

impl Effects {
    /// True where nothing is to be done.
    pub fn is_nothing(&self) -> bool {
        self.grants.is_empty() && self.revoked.is_empty() && self.records.is_empty()
    }
}

/// How a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The study has no such unit.
    Unknown,
    /// It has no durable result yet.
    Open,
    /// It has one.
    Done,
    /// It is given up.
    Quarantined(Fault),
}
