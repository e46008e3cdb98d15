//! A Sync and its reply, with everything that they carry.

use super::{ConvertError, all, bounded, try_all};
use crate::digest::Digest;
use crate::message::{Grant, Session, SyncReply, SyncRequest, UnitFailure, UnitResult, Verdict};
use crate::shard::{Document, ShardId, ShardText};
use crate::unit::UnitIndex;
use crate::wire;

fn units(indices: Vec<u64>) -> Vec<UnitIndex> {
    indices.into_iter().map(UnitIndex).collect()
}

fn indices(units: &[UnitIndex]) -> Vec<u64> {
    units.iter().map(|unit| unit.0).collect()
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
