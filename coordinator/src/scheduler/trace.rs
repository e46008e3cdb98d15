//! The trace of a scheduler: what it started from, then every input with its time and what followed, as lines of JSON; and the schedulers
//! that such lines make again. Not where the lines are kept.
//!
//! A trace has a segment for each coordinator that served the run, and each begins with an opening. Within a segment a replay must come
//! to the same effects; from one segment to the next whatever was durable must still be closed. A coordinator that was killed leaves at
//! most one torn line behind it.

use std::fmt;
use std::ops::{Deref, Range};
use std::time::Duration;

use babelquant_proto::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::geometry::{Block, Geometry};
use super::record::Record;
use super::spelled;
use super::step::{Effects, Input, Standing};
use super::{STRAGGLING, Scheduler};

/// Rises whenever the scheduler answers the same inputs in another way, or lines are spelled otherwise.
const VERSION: u32 = 1;
/// More units than any study has; a line that speaks of more is no trace.
const UNITS_MAX: u64 = 1 << 36;

/// What a scheduler starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    version: u32,
    /// The run: the digest of its spec.
    spec: Digest,
    /// The coordinator's epoch.
    epoch: u64,
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
enum Line {
    Open(Opening),
    Step(Step),
    /// Recording ended here, and why.
    Stopped(String),
}

/// An input and what followed.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    #[serde(with = "spelled::nanoseconds")]
    at: Duration,
    input: Input,
    #[serde(default, skip_serializing_if = "Effects::is_nothing")]
    effects: Effects,
}

impl Line {
    fn text(&self) -> String {
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
        let step = Line::Step(Step { at: now, input, effects });
        sink(step.text());
        match step {
            Line::Step(Step { effects, .. }) => effects,
            Line::Open(_) | Line::Stopped(_) => Effects::default(),
        }
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

/// Why a trace and its replay part.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It is no trace.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The scheduler of this program does something else.
    #[error("line {line}: {input} was followed by {recorded}, and is now followed by {computed}")]
    Difference {
        /// Counted from 1.
        line: u64,
        /// The input.
        input: String,
        /// Its effects in the trace.
        recorded: String,
        /// Its effects now.
        computed: String,
    },
    /// A restart forgot what was durable.
    #[error(
        "line {line}: unit {unit} was closed before the coordinator of epoch {epoch} started, and is open there"
    )]
    Forgotten {
        /// Counted from 1.
        line: u64,
        /// The unit.
        unit: u64,
        /// The later epoch.
        epoch: u64,
    },
}

/// What a trace came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Coordinators that served the run.
    pub segments: u64,
    /// Inputs that had the same effects again.
    pub inputs: u64,
    /// Units of the study.
    pub units: u64,
    /// Of these with a durable result at the end.
    pub done: u64,
    /// Given up.
    pub quarantined: u64,
    /// Held by workers.
    pub granted: u64,
    /// Lines that a killed coordinator left torn.
    pub torn: u64,
    /// Why recording ended before the run, if it did.
    pub stopped: Option<String>,
}

/// A trace that is read line by line.
#[derive(Debug, Default)]
pub struct Replay {
    scheduler: Option<Scheduler>,
    /// Spec and epoch of the segment.
    run: Option<(Digest, u64)>,
    /// A line that is only fine if the coordinator was killed while it wrote it.
    torn: Option<(u64, String)>,
    lines: u64,
    segments: u64,
    inputs: u64,
    torn_lines: u64,
    stopped: Option<String>,
}

