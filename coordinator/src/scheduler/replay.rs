//! A trace that is read again: within a segment the same inputs must have the same effects, and from one segment to the next whatever was
//! durable must still be closed. Not how lines are written (`trace`).

use babelquant_proto::{Digest, UnitIndex};
use serde::Serialize;
use thiserror::Error;

use super::Scheduler;
use super::step::{Effects, Standing};
use super::trace::{Line, Opening, Step};

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
                scheduler.standing(UnitIndex(unit)) == Standing::Open
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
