//! The simulated coordinator: reports, commits and then grants, as the owner and the store do. Not what messages suffer on the way.

use std::time::Duration;

use babelquant_coordinator::scheduler::{
    Clock, Input, Opening, Record, Report, Sink, Standing, Traced,
};
use babelquant_proto::message::Session;
use babelquant_proto::{Digest, UnitIndex};
use rand::RngExt;

use super::worker::{Reply, Request};
use super::{Cluster, Event, Millis, What};

const LEASE: Duration = Duration::from_secs(15);
/// How long a restarted coordinator waits for the workers of the one before.
const RETURNING: Duration = Duration::from_secs(15);
/// How long an idle worker's request may wait for work.
const POLL: Millis = 2_000;
/// How long a commit takes.
const COMMIT: Millis = 5;
const TICK: Millis = 500;

/// A request that waits for its commit or for work.
#[derive(Debug)]
pub(super) struct Waiting {
    worker: usize,
    request: Request,
    since: Millis,
    accepted: Vec<u64>,
    revoked: Vec<u64>,
}

impl Cluster {
    pub(super) fn serve(&mut self) {
        self.epoch += 1;
        self.next_session = self.epoch << 32;
        let (records, closed) = (self.journal.records(), self.journal.ranges());
        let geometry = self.plan.geometry();
        let is_first = self.epoch == 1;
        let returning = if is_first { Duration::ZERO } else { RETURNING };
        let records = records.into_iter().collect();
        let run = (Digest::of(b"simulated"), self.epoch);
        let opening = Opening::new(run, &geometry, (LEASE, returning), records, closed);
        let sink = self
            .trace
            .clone()
            .map(|lines| -> Sink { Box::new(move |line| lines.lock().unwrap().push(line)) });
        self.scheduler = Some(Traced::open(opening, sink).unwrap());
        self.clock = Clock::new(LEASE);
        self.served = self.now;
        self.listen();
        self.at(self.now + TICK, Event::Tick { epoch: self.epoch });
    }

    /// Kill -9: what is not durable is gone.
    fn die(&mut self) {
        self.tally.count(What::Restart, 1);
        self.scheduler = None;
        self.tally.count(What::LostRecord, self.backlog.len());
        self.backlog.clear();
        self.waiting.clear();
        self.after(500..3_000, Event::Serve);
    }

    pub(super) fn arrive(&mut self, worker: usize, mut request: Request) {
        if self.scheduler.is_none() {
            return;
        }
        self.listen();
        let known = |session: &u64| self.scheduler.as_ref().unwrap().knows(Session(*session));
        let Some(session) = request.session.filter(known) else {
            // Registering says nothing of what is held: the next call does.
            let (session, Request { life, call, .. }) = (self.join(worker), request);
            let (accepted, revoked, grants) = (Vec::new(), Vec::new(), Vec::new());
            return self.send(worker, Reply { life, call, session, accepted, revoked, grants });
        };
        request.session = Some(session);
        let closed = |unit: &u64| self.standing(*unit) != Standing::Open;
        let (late, fresh): (Vec<u64>, Vec<u64>) =
            request.finished.iter().copied().partition(closed);
        self.tally.count(What::DuplicateResult, late.len());
        let effects = self.step_and_enter(Input::Report(Report {
            session: Session(session),
            holding: request.holding.iter().copied().map(UnitIndex).collect(),
            finished: fresh.iter().copied().map(UnitIndex).collect(),
            failures: Vec::new(),
            released: Vec::new(),
            draining: false,
        }));
        let revoked = effects.iter().map(|unit| unit.0).collect();
        let accepted = std::mem::take(&mut request.finished);
        let waiting = Waiting { worker, request, since: self.now, accepted, revoked };
        match self.backlog.is_empty() {
            true => self.answer(waiting),
            false => self.waiting.push(waiting),
        }
    }

    pub(super) fn tick(&mut self) {
        self.listen();
        self.step_and_enter(Input::Tick);
        self.answer_waiting();
        self.at(self.now + TICK, Event::Tick { epoch: self.epoch });
        if self.once_in(40) {
            self.tally.count(What::Stop, 1);
            let stop = self.random.random_range(1_000..60_000);
            self.stopped_until = self.now + stop;
        }
    }

