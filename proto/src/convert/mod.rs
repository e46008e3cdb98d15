//! Domain messages ↔ wire messages. Decoding checks everything that a type cannot; nothing else names both worlds.

mod overview;

use thiserror::Error;

use crate::digest::Digest;
use crate::failure::FailureKind;
use crate::message::{
    Drain, Grant, Hello, RunState, Session, SyncReply, SyncRequest, UnitFailure, UnitResult,
    Verdict, VerdictKind, Welcome,
};
use crate::shard::{Document, ShardId, ShardText};
use crate::spec::Spec;
use crate::unit::UnitIndex;
use crate::wire;
use crate::words::Kind;

/// Longest text of a worker that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// A message that breaks the protocol.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// A field is missing or has a value outside its range.
    #[error("field {0} is missing or out of range")]
    Field(&'static str),
    /// The spec is no JSON of a spec.
    #[error("the spec cannot be read")]
    Spec(#[from] serde_json::Error),
}

fn units(indices: Vec<u64>) -> Vec<UnitIndex> {
    indices.into_iter().map(UnitIndex).collect()
}

fn indices(units: &[UnitIndex]) -> Vec<u64> {
    units.iter().map(|unit| unit.0).collect()
}

fn try_all<A, B: TryFrom<A>>(items: Vec<A>) -> Result<Vec<B>, B::Error> {
    items.into_iter().map(B::try_from).collect()
}

fn all<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

/// The text, cut at a character boundary to what is kept.
fn bounded(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
    }
    text
}

impl From<Hello> for wire::Hello {
    fn from(hello: Hello) -> Self {
        Self {
            wire_major: hello.wire_major,
            wire_minor: crate::WIRE_MINOR,
            name: hello.name,
            engine_class: hello.engine_class.to_string(),
            memory_bytes: hello.memory_bytes.unwrap_or_default(),
        }
    }
}

impl TryFrom<wire::Hello> for Hello {
    type Error = ConvertError;

    fn try_from(hello: wire::Hello) -> Result<Self, ConvertError> {
        let engine_class = hello.engine_class.parse();
        Ok(Self {
            wire_major: hello.wire_major,
            name: bounded(hello.name),
            engine_class: engine_class.map_err(|_| ConvertError::Field("engine_class"))?,
            memory_bytes: Some(hello.memory_bytes).filter(|bytes| *bytes > 0),
        })
    }
}

impl TryFrom<Welcome> for wire::Welcome {
    type Error = ConvertError;

    fn try_from(welcome: Welcome) -> Result<Self, ConvertError> {
        Ok(Self {
            session: welcome.session.0,
            spec_json: welcome.spec.to_json()?.into(),
            lease_ms: welcome.lease_ms,
            sync_ms: welcome.sync_ms,
        })
    }
}

impl TryFrom<wire::Welcome> for Welcome {
    type Error = ConvertError;

    fn try_from(welcome: wire::Welcome) -> Result<Self, ConvertError> {
        Ok(Self {
            session: Session(welcome.session),
            spec: Spec::from_json(&welcome.spec_json)?,
            lease_ms: welcome.lease_ms,
            sync_ms: welcome.sync_ms,
        })
    }
}

impl From<SyncRequest> for wire::SyncRequest {
    fn from(request: SyncRequest) -> Self {
        Self {
            session: request.session.0,
            want: request.want,
            holding: indices(&request.holding),
            shards: all(request.shards),
            results: all(request.results),
            failures: all(request.failures),
            released: indices(&request.released),
            draining: request.draining,
        }
    }
}

impl TryFrom<wire::SyncRequest> for SyncRequest {
    type Error = ConvertError;

    fn try_from(request: wire::SyncRequest) -> Result<Self, ConvertError> {
        Ok(Self {
            session: Session(request.session),
            want: request.want,
            holding: units(request.holding),
            shards: all(request.shards),
            results: try_all(request.results)?,
            failures: try_all(request.failures)?,
            released: units(request.released),
            draining: request.draining,
        })
    }
}

impl From<ShardId> for wire::ShardId {
    fn from(id: ShardId) -> Self {
        Self { language: id.language, shard: id.shard }
    }
}

impl From<wire::ShardId> for ShardId {
    fn from(id: wire::ShardId) -> Self {
        Self { language: id.language, shard: id.shard }
    }
}

impl From<UnitResult> for wire::UnitResult {
    fn from(result: UnitResult) -> Self {
        let blake3 = bytes::Bytes::copy_from_slice(result.blake3.as_bytes());
        Self { unit: result.unit.0, blake3, ipc: result.ipc }
    }
}

impl TryFrom<wire::UnitResult> for UnitResult {
    type Error = ConvertError;

    fn try_from(result: wire::UnitResult) -> Result<Self, ConvertError> {
        let blake3 = Digest::from_slice(&result.blake3).ok_or(ConvertError::Field("blake3"))?;
        Ok(Self { unit: UnitIndex(result.unit), blake3, ipc: result.ipc })
    }
}

impl From<UnitFailure> for wire::UnitFailure {
    fn from(failure: UnitFailure) -> Self {
        let kind = wire::FailureKind::from(failure.kind);
        Self { unit: failure.unit.0, kind: kind.into(), detail: failure.detail }
    }
}

