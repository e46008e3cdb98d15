//! The trace of a scheduler: what it started from, then every input with its time and what followed, as lines of JSON. Not where the lines
//! are kept, nor what becomes of them (`replay`).
//!
//! A trace has a segment for each coordinator that served the run, and each begins with an opening. A coordinator that was killed leaves at
//! most one torn line behind it.

use std::fmt;
use std::ops::{Deref, Range};
use std::time::Duration;

use babelquant_proto::Digest;
use serde::{Deserialize, Serialize};

use super::geometry::{Block, Geometry};
use super::record::Record;
use super::spelled;
use super::step::{Effects, Input};
use super::{STRAGGLING, Scheduler};

/// Rises whenever the scheduler answers the same inputs in another way, or lines are spelled otherwise.
const VERSION: u32 = 2;
/// More units than any study has; a line that speaks of more is no trace.
const UNITS_MAX: u64 = 1 << 36;

/// What a scheduler starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    version: u32,
    /// The run: the digest of its spec.
    pub(super) spec: Digest,
    /// The coordinator's epoch.
    pub(super) epoch: u64,
    /// Model, units of a lane and lanes of each block.
    blocks: Vec<(usize, u64, u64)>,
    #[serde(with = "spelled::nanoseconds")]
    lease: Duration,
    #[serde(with = "spelled::nanoseconds")]
    returning: Duration,
    #[serde(with = "spelled::nanoseconds")]
    straggling: Duration,
    #[serde(with = "spelled::records")]
    records: Vec<Record>,
    closed: Vec<Range<u64>>,
}

impl Opening {
    /// A start from these durable records and closed units; see [`Scheduler::restore`].
    pub fn new(
        (spec, epoch): (Digest, u64),
        geometry: &Geometry,
        (lease, returning): (Duration, Duration),
        records: Vec<Record>,
        closed: impl IntoIterator<Item = Range<u64>>,
    ) -> Self {
        let block = |block: &Block| (block.model, block.lane_units, block.lanes);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for range in closed {
            match ranges.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => ranges.push(range),
            }
        }
        let blocks = geometry.blocks().iter().map(block).collect();
        let (version, straggling, closed) = (VERSION, STRAGGLING, ranges);
        Self { version, spec, epoch, blocks, lease, returning, straggling, records, closed }
    }

    /// The same with another least age of stragglers.
    #[must_use]
    pub fn with_straggling(self, straggling: Duration) -> Self {
        Self { straggling, ..self }
    }

    /// The scheduler.
    ///
    /// # Errors
    /// The opening was read from a file and makes none.
    pub fn scheduler(&self) -> Result<Scheduler, String> {
        if self.version != VERSION {
            return Err(format!(
                "it has version {}, and this program replays version {VERSION}: use the program that recorded it",
                self.version
            ));
        }
        let units = self.blocks.iter().try_fold(0_u64, |units, (_, lane_units, lanes)| {
            let more = lane_units.checked_mul(*lanes).filter(|_| *lane_units > 0)?;
            units.checked_add(more).filter(|units| *units <= UNITS_MAX)
        });
        let units = units.ok_or_else(|| "its blocks are no study's".to_owned())?;
        if let Some(range) =
            self.closed.iter().find(|range| range.start > range.end || range.end > units)
        {
            return Err(format!("units {}..{} are closed, of {units}", range.start, range.end));
        }
        if let Some(record) = self.records.iter().find(|record| record.unit().0 >= units) {
            return Err(format!("unit {} has a record, of {units}", record.unit()));
        }
        let geometry = Geometry::new(self.blocks.iter().copied());
        let (records, closed) = (self.records.iter().cloned(), self.closed.iter().cloned());
        let scheduler = Scheduler::restore(geometry, self.lease, self.returning, records, closed);
        Ok(scheduler.with_straggling(self.straggling))
    }
}

/// A line of a trace.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Open(Opening),
    Step(Step),
    /// Recording ended here, and why.
    Stopped(String),
}

/// An input and what followed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Step {
    #[serde(with = "spelled::nanoseconds")]
    pub(super) at: Duration,
    pub(super) input: Input,
    #[serde(default, skip_serializing_if = "Effects::is_nothing")]
    pub(super) effects: Effects,
}

impl Line {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("its fields are texts and numbers")
    }
}

/// The last line of a trace that ends before its run does.
pub fn stopped(reason: &str) -> String {
    Line::Stopped(reason.to_owned()).text()
}

/// Takes the lines of a trace.
pub type Sink = Box<dyn FnMut(String) + Send + Sync>;

/// A scheduler whose steps are written down, where somebody wants them.
pub struct Traced {
    scheduler: Scheduler,
    sink: Option<Sink>,
}

impl Traced {
    /// The scheduler of an opening.
    ///
    /// # Errors
    /// The opening makes none.
    pub fn open(opening: Opening, mut sink: Option<Sink>) -> Result<Self, String> {
        let scheduler = opening.scheduler()?;
        if let Some(sink) = &mut sink {
            sink(Line::Open(opening).text());
        }
        Ok(Self { scheduler, sink })
    }

    /// The next state and what follows from the input.
    pub fn step(&mut self, now: Duration, input: Input) -> Effects {
        let Some(sink) = &mut self.sink else { return self.scheduler.step(now, input) };
        let effects = self.scheduler.step(now, input.clone());
        sink(Line::Step(Step { at: now, input, effects: effects.clone() }).text());
        effects
    }
}

impl Deref for Traced {
    type Target = Scheduler;

    fn deref(&self) -> &Scheduler {
        &self.scheduler
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traced").field("scheduler", &self.scheduler).finish_non_exhaustive()
    }
}
