//! Calls to the owner and why they are refused, in domain types. Not the wire.

use std::collections::BTreeMap;

use babelquant_proto::message::{Drain, Hello, Session, SyncReply, SyncRequest, Welcome};
use babelquant_proto::{UnitIndex, WIRE_MAJOR};
use thiserror::Error;
use tokio::sync::oneshot;

use super::Room;
use crate::live::Loss;
use crate::store::StoreError;
use crate::verify::Rejection;

/// A message from the service.
pub(crate) enum Call {
    /// A worker introduces itself.
    Register(Hello, oneshot::Sender<Result<Welcome, Refusal>>),
    /// A worker's Sync.
    Sync(Checked, oneshot::Sender<Result<SyncReply, Refusal>>),
    /// An operator's wish; the answer is the names of the live workers that it is about.
    Drain(Drain, oneshot::Sender<Result<Vec<String>, Refusal>>),
}

/// A Sync whose results have been checked against their units.
pub(crate) struct Checked {
    pub(crate) request: SyncRequest,
    /// The results that are none of their unit's.
    pub(crate) rejected: Vec<(UnitIndex, Rejection)>,
    /// What the others say, those of cells.
    pub(crate) losses: BTreeMap<UnitIndex, Loss>,
    /// The room that they have.
    pub(crate) room: Room,
}

/// Why a call is refused.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// Coordinator and worker are of different versions.
    #[error(
        "the coordinator speaks wire version {WIRE_MAJOR}, the worker {0}: use builds of one version"
    )]
    Wire(u32),
    /// The worker's numbers would not be this run's.
    #[error("{0}")]
    Engine(StoreError),
    /// The session is not open (any more).
    #[error("session {} is not open: register again", .0.0)]
    Session(Session),
    /// The storage refuses at present.
    #[error("the output cannot be written at present: {0}")]
    Storage(StoreError),
    /// No worker of such a name is there.
    #[error("no worker is called {glob:?}; there are {}", listed(live))]
    NoWorker {
        /// The names that were wanted.
        glob: String,
        /// The names that there are.
        live: Vec<String>,
    },
    /// Nothing of that spelling was drained.
    #[error("{glob:?} is not drained; drained are {}", listed(drained))]
    NotDrained {
        /// What was to be taken back.
        glob: String,
        /// What is drained.
        drained: Vec<String>,
    },
    /// The names are no glob.
    #[error("{glob:?} is no glob over names of workers: {reason}")]
    Glob {
        /// What was given.
        glob: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The coordinator is leaving.
    #[error("the coordinator is leaving")]
    Leaving,
}

/// Most names in a message.
const NAMES_MAX: usize = 20;

/// Names as a person would say them.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let shown = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown,
        (false, more) => format!("{shown} and {more} more"),
    }
}
