//! What a worker holds: granted units, finished results that are not acknowledged, shard texts. Pure; no network, no engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use babelquant_proto::message::{SyncReply, SyncRequest, UnitFailure, UnitResult, VerdictKind};
use babelquant_proto::{FailureKind, ShardId, ShardText, Spec, UnitIndex};
use tracing::{debug, error, warn};

use crate::engine::Job;
use crate::error::Error;

/// Units of one job: they share each tile of the baseline's logits.
const JOB_UNITS: usize = 8;
/// Bytes of results in one Sync; the rest goes with the next.
const RESULT_BYTES_MAX: usize = 8 << 20;

/// Everything that a worker has been lent or has made.
#[derive(Debug)]
pub(super) struct Hold {
    slots: usize,
    units: BTreeMap<UnitIndex, State>,
    released: Vec<UnitIndex>,
    texts: BTreeMap<ShardId, Arc<ShardText>>,
    busy: bool,
}

#[derive(Debug)]
enum State {
    Queued,
    Computing,
    Done(UnitResult),
    Failed(UnitFailure),
}

/// What a Sync told: to be dropped when it got through.
#[derive(Debug)]
pub(super) struct Told {
    failures: Vec<UnitIndex>,
    released: Vec<UnitIndex>,
}

impl Hold {
    pub(super) fn new(slots: usize) -> Self {
        let (units, texts) = (BTreeMap::new(), BTreeMap::new());
        Self { slots, units, released: Vec::new(), texts, busy: false }
    }

    /// How many more units the worker wants: its slots less what is not computed yet, and nothing while as many results
    /// wait for their verdict.
    pub(super) fn want(&self) -> u32 {
        let waiting = self.units.values().filter(|state| matches!(state, State::Done(_))).count();
        let open = self.units.len() - waiting;
        if waiting > 4 * self.slots {
            return 0;
        }
        u32::try_from(self.slots.saturating_sub(open)).unwrap_or(u32::MAX)
    }

    pub(super) fn units(&self) -> Vec<UnitIndex> {
        self.units.keys().copied().collect()
    }

    pub(super) fn shards(&self) -> Vec<ShardId> {
        self.texts.keys().copied().collect()
    }

    pub(super) fn results(&self) -> Vec<UnitResult> {
        let mut bytes = 0;
        let done = self.units.values().filter_map(|state| match state {
            State::Done(result) => Some(result),
            State::Queued | State::Computing | State::Failed(_) => None,
        });
        done.take_while(|result| {
            let first = bytes == 0;
            bytes += result.ipc.len();
            first || bytes <= RESULT_BYTES_MAX
        })
        .cloned()
        .collect()
    }

    pub(super) fn failures(&self) -> Vec<UnitFailure> {
        let failed = self.units.values().filter_map(|state| match state {
            State::Failed(failure) => Some(failure),
            State::Queued | State::Computing | State::Done(_) => None,
        });
        failed.cloned().collect()
    }

    pub(super) fn released(&self) -> Vec<UnitIndex> {
        self.released.clone()
    }

    /// True where the coordinator should hear at once: half of the slots are free, or the engine has nothing to do.
    pub(super) fn is_worth_telling(&self) -> bool {
        let queued = self.units.values().any(|state| matches!(state, State::Queued));
        let news = self.units.values().any(|s| matches!(s, State::Done(_) | State::Failed(_)));
        (news && self.want() as usize * 2 >= self.slots) || (!self.busy && !queued)
    }

    /// The next job for an idle engine: queued units of one lane, in order.
    pub(super) fn next_job(&mut self, spec: &Spec) -> Option<Job> {
        if self.busy {
            return None;
        }
        let queued =
            |(unit, state): (&UnitIndex, &State)| matches!(state, State::Queued).then_some(*unit);
        let first = self.units.iter().find_map(queued)?;
        let lane = spec.lane(first);
        let lane = self.units.range(first..UnitIndex(lane.end)).filter_map(queued);
        let units: Vec<UnitIndex> = lane.take(JOB_UNITS).collect();
        for unit in &units {
            self.units.insert(*unit, State::Computing);
        }
        self.busy = true;
        let shard = spec.unit(first).and_then(|unit| unit.shard());
        let text = shard.and_then(|shard| self.texts.get(&shard)).cloned();
        Some(Job { units, text })
    }

    pub(super) fn idle(&mut self) {
        self.busy = false;
    }

