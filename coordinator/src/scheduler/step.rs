//! What goes into a step of the scheduler and what comes out of it. Not what happens in between.

use babelquant_proto::message::Session as SessionId;
use babelquant_proto::{FailureKind, UnitIndex};
use glob::Pattern;

use super::record::{Fault, Record};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A worker opened a session.
    Join {
        /// The session.
        session: SessionId,
        /// The worker's name.
        worker: String,
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
    /// A record is durable.
    Durable(Record),
    /// The operator sends the workers of these names away: they get no more units, now and when they join again.
    Drain(Pattern),
    /// The operator takes a drain of this glob back.
    Undrain(Pattern),
}

/// A worker's state and its news.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The session.
    pub session: SessionId,
    /// What it holds.
    pub holding: Vec<UnitIndex>,
    /// Units for which it has sent a valid result.
    pub finished: Vec<UnitIndex>,
    /// Units that broke.
    pub failures: Vec<(UnitIndex, FailureKind)>,
    /// Units given back uncomputed.
    pub released: Vec<UnitIndex>,
    /// It takes no more work.
    pub draining: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Units lent to the worker that asked.
    pub grants: Vec<UnitIndex>,
    /// Units that the worker should stop computing.
    pub revoked: Vec<UnitIndex>,
    /// Facts to make durable; each unit is withheld until its record comes back as `Durable`.
    pub records: Vec<Record>,
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
