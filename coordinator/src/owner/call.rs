//! Calls to the owner and why they are refused, in domain types. Not the wire.

use babelquant_proto::message::{Hello, Session, SyncReply, SyncRequest, Welcome};
use babelquant_proto::{UnitIndex, WIRE_MAJOR};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::verify::Rejection;

/// A message from the service.
pub(crate) enum Call {
    /// A worker introduces itself.
    Register(Hello, oneshot::Sender<Result<Welcome, Refusal>>),
    /// A worker's Sync.
    Sync(Checked, oneshot::Sender<Result<SyncReply, Refusal>>),
}

/// A Sync whose results have been checked against their units.
pub(crate) struct Checked {
    pub(crate) request: SyncRequest,
    /// The results that are none of their unit's.
    pub(crate) rejected: Vec<(UnitIndex, Rejection)>,
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
    /// The coordinator is leaving.
    #[error("the coordinator is leaving")]
    Leaving,
}