    /// Keeps a result, unless the unit was given back meanwhile.
    pub(super) fn finish(&mut self, result: UnitResult) {
        if let Some(state) = self.units.get_mut(&result.unit) {
            *state = State::Done(result);
        }
    }

    pub(super) fn fail(&mut self, failure: UnitFailure) {
        if let Some(state) = self.units.get_mut(&failure.unit) {
            *state = State::Failed(failure);
        }
    }

    /// True where the engine has units that it has not finished.
    pub(super) fn is_computing(&self) -> bool {
        self.units.values().any(|state| matches!(state, State::Computing))
    }

    /// What is being computed has taken too long.
    pub(super) fn fail_computing(&mut self, detail: &str) {
        let kind = FailureKind::Timeout;
        for (&unit, state) in &mut self.units {
            if matches!(state, State::Computing) {
                *state = State::Failed(UnitFailure { unit, kind, detail: detail.to_owned() });
            }
        }
    }

    /// True where it holds no unit: a Sync that says so, and gives back the rest, is the last one of a worker that leaves.
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Gives back everything that is not computed.
    pub(super) fn release_all(&mut self) {
        self.release(|state| matches!(state, State::Queued | State::Computing));
    }

    /// Gives back what the engine has not begun.
    pub(super) fn release_queued(&mut self) {
        self.release(|state| matches!(state, State::Queued));
    }

    fn release(&mut self, given_back: impl Fn(&State) -> bool) {
        let open = self.units.iter().filter(|(_, state)| given_back(state));
        let open: Vec<_> = open.map(|(unit, _)| *unit).collect();
        for unit in open {
            self.units.remove(&unit);
            self.released.push(unit);
        }
    }

    pub(super) fn told(&self, request: &SyncRequest) -> Told {
        let failures = request.failures.iter().map(|failure| failure.unit).collect();
        Told { failures, released: request.released.clone() }
    }

    /// Takes in a reply: forgets what is settled, queues what is granted.
    pub(super) fn apply(
        &mut self,
        told: Told,
        reply: &SyncReply,
        spec: &Spec,
    ) -> Result<(), Error> {
        self.released.retain(|unit| !told.released.contains(unit));
        for unit in told.failures {
            self.units.remove(&unit);
        }
        for verdict in &reply.verdicts {
            self.units.remove(&verdict.unit);
            let (unit, reason) = (verdict.unit.0, &verdict.reason);
            debug!(unit, verdict = ?verdict.kind, "settled");
            match verdict.kind {
                VerdictKind::Durable | VerdictKind::DuplicateSame => {}
                VerdictKind::DuplicateDifferent => error!(unit, "another worker's result differs"),
                VerdictKind::Rejected => error!(unit, %reason, "the result was rejected"),
            }
        }
        for unit in &reply.revoked {
            if matches!(self.units.get(unit), Some(State::Queued)) {
                self.units.remove(unit);
            }
        }
        self.take_grants(reply, spec)
    }

    fn take_grants(&mut self, reply: &SyncReply, spec: &Spec) -> Result<(), Error> {
        for grant in &reply.grants {
            if let Some(text) = &grant.text {
                check_text(text, spec)?;
                self.texts.insert(text.id, Arc::new(text.clone()));
            }
            let Some(unit) = spec.unit(grant.unit) else {
                warn!(unit = grant.unit.0, "granted a unit that the spec does not have");
                continue;
            };
            if unit.shard().is_none_or(|shard| self.texts.contains_key(&shard)) {
                self.units.entry(grant.unit).or_insert(State::Queued);
            }
        }
        let needed = |shard: &ShardId| {
            self.units.keys().any(|&unit| spec.unit(unit).and_then(|u| u.shard()) == Some(*shard))
        };
        let unneeded: Vec<_> = self.texts.keys().filter(|shard| !needed(shard)).copied().collect();
        for shard in unneeded {
            self.texts.remove(&shard);
        }
        Ok(())
    }
}

/// A shard's text must be the spec's, to the byte.
fn check_text(text: &ShardText, spec: &Spec) -> Result<(), Error> {
    let ShardId { language, shard } = text.id;
    let known = spec.corpus.get(language as usize).and_then(|c| c.shards.get(shard as usize));
    let digest = ShardText::digest_of(&text.documents);
    if known.is_some_and(|known| known.digest == digest) {
        return Ok(());
    }
    Err(Error::Mismatch(format!(
        "the text of shard {shard} of language {language} is not the spec's"
    )))
}

#[cfg(test)]
mod tests;
