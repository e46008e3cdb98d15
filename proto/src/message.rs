//! What coordinator and worker say to each other, in domain types. `convert` turns them into wire types and back.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::engine_class::EngineClass;
use crate::failure::FailureKind;
use crate::shard::{ShardId, ShardText};
use crate::spec::Spec;
use crate::unit::UnitIndex;

/// A session of one worker with one coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session(pub u64);

/// A worker's introduction.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    /// Major version of its wire.
    pub wire_major: u32,
    /// Its name for logs.
    pub name: String,
    /// What makes its numbers.
    pub engine_class: EngineClass,
    /// Memory that its computations may take, in bytes, where it knows.
    pub memory_bytes: Option<u64>,
}

/// The coordinator's answer to a [`Hello`].
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    /// The session.
    pub session: Session,
    /// The spec of the run.
    pub spec: Spec,
    /// A worker that is silent for this long loses its grants.
    pub lease_ms: u32,
    /// How often to Sync while computing.
    pub sync_ms: u32,
}

/// A worker's whole state and its news.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncRequest {
    /// The session.
    pub session: Session,
    /// Units wanted beyond those held.
    pub want: u32,
    /// Units granted and neither resolved nor given back.
    pub holding: Vec<UnitIndex>,
    /// Shards whose text the worker has.
    pub shards: Vec<ShardId>,
    /// Finished units.
    pub results: Vec<UnitResult>,
    /// Failed units.
    pub failures: Vec<UnitFailure>,
    /// Units given back uncomputed.
    pub released: Vec<UnitIndex>,
    /// The worker takes no more work.
    pub draining: bool,
}

impl SyncRequest {
    /// What a worker says that has just joined: it holds nothing and wants so many units.
    pub fn new(session: Session, want: u32) -> Self {
        Self {
            session,
            want,
            holding: Vec::new(),
            shards: Vec::new(),
            results: Vec::new(),
            failures: Vec::new(),
            released: Vec::new(),
            draining: false,
        }
    }
}

/// A finished unit.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitResult {
    /// The unit.
    pub unit: UnitIndex,
    /// BLAKE3 of `ipc`.
    pub blake3: Digest,
    /// Its rows (`rows::encode`).
    pub ipc: Bytes,
}

/// A failed unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFailure {
    /// The unit.
    pub unit: UnitIndex,
    /// Why, in one word.
    pub kind: FailureKind,
    /// Why, in a sentence.
    pub detail: String,
}

/// The coordinator's answer to a [`SyncRequest`].
#[derive(Debug, Clone, PartialEq)]
pub struct SyncReply {
    /// New work.
    pub grants: Vec<Grant>,
    /// Verdicts on results; durable ones are durable.
    pub verdicts: Vec<Verdict>,
    /// Held units that somebody else finished.
    pub revoked: Vec<UnitIndex>,
    /// How the run is.
    pub state: RunState,
    /// When to Sync again at the latest.
    pub next_sync_ms: u32,
    /// The operator wants this worker to leave.
    pub leave: bool,
}

/// A unit lent to a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The unit.
    pub unit: UnitIndex,
    /// Its shard's text, if the worker does not have it.
    pub text: Option<ShardText>,
}

/// What became of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The unit.
    pub unit: UnitIndex,
    /// What became of it.
    pub kind: VerdictKind,
    /// Why it was rejected; else empty.
    pub reason: String,
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictKind {
    /// It is on durable storage.
    Durable,
    /// An identical result was there already.
    DuplicateSame,
    /// A result with other bytes was there already: an incident; the first one is kept.
    DuplicateDifferent,
    /// It is no valid result of the unit.
    Rejected,
}

/// How a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Units are granted.
    Running,
    /// Results cannot be made durable at present; nothing is granted.
    Degraded,
    /// The coordinator is leaving and will come back.
    Draining,
    /// Every unit is done.
    Complete,
    /// Every unit is done or quarantined.
    CompleteWithQuarantine,
}

impl RunState {
    /// True when no more work will come.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Complete | Self::CompleteWithQuarantine)
    }
}

/// What an operator wants to leave a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drain {
    /// The coordinator: it commits what it has, tells everyone and ends; started again, it goes on.
    Run,
    /// The workers whose names this glob matches, now and when they come again.
    Workers(String),
    /// Nobody any more: takes back an earlier drain of this glob.
    Undo(String),
}
