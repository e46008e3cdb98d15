//! Answers to Syncs: grants with the texts they need, verdicts, and the patience of a worker that has nothing to do.

use std::collections::BTreeSet;
use std::time::Duration;

use babelquant_proto::message::{Grant, RunState, Session, SyncReply, Verdict, VerdictKind};
use babelquant_proto::{ShardId, UnitIndex};
use tokio::sync::oneshot;

use super::troubles::Kind;
use super::{Owner, Refusal};
use crate::scheduler::Input;

/// A Sync that has been reported and waits for its answer.
pub(super) struct Waiting {
    pub(super) session: Session,
    pub(super) want: u32,
    /// It holds units: it must not wait here while they finish.
    pub(super) busy: bool,
    pub(super) shards: BTreeSet<ShardId>,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) revoked: Vec<UnitIndex>,
    /// Results that are durable once so many entries are.
    pub(super) accepted: Vec<UnitIndex>,
    pub(super) durable_at: u64,
    /// How long it may wait for them.
    pub(super) acknowledged_by: Duration,
    pub(super) deadline: Duration,
    pub(super) reply: Option<oneshot::Sender<Result<SyncReply, Refusal>>>,
}

impl Waiting {
    pub(super) fn new(holding: &[UnitIndex], session: Session, want: u32) -> Self {
        Self {
            session,
            want,
            busy: !holding.is_empty(),
            shards: BTreeSet::new(),
            verdicts: Vec::new(),
            revoked: Vec::new(),
            accepted: Vec::new(),
            durable_at: 0,
            acknowledged_by: Duration::ZERO,
            deadline: Duration::ZERO,
            reply: None,
        }
    }

    /// True where the worker is better served at once.
    fn has_news(&self) -> bool {
        let Self { verdicts, revoked, accepted, .. } = self;
        self.busy
            || self.want == 0
            || !(verdicts.is_empty() && revoked.is_empty() && accepted.is_empty())
    }
}

impl Owner {
    /// Answers everyone who can be answered; the others wait for work.
    pub(super) fn answer_waiting(&mut self) {
        let (now, state) = (self.now(), self.state());
        for mut waiting in std::mem::take(&mut self.waiting) {
            let Some(reply) = waiting.reply.take().filter(|reply| !reply.is_closed()) else {
                continue;
            };
            let is_durable = waiting.accepted.is_empty() || self.durable >= waiting.durable_at;
            let may_be = self.troubles.of(Kind::Commits).is_none() && now < waiting.acknowledged_by;
            if !is_durable && may_be {
                self.waiting.push(Waiting { reply: Some(reply), ..waiting });
                continue;
            }
            let grants = self.grants(&mut waiting, state);
            let leave = self.scheduler.is_drained(waiting.session);
            let ready =
                !grants.is_empty() || leave || waiting.has_news() || now >= waiting.deadline;
            if !ready && state == RunState::Running {
                self.waiting.push(Waiting { reply: Some(reply), ..waiting });
                continue;
            }
            if state.is_complete() || state == RunState::Draining {
                self.told.insert(waiting.session);
            }
            let answer = SyncReply { leave, ..self.answer(waiting, grants, state) };
            drop(reply.send(Ok(answer)));
        }
    }

    fn answer(&self, waiting: Waiting, grants: Vec<Grant>, state: RunState) -> SyncReply {
        let mut verdicts = waiting.verdicts;
        let durable =
            |unit: UnitIndex| Verdict { unit, kind: VerdictKind::Durable, reason: String::new() };
        if self.durable >= waiting.durable_at {
            verdicts.extend(waiting.accepted.into_iter().map(durable));
        }
        SyncReply {
            leave: false,
            grants,
            verdicts,
            revoked: waiting.revoked,
            state,
            next_sync_ms: self.run.options.sync.as_millis() as u32,
        }
    }

    fn grants(&mut self, waiting: &mut Waiting, state: RunState) -> Vec<Grant> {
        // A thousand idle workers wait through many turns: nobody asks for what cannot be had.
        if state != RunState::Running || waiting.want == 0 || !self.scheduler.has_spare() {
            return Vec::new();
        }
        let now = self.listened;
        let ask = Input::Ask { session: waiting.session, want: waiting.want };
        let units = self.scheduler.step(now, ask).grants;
        self.run.live.metrics.granted(units.len());
        units.into_iter().map(|unit| self.grant(unit, &mut waiting.shards)).collect()
    }

    /// The grant of a unit, with its shard's text where the worker does not have it.
    fn grant(&self, unit: UnitIndex, shards: &mut BTreeSet<ShardId>) -> Grant {
        let shard = self.run.spec.unit(unit).and_then(|unit| unit.shard());
        let new = shard.filter(|&shard| shards.insert(shard));
        let text = new.and_then(|shard| self.run.texts.get(&shard)).cloned();
        Grant { unit, text }
    }
}
