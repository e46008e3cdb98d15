//! One turn of the owner: a group of calls goes to the scheduler, what follows is committed as one object, then everyone who
//! can be answered is. Not the loop.

use std::collections::BTreeMap;

use babelquant_proto::message::{UnitResult, Verdict, VerdictKind};
use babelquant_proto::{FailureKind, UnitIndex};

use super::answer::Waiting;
use super::show::show;
use super::{Call, Checked, Failing, Owner, Refusal};
use crate::scheduler::{Input, Record, Report, Standing};
use crate::store::{Entry, StoreError};

/// Results in one commit: what the storage takes at once, and far below the 2 GiB that a column of the journal's format holds. One result
/// is never longer.
const COMMIT_BYTES_MAX: usize = 256 << 20;

/// How many entries of the backlog make the next commit, and their bytes; the first one always.
fn first_commit(backlog: &[Entry]) -> (usize, usize) {
    let mut bytes = 0;
    for (count, entry) in backlog.iter().enumerate() {
        if count > 0 && bytes + entry.bytes() > COMMIT_BYTES_MAX {
            return (count, bytes);
        }
        bytes += entry.bytes();
    }
    (backlog.len(), bytes)
}

impl Owner {
    /// Handles a group of calls.
    pub(super) async fn turn(&mut self, calls: &mut Vec<Call>) -> Result<(), StoreError> {
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
        self.store_all().await?;
        self.answer_waiting();
        self.complete_if_closed().await?;
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
        let Checked { request, rejected, losses } = checked;
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
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
        }
        let report = Report {
            session: request.session,
            holding: request.holding,
            finished: results.keys().copied().collect(),
            failures,
            released: request.released,
            draining: request.draining,
        };
        let now = self.listened;
        let held = self.held(now, report.session, results.keys());
        let effects = self.scheduler.step(now, Input::Report(report));
        waiting.revoked = effects.revoked;
        waiting.accepted = self.enter(effects.records, &mut results);
        self.show_report(&waiting, &held, losses);
        Ok(Ok(waiting))
    }

    /// What became of a result that cannot be accepted any more; `None` where its unit is open.
    async fn verdict(
        &self,
        worker: &str,
        result: &UnitResult,
    ) -> Result<Option<Verdict>, StoreError> {
        let unit = result.unit;
        let verdict = |kind, reason: &str| Some(Verdict { unit, kind, reason: reason.to_owned() });
        Ok(match self.scheduler.standing(unit) {
            Standing::Open => None,
            Standing::Unknown => verdict(VerdictKind::Rejected, "the study has no such unit"),
            Standing::Quarantined(_) => verdict(VerdictKind::Rejected, "the unit is quarantined"),
            Standing::Done if self.store.digest(unit).await? == Some(result.blake3) => {
                verdict(VerdictKind::DuplicateSame, "")
            }
            Standing::Done => {
                tracing::error!(%unit, worker, "two results of one unit differ; the first one is kept");
                verdict(VerdictKind::DuplicateDifferent, "another result is durable already")
            }
        })
    }

    /// Turns records into entries of the backlog; returns the units whose results are among them.
    fn enter(
        &mut self,
        records: Vec<Record>,
        results: &mut BTreeMap<UnitIndex, UnitResult>,
    ) -> Vec<UnitIndex> {
        let mut accepted = Vec::new();
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
        accepted
    }

    /// Commits the backlog and writes the parts that are complete. Where the storage refuses, what is not committed stays as it is and the
    /// run is degraded until a later turn succeeds.
    async fn store_all(&mut self) -> Result<(), StoreError> {
        let stored = async {
            let live = &self.run.live;
            live.metrics.in_flight(self.backlog.iter().map(Entry::bytes).sum());
            while !self.backlog.is_empty() {
                let (count, bytes) = first_commit(&self.backlog);
                let before = self.now();
                self.store.commit(self.backlog[..count].to_vec()).await?;
                let took = self.now().saturating_sub(before);
                tracing::debug!(records = count, "committed");
                live.metrics.committed(bytes, took);
                let mut records = Vec::new();
                for entry in self.backlog.drain(..count) {
                    show(live, &entry, self.losses.remove(&entry.unit()));
                    records.push(entry.record());
                }
                self.scheduler.step(self.listened, Input::Durable(records));
                live.metrics.in_flight(self.backlog.iter().map(Entry::bytes).sum());
            }
            self.store.compact().await
        };
        let stored = stored.await;
        self.note(stored)
    }

    /// Notes whether the storage works.
    fn note(&mut self, stored: Result<(), StoreError>) -> Result<(), StoreError> {
        match stored {
            Ok(()) => {
                if self.degraded.take().is_some() {
                    tracing::info!("the output can be written again");
                }
                Ok(())
            }
            Err(error) if error.is_transient() => {
                if self.degraded.is_none() {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "nothing is granted until the output can be written");
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    let (since, reason) = (self.now(), format!("{error}{cause}"));
                    self.degraded = Some(Failing { since, reason });
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the run when every unit is closed: the manifest, then the news.
    async fn complete_if_closed(&mut self) -> Result<(), StoreError> {
        let closed = self.scheduler.open() == 0 && self.backlog.is_empty();
        if self.complete.is_some() || !closed || self.degraded.is_some() {
            return Ok(());
        }
        let finished = self.store.finish().await.map(drop);
        self.note(finished)?;
        if self.degraded.is_none() {
            self.complete = Some(self.now());
            self.answer_waiting();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Digest;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_commit_never_outgrows_the_format() {
        let entry = |(unit, mebibytes): (u64, usize)| {
            let payload = Bytes::from(vec![0; mebibytes << 20]);
            Entry::Result { unit: UnitIndex(unit), digest: Digest::of(b""), payload }
        };
        let backlog: Vec<Entry> = [(0, 300), (1, 200), (2, 56), (3, 1)].map(entry).into();
        assert_eq!(first_commit(&backlog), (1, 300 << 20));
        assert_eq!(first_commit(&backlog[1..]), (2, 256 << 20));
        assert_eq!(first_commit(&backlog[3..]), (1, 1 << 20));
    }
}