    /// As the owner does when a turn begins.
    fn listen(&mut self) {
        self.listened = self.clock.at(Duration::from_millis(self.now - self.served));
    }

    fn join(&mut self, worker: usize) -> u64 {
        let session = self.next_session;
        self.next_session += 1;
        let name = format!("worker-{worker}");
        self.step_and_enter(Input::Join {
            session: Session(session),
            worker: name,
            memory: None,
            engine: None,
        });
        session
    }

    fn standing(&self, unit: u64) -> Standing {
        self.scheduler.as_ref().unwrap().standing(UnitIndex(unit))
    }

    /// One step; its records wait for the next commit. Returns what is revoked.
    fn step_and_enter(&mut self, input: Input) -> Vec<UnitIndex> {
        let effects = self.scheduler.as_mut().unwrap().step(self.listened, input);
        if self.backlog.is_empty() && !effects.records.is_empty() {
            self.at(self.now + COMMIT, Event::Commit { epoch: self.epoch });
        }
        let innocent = |record: &&Record| {
            let is_charge = matches!(record, Record::Charge { .. } | Record::Quarantine { .. });
            is_charge && !self.poison.contains(&record.unit().0)
        };
        let charged = effects.records.iter().filter(innocent).count();
        self.tally.count(What::InnocentCharged, charged);
        self.backlog.extend(effects.records);
        effects.revoked
    }

    /// The backlog becomes durable, or the coordinator dies on the way: before or after the storage has it.
    pub(super) fn commit(&mut self) {
        let restarts = self.tally.of(What::Restart);
        let due = self.plan.geometry().units() / (self.plan.restarts + 1) * (restarts + 1);
        let dies = restarts < self.plan.restarts && self.journal.closed() >= due;
        let stored = !dies || self.once_in(2);
        if stored {
            self.last_progress = self.now;
            self.backlog.iter().for_each(|record| self.journal.write(record));
        }
        if dies {
            return self.die();
        }
        self.listen();
        let records = std::mem::take(&mut self.backlog);
        self.scheduler.as_mut().unwrap().step(self.listened, Input::Durable(records));
        self.answer_waiting();
    }

    /// Answers everyone who can be answered, as the owner does at each of its turns; here a turn that commits nothing is only a tick,
    /// or a thousand idle workers would be asked at every arrival.
    fn answer_waiting(&mut self) {
        if self.backlog.is_empty() {
            std::mem::take(&mut self.waiting).into_iter().for_each(|waiting| self.answer(waiting));
        }
    }

    fn answer(&mut self, waiting: Waiting) {
        let Waiting { worker, request, since, accepted, revoked } = waiting;
        if self.workers[worker].life != request.life {
            return;
        }
        let (session, want) = (Session(request.session.unwrap()), request.want);
        let ask = Input::Ask { session, want };
        let effects = self.scheduler.as_mut().unwrap().step(self.listened, ask);
        let grants: Vec<u64> = effects.grants.iter().map(|unit| unit.0).collect();
        for unit in &grants {
            assert!(!self.journal.is_closed(*unit), "a grant of a closed unit: {unit}");
            let again = self.is_known_elsewhere(worker, *unit);
            self.tally.count(What::Recomputed, again.into());
        }
        self.tally.count(What::Grant, grants.len());
        let is_busy = !request.holding.is_empty() || want == 0;
        let has_news = !(grants.is_empty() && accepted.is_empty() && revoked.is_empty());
        if !is_busy && !has_news && self.now < since + POLL {
            self.waiting.push(Waiting { worker, request, since, accepted, revoked });
            return;
        }
        let Request { life, call, .. } = request;
        self.send(worker, Reply { life, call, session: session.0, accepted, revoked, grants });
    }

    /// True where another live worker has a result of the unit that it could not hand in yet. In a large cluster only every 4096th unit is
    /// looked at, and `Recomputed` counts those.
    fn is_known_elsewhere(&self, worker: usize, unit: u64) -> bool {
        let looked_at = self.plan.workers <= 64 || unit.is_multiple_of(4096);
        let others = || self.workers.iter().enumerate().filter(|&(other, _)| other != worker);
        looked_at && others().any(|(_, other)| other.finished.contains(&unit))
    }
}