impl Replay {
    /// Replays the next line.
    ///
    /// # Errors
    /// It is none, or the scheduler does something else.
    pub fn line(&mut self, text: &str) -> Result<(), ReplayError> {
        self.lines += 1;
        let number = self.lines;
        let line = match serde_json::from_str::<Line>(text) {
            Ok(line) => line,
            Err(error) => {
                self.check_torn(number)?;
                self.torn = Some((number, error.to_string()));
                return Ok(());
            }
        };
        match line {
            Line::Open(opening) => self.open(&opening),
            Line::Step(step) => {
                self.check_torn(number)?;
                self.step(step)
            }
            Line::Stopped(reason) => {
                // A coordinator that found no room for its opening says only this.
                self.torn_lines += u64::from(self.torn.take().is_some());
                self.stopped = Some(reason);
                Ok(())
            }
        }
    }

    /// What the lines came to.
    ///
    /// # Errors
    /// There was no opening.
    pub fn finish(mut self) -> Result<Replayed, ReplayError> {
        self.torn_lines += u64::from(self.torn.take().is_some());
        let (segments, inputs, stopped, torn) =
            (self.segments, self.inputs, self.stopped, self.torn_lines);
        if segments == 0 {
            let reason = "no line opens a run: this is no trace".to_owned();
            return Err(ReplayError::Malformed { line: self.lines, reason });
        }
        let of = |count: fn(&Scheduler) -> u64| self.scheduler.as_ref().map_or(0, count);
        Ok(Replayed {
            segments,
            inputs,
            units: of(|scheduler| scheduler.pool.units()),
            done: of(Scheduler::done),
            quarantined: of(|scheduler| scheduler.quarantined.len() as u64),
            granted: of(Scheduler::granted),
            torn,
            stopped,
        })
    }

    /// Refuses a torn line that something else than an opening follows.
    fn check_torn(&mut self, next: u64) -> Result<(), ReplayError> {
        match self.torn.take() {
            None => Ok(()),
            Some((line, reason)) => {
                let reason = format!(
                    "{reason}; only a coordinator that was killed tears a line, and line {next} does not open another"
                );
                Err(ReplayError::Malformed { line, reason })
            }
        }
    }

    fn open(&mut self, opening: &Opening) -> Result<(), ReplayError> {
        let line = self.lines;
        self.torn_lines += u64::from(self.torn.take().is_some());
        let scheduler = opening.scheduler();
        let scheduler = scheduler.map_err(|reason| ReplayError::Malformed { line, reason })?;
        let (spec, epoch) = (opening.spec, opening.epoch);
        if self.run.is_some_and(|(known, last)| known != spec || last >= epoch) {
            let reason = "another run begins here: each output needs a file of its own".to_owned();
            return Err(ReplayError::Malformed { line, reason });
        }
        self.run = Some((spec, epoch));
        if let Some(before) = &self.scheduler {
            let units = before.pool.units().min(scheduler.pool.units());
            let is_open = |scheduler: &Scheduler, unit: u64| {
                scheduler.standing(babelquant_proto::UnitIndex(unit)) == Standing::Open
            };
            let forgotten =
                (0..units).find(|&unit| is_open(&scheduler, unit) && !is_open(before, unit));
            if let Some(unit) = forgotten {
                return Err(ReplayError::Forgotten { line, unit, epoch });
            }
        }
        self.segments += 1;
        self.stopped = None;
        self.scheduler = Some(scheduler);
        Ok(())
    }

    fn step(&mut self, Step { at, input, effects }: Step) -> Result<(), ReplayError> {
        let line = self.lines;
        let open = self.scheduler.as_mut().filter(|_| self.stopped.is_none());
        let Some(scheduler) = open else {
            let reason = "a step where nothing is open".to_owned();
            return Err(ReplayError::Malformed { line, reason });
        };
        let said = input.clone();
        let computed = scheduler.step(at, input);
        if computed != effects {
            let spelled = |effects: &Effects| match effects.is_nothing() {
                true => "nothing".to_owned(),
                false => serde_json::to_string(effects).unwrap_or_default(),
            };
            return Err(ReplayError::Difference {
                line,
                input: serde_json::to_string(&said).unwrap_or_default(),
                recorded: spelled(&effects),
                computed: spelled(&computed),
            });
        }
        self.inputs += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
