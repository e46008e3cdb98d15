//! What a worker is told from outside. Not the study: that comes from the coordinator.

use std::time::Duration;

use babelquant_proto::CoordinatorFile;
use babelquant_proto::credentials::{Credentials, Dial};

use crate::cache::Cache;
use crate::engine::Device;
use crate::eval::Places;

/// Where a coordinator is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// At this address, `http://HOST:PORT`.
    Url(String),
    /// At the address in this file, which may change.
    File(CoordinatorFile),
}

/// How a worker runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the coordinator is.
    pub coordinator: Address,
    /// How connections to it are made.
    pub dial: Dial,
    /// What the coordinator is shown.
    pub credentials: Credentials,
    /// Where models are looked for.
    pub places: Places,
    /// What to compute on.
    pub device: Device,
    /// Refuse units that need more memory than this, in bytes; no bound where absent.
    pub memory_bytes: Option<u64>,
    /// Where calibration's moments are kept; nowhere where absent.
    pub cache: Option<Cache>,
    /// Units held at a time.
    pub slots: usize,
    /// Name in the coordinator's logs. Workers of one name count as one: where a unit breaks, and who may be drained.
    pub name: String,
    /// Any number; workers of different ones do not call at the same moments when the coordinator is out of reach.
    pub jitter: u64,
    /// A unit that the engine has not finished after so long has failed, and the worker leaves: its engine hangs.
    pub unit_timeout: Duration,
    /// Leave when the coordinator has been out of reach for so long.
    pub give_up: Duration,
}