impl TryFrom<wire::UnitFailure> for UnitFailure {
    type Error = ConvertError;

    fn try_from(failure: wire::UnitFailure) -> Result<Self, ConvertError> {
        let kind = failure.kind().try_into()?;
        Ok(Self { unit: UnitIndex(failure.unit), kind, detail: bounded(failure.detail) })
    }
}

impl From<SyncReply> for wire::SyncReply {
    fn from(reply: SyncReply) -> Self {
        Self {
            grants: all(reply.grants),
            verdicts: all(reply.verdicts),
            revoked: indices(&reply.revoked),
            state: wire::RunState::from(reply.state).into(),
            next_sync_ms: reply.next_sync_ms,
            leave: reply.leave,
        }
    }
}

impl TryFrom<wire::SyncReply> for SyncReply {
    type Error = ConvertError;

    fn try_from(reply: wire::SyncReply) -> Result<Self, ConvertError> {
        let state = reply.state().try_into()?;
        Ok(Self {
            grants: try_all(reply.grants)?,
            verdicts: try_all(reply.verdicts)?,
            revoked: units(reply.revoked),
            state,
            next_sync_ms: reply.next_sync_ms,
            leave: reply.leave,
        })
    }
}

impl From<Grant> for wire::Grant {
    fn from(grant: Grant) -> Self {
        Self { unit: grant.unit.0, text: grant.text.map(Into::into) }
    }
}

impl TryFrom<wire::Grant> for Grant {
    type Error = ConvertError;

    fn try_from(grant: wire::Grant) -> Result<Self, ConvertError> {
        let text = grant.text.map(ShardText::try_from).transpose()?;
        Ok(Self { unit: UnitIndex(grant.unit), text })
    }
}

impl From<ShardText> for wire::ShardText {
    fn from(text: ShardText) -> Self {
        Self { id: Some(text.id.into()), documents: all(text.documents) }
    }
}

impl TryFrom<wire::ShardText> for ShardText {
    type Error = ConvertError;

    fn try_from(text: wire::ShardText) -> Result<Self, ConvertError> {
        let id = text.id.ok_or(ConvertError::Field("text.id"))?;
        Ok(Self { id: id.into(), documents: all(text.documents) })
    }
}

impl From<Document> for wire::Document {
    fn from(document: Document) -> Self {
        let Document { index, id, group, text } = document;
        Self { index, id, group, text }
    }
}

impl From<wire::Document> for Document {
    fn from(document: wire::Document) -> Self {
        let wire::Document { index, id, group, text } = document;
        Self { index, id, group, text }
    }
}

impl From<Verdict> for wire::Verdict {
    fn from(verdict: Verdict) -> Self {
        let kind = wire::VerdictKind::from(verdict.kind);
        Self { unit: verdict.unit.0, kind: kind.into(), reason: verdict.reason }
    }
}

impl TryFrom<wire::Verdict> for Verdict {
    type Error = ConvertError;

    fn try_from(verdict: wire::Verdict) -> Result<Self, ConvertError> {
        let kind = verdict.kind().try_into()?;
        Ok(Self { unit: UnitIndex(verdict.unit), kind, reason: verdict.reason })
    }
}

impl From<Drain> for wire::DrainRequest {
    fn from(drain: Drain) -> Self {
        match drain {
            Drain::Run => Self { workers: None, undo: false },
            Drain::Workers(glob) => Self { workers: Some(glob), undo: false },
            Drain::Undo(glob) => Self { workers: Some(glob), undo: true },
        }
    }
}

impl TryFrom<wire::DrainRequest> for Drain {
    type Error = ConvertError;

    fn try_from(request: wire::DrainRequest) -> Result<Self, ConvertError> {
        match (request.workers, request.undo) {
            (None, false) => Ok(Self::Run),
            (Some(glob), false) => Ok(Self::Workers(bounded(glob))),
            (Some(glob), true) => Ok(Self::Undo(bounded(glob))),
            (None, true) => Err(ConvertError::Field("workers")),
        }
    }
}

/// A closed set on both sides: one line a value, an unspecified value is an error.
macro_rules! closed_set {
    ($domain:ty, $wire:ty, $field:literal, $($value:ident),+) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$value => Self::$value,)+
                }
            }
        }

        impl TryFrom<$wire> for $domain {
            type Error = ConvertError;

            fn try_from(value: $wire) -> Result<Self, ConvertError> {
                match value {
                    $(<$wire>::$value => Ok(Self::$value),)+
                    <$wire>::Unspecified => Err(ConvertError::Field($field)),
                }
            }
        }
    };
}

closed_set!(
    FailureKind,
    wire::FailureKind,
    "kind",
    InvalidUnit,
    OutOfMemory,
    Crash,
    Timeout,
    ModelUnavailable
);
closed_set!(
    VerdictKind,
    wire::VerdictKind,
    "kind",
    Durable,
    DuplicateSame,
    DuplicateDifferent,
    Rejected
);
closed_set!(
    RunState,
    wire::RunState,
    "state",
    Running,
    Degraded,
    Draining,
    Complete,
    CompleteWithQuarantine
);
closed_set!(Kind, wire::UnitKind, "kind", Weights, Quantization, Baseline, Cell);
