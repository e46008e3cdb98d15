//! A worker's report: its results, failures and units given back, and what it really holds. Not what it is granted next.

use std::collections::BTreeSet;
use std::time::Duration;

use babelquant_proto::message::Session as SessionId;
use babelquant_proto::{FailureKind, UnitIndex};

use super::Scheduler;
use super::record::{Fault, Record};
use super::sessions::Session;
use super::step::{Effects, Report, Standing};

impl Scheduler {
    pub(super) fn report(&mut self, now: Duration, report: &Report) -> Effects {
        let mut effects = Effects::default();
        let Some(session) = self.sessions.get_mut(report.session) else { return effects };
        session.seen = now;
        session.draining = report.draining;
        if report.draining {
            self.pool.leave(session.seat.take());
        }
        for &unit in &report.finished {
            let held = self.sessions.held_since(report.session, unit.0);
            if self.standing(unit) == Standing::Open && self.withhold(unit.0) {
                held.into_iter().for_each(|since| self.stragglers.push(now.saturating_sub(since)));
                self.withheld.insert(unit.0, Some(report.session));
                effects.records.push(Record::Done { unit });
            }
        }
        for &(unit, kind) in &report.failures {
            if self.sessions.held_since(report.session, unit.0).is_some() {
                effects.records.extend(self.fail(report.session, unit, kind));
            }
        }
        for unit in &report.released {
            if self.sessions.held_since(report.session, unit.0).is_some() {
                self.give_back(report.session, unit.0);
            }
        }
        effects.revoked = self.reconcile(now, report);
        self.part(report);
        effects
    }

    /// Forgets a worker that leaves with nothing in its hands.
    fn part(&mut self, report: &Report) {
        if report.draining && report.holding.is_empty() {
            self.sessions.remove(report.session);
        }
    }

    fn fail(&mut self, session: SessionId, unit: UnitIndex, kind: FailureKind) -> Option<Record> {
        let fault = Fault::Reported(kind);
        match kind {
            FailureKind::ModelUnavailable => {
                let model = self.pool.model(unit.0);
                self.sessions.get_mut(session)?.missing.insert(model);
                self.give_back(session, unit.0);
                None
            }
            // Another worker tries it too, and goes on.
            _ if self.sessions.is_shared(unit.0) => {
                self.give_back(session, unit.0);
                None
            }
            FailureKind::InvalidUnit => {
                self.withhold(unit.0);
                Some(Record::Quarantine { unit, fault })
            }
            FailureKind::OutOfMemory | FailureKind::Crash | FailureKind::Timeout => {
                let Session { worker, memory, .. } = self.sessions.get(session)?;
                let (worker, memory) = (worker.clone(), *memory);
                if kind == FailureKind::OutOfMemory {
                    memory.into_iter().for_each(|bytes| self.charges.ran_out(unit.0, bytes));
                }
                let alive = |scheduler: &Self| scheduler.sessions.alive().len();
                Some(self.charge(unit, worker, fault, alive))
            }
        }
    }

    /// Makes the grants of a session what the worker says that it holds: a grant that it does not know was lost on the way and
    /// is free again; a unit that it holds from an earlier session is its own again, unless it is closed or somebody else's.
    fn reconcile(&mut self, now: Duration, report: &Report) -> Vec<UnitIndex> {
        let Some(session) = self.sessions.get(report.session) else { return Vec::new() };
        let holding: BTreeSet<u64> = report.holding.iter().map(|unit| unit.0).collect();
        let lost: Vec<u64> = session.held.difference(&holding).copied().collect();
        let news: Vec<u64> = holding.difference(&session.held).copied().collect();
        lost.into_iter().for_each(|unit| self.give_back(report.session, unit));
        let mut revoked = Vec::new();
        for unit in news {
            match self.standing(UnitIndex(unit)) {
                Standing::Open if report.finished.contains(&UnitIndex(unit)) => {}
                Standing::Open if self.is_free(unit) => self.adopt(now, report.session, unit),
                Standing::Open | Standing::Done | Standing::Quarantined(_) | Standing::Unknown => {
                    revoked.push(UnitIndex(unit));
                }
            }
        }
        revoked
    }

    fn is_free(&self, unit: u64) -> bool {
        let suspect = self.charges.is_suspect(unit) && !self.sessions.is_held(unit);
        !self.withheld.contains_key(&unit) && (suspect || !self.pool.is_taken(unit))
    }

    fn adopt(&mut self, now: Duration, session: SessionId, unit: u64) {
        self.pool.take(unit);
        self.sessions.hold(session, unit, now);
        if let Some(session) = self.sessions.get_mut(session)
            && session.seat.is_none()
            && !session.draining
        {
            session.seat = Some(self.pool.seat_at(unit));
        }
    }
}
