//! What a service may be told, and how it ends. Not the study.

use std::time::Duration;

use crate::scheduler::STRAGGLING;

/// The times and limits of a service, which tests shrink, and whom it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A worker that is silent for this long loses its grants.
    pub lease: Duration,
    /// How long after a restart workers of the earlier coordinator may come back with what it lent them.
    pub returning: Duration,
    /// A unit that is held for longer, and for longer than twice the usual, may be lent to a second worker that has nothing to do.
    pub straggling: Duration,
    /// How often a busy worker should Sync.
    pub sync: Duration,
    /// How long an idle worker's Sync may wait for work.
    pub poll: Duration,
    /// How often leases are looked at and a failed commit is tried again.
    pub tick: Duration,
    /// How long results may fail to become durable before the run stops, unfinished.
    pub patience: Duration,
    /// How long workers may take to hear that the run is complete.
    pub linger: Duration,
    /// How many bytes of results may be here that are not durable.
    pub intake_bytes: u32,
    /// Workers of several engine classes may serve the run: rows name theirs, and two runs need not give the same bytes.
    pub mixed_engines: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            returning: Duration::from_secs(15),
            straggling: STRAGGLING,
            sync: Duration::from_secs(5),
            poll: Duration::from_secs(2),
            tick: Duration::from_millis(500),
            patience: Duration::from_secs(600),
            linger: Duration::from_secs(10),
            intake_bytes: 256 << 20,
            mixed_engines: false,
        }
    }
}

impl Options {
    /// How long the storage may say nothing, and a worker wait for its acknowledgements: well within a lease, which its next Sync renews.
    pub(super) fn silence(&self) -> Duration {
        self.lease / 3
    }
}

/// How a service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every unit is done, but for so many that are quarantined.
    Complete {
        /// Quarantined units.
        quarantined: u64,
    },
    /// It was asked to stop, or could not store results; the same command goes on.
    Unfinished {
        /// Why.
        reason: String,
    },
}
