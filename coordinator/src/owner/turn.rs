//! One turn of the owner: a group of calls goes to the scheduler, the store gets what follows, then everyone who can be answered is. Not the
//! loop.

use std::collections::BTreeMap;

use babelquant_proto::message::{UnitResult, Verdict, VerdictKind};
use babelquant_proto::{Digest, FailureKind, UnitIndex};

use super::answer::Waiting;
use super::{Call, Checked, Occasion, Owner, Refusal};
use crate::scheduler::{Input, Record, Report, Standing};
use crate::store::{Entry, StoreError};

impl Owner {
    /// Handles a group of calls.
    pub(super) async fn turn(
        &mut self,
        occasion: Occasion,
        calls: &mut Vec<Call>,
    ) -> Result<(), StoreError> {
        self.run.live.turn();
        self.listen();
        for call in calls.drain(..) {
            match call {
                Call::Register(hello, reply) => self.answer_register(hello, reply).await?,
                Call::Sync(checked, reply) => match self.report(checked).await? {
                    Ok(waiting) => self.waiting.push(Waiting { reply: Some(reply), ..waiting }),
                    Err(refusal) => drop(reply.send(Err(refusal))),
                },
                Call::Drain(drain, reply) => {
                    let answer = self.drain(drain);
                    // Whoever drained and then looks finds it done.
                    self.publish();
                    drop(reply.send(answer));
                }
            }
        }
        let now = self.listened;
        let records = self.scheduler.step(now, Input::Tick).records;
        self.run.live.metrics.leases_expired(records.len());
        self.enter(records, &mut BTreeMap::new());
        self.notice_silence();
        self.write_next(occasion);
        self.answer_waiting();
        Ok(())
    }

    /// Sets the scheduler's time, and says where calls have had to wait.
    fn listen(&mut self) {
        let missed = self.clock.missed();
        self.listened = self.clock.at(self.now());
        let seconds = (self.clock.missed() - missed).as_secs_f64();
        if seconds > 0.0 {
            tracing::warn!(
                seconds,
                "calls had to wait: this process stood still, or its storage is slow"
            );
        }
    }

    /// Tells the scheduler what a worker says; the worker's answer waits for the commit.
    async fn report(&mut self, checked: Checked) -> Result<Result<Waiting, Refusal>, StoreError> {
        let Checked { request, rejected, losses, room } = checked;
        if !self.scheduler.knows(request.session) {
            return Ok(Err(Refusal::Session(request.session)));
        }
        let mut failures = Vec::new();
        let worker = self.scheduler.worker(request.session).to_owned();
        for failure in request.failures {
            let (unit, detail) = (failure.unit, &failure.detail);
            tracing::warn!(%unit, kind = %failure.kind, worker, detail, "a unit failed");
            self.details.keep(unit, &worker, detail);
            self.run.live.metrics.failed(failure.kind);
            failures.push((failure.unit, failure.kind));
        }
        let mut waiting = Waiting::new(&request.holding, request.session, request.want);
        waiting.shards = request.shards.into_iter().collect();
        waiting.deadline = self.now() + self.run.options.poll;
        waiting.acknowledged_by = self.now() + self.run.options.silence();
        for (unit, rejection) in rejected {
            tracing::error!(%unit, worker, %rejection, "a result was rejected");
            self.details.keep(unit, &worker, &rejection.to_string());
            failures.push((unit, FailureKind::Crash));
            let reason = rejection.to_string();
            waiting.verdicts.push(Verdict { unit, kind: VerdictKind::Rejected, reason });
        }
        let mut results = BTreeMap::new();
        for result in request.results {
            match self.verdict(&worker, &result).await {
                Ok(Some(verdict)) => waiting.verdicts.push(verdict),
                Ok(None) => drop(results.insert(result.unit, result)),
                // It will be sent again.
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
        }
        let session = request.session;
        let report = Report {
            session,
            holding: request.holding,
            finished: results.keys().copied().collect(),
            failures,
            released: request.released,
            draining: request.draining,
        };
        let now = self.listened;
        let held = self.held(now, session, results.keys());
        let effects = self.scheduler.step(now, Input::Report(report));
        waiting.revoked = effects.revoked;
        waiting.accepted = self.enter(effects.records, &mut results);
        waiting.durable_at = self.entered;
        if !waiting.accepted.is_empty() {
            self.rooms.push_back((self.entered, room));
        }
        self.show_report((session, &waiting), &held, losses);
        Ok(Ok(waiting))
    }

    /// What became of a result that cannot be accepted any more; `None` where its unit is open.
    async fn verdict(
        &mut self,
        worker: &str,
        result: &UnitResult,
    ) -> Result<Option<Verdict>, StoreError> {
        let unit = result.unit;
        let verdict = |kind, reason: &str| Some(Verdict { unit, kind, reason: reason.to_owned() });
        Ok(match self.scheduler.standing(unit) {
            Standing::Open => None,
            Standing::Unknown => verdict(VerdictKind::Rejected, "the study has no such unit"),
            Standing::Quarantined(_) => verdict(VerdictKind::Rejected, "the unit is quarantined"),
            Standing::Done if self.durable_digest(unit).await? == Some(result.blake3) => {
                verdict(VerdictKind::DuplicateSame, "")
            }
            Standing::Done if self.is_mixed() => {
                tracing::info!(%unit, worker, "two results of one unit differ, as those of two engines may; the first one is kept");
                verdict(VerdictKind::DuplicateSame, "")
            }
            Standing::Done => {
                tracing::error!(%unit, worker, "two results of one unit differ; the first one is kept");
                verdict(VerdictKind::DuplicateDifferent, "another result is durable already")
            }
        })
    }

    /// The digest of a durable result. Nobody waits for it: while the store is at work or the storage fails there is none.
    async fn durable_digest(&mut self, unit: UnitIndex) -> Result<Option<Digest>, StoreError> {
        let patience = self.run.options.silence();
        let silent = || self.run.output.silent(patience);
        let Some(store) = self.writer.idle() else { return Err(silent()) };
        if let Some(digest) = store.waiting_digest(unit) {
            return Ok(Some(digest));
        }
        // It stands in a file: reading it would hold up a part that is being written.
        if self.writer.is_compacting() || self.troubles.oldest().is_some() {
            return Err(silent());
        }
        tokio::time::timeout(patience, store.digest(unit)).await.map_err(|_| silent())?
    }

    /// Turns records into entries of the backlog; returns the units whose results are among them.
    fn enter(
        &mut self,
        records: Vec<Record>,
        results: &mut BTreeMap<UnitIndex, UnitResult>,
    ) -> Vec<UnitIndex> {
        let mut accepted = Vec::new();
        let before = self.backlog.len();
        for record in records {
            match record {
                Record::Done { unit } => {
                    let Some(UnitResult { blake3: digest, ipc: payload, .. }) =
                        results.remove(&unit)
                    else {
                        self.run.live.metrics.violated();
                        continue;
                    };
                    self.details.forget(unit);
                    self.backlog.push(Entry::Result { unit, digest, payload });
                    accepted.push(unit);
                }
                Record::Charge { unit, worker, fault } => {
                    tracing::warn!(%unit, worker, %fault, "a unit is charged");
                    self.backlog.push(Entry::Charge { unit, worker, fault });
                }
                Record::Quarantine { unit, fault } => {
                    tracing::error!(%unit, %fault, "a unit is quarantined");
                    self.backlog.push(Entry::Quarantine { unit, fault });
                }
            }
        }
        self.entered += (self.backlog.len() - before) as u64;
        accepted
    }
}
