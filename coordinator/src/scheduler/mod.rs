//! The scheduler: a pure state machine that lends units to workers. No clock, no I/O, no async: `now` and every input are
//! arguments, and what must outlive a restart leaves it as records. It never sees a result, only that there is one.
//!
//! A unit is free, held by a session, withheld (a record about it is not durable yet), done or quarantined. Capacity and
//! liveness come from a worker's latest report and are never counted up and down, so whatever a lost message did is healed by
//! the next one.

mod ask;
mod bits;
mod charges;
mod clock;
mod geometry;
mod pace;
mod pool;
mod record;
mod replay;
mod report;
mod sessions;
mod spelled;
mod step;
mod stragglers;
mod trace;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use babelquant_proto::UnitIndex;
use babelquant_proto::message::Session as SessionId;

use charges::Charges;
pub use clock::Clock;
pub use geometry::{Block, Geometry};
use pace::Pace;
use pool::Pool;
pub use record::{Fault, Record};
pub use replay::{Replay, ReplayError, Replayed};
use sessions::{Session, Sessions};
pub use step::{Effects, Input, Report, Standing};
use stragglers::Stragglers;
pub use trace::{Opening, Sink, Traced, stopped};
pub use view::{Lent, Presence};

/// No unit is a straggler before it has been held for so long, unless somebody says otherwise.
pub const STRAGGLING: Duration = Duration::from_secs(30);

/// Lends units to workers.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pool: Pool,
    sessions: Sessions,
    charges: Charges,
    /// Units with a record that is not durable yet; of a result, the session that sent it.
    withheld: BTreeMap<u64, Option<SessionId>>,
    quarantined: BTreeMap<u64, Fault>,
    /// Results that became durable.
    pace: Pace,
    stragglers: Stragglers,
    /// Units that a second worker may try, the oldest last; as of the latest tick.
    late: Vec<u64>,
    /// Open units that a second worker has tried: nobody tries them again beside their holder.
    tried: BTreeSet<u64>,
    lease: Duration,
    /// Until then workers of an earlier coordinator may come back with units that it lent them.
    returning: Duration,
}

impl Scheduler {
    /// A scheduler of all units of a study; a worker that is silent for longer than `lease` loses its grants.
    pub fn new(geometry: Geometry, lease: Duration) -> Self {
        Self {
            pool: Pool::new(geometry),
            sessions: Sessions::default(),
            charges: Charges::default(),
            withheld: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            pace: Pace::new(Duration::ZERO),
            stragglers: Stragglers::new(STRAGGLING),
            late: Vec::new(),
            tried: BTreeSet::new(),
            lease,
            returning: Duration::ZERO,
        }
    }

    /// A unit that is held for longer than this, and for longer than twice the usual, may be lent to a second worker that has nothing
    /// to do; by default [`STRAGGLING`].
    #[must_use]
    pub fn with_straggling(self, least: Duration) -> Self {
        Self { stragglers: Stragglers::new(least), ..self }
    }

    /// The scheduler of a run that was broken off: these records are durable, and these units done or quarantined. What was lent
    /// is nobody's until a worker says that it holds it; until `returning`, lanes that may have been begun are kept for those
    /// who return, so that nobody computes again what another still holds.
    pub fn restore(
        geometry: Geometry,
        lease: Duration,
        returning: Duration,
        records: impl IntoIterator<Item = Record>,
        closed: impl IntoIterator<Item = Range<u64>>,
    ) -> Self {
        let mut scheduler = Self { returning, ..Self::new(geometry, lease) };
        records.into_iter().for_each(|record| scheduler.durable(Duration::ZERO, record));
        closed.into_iter().for_each(|range| scheduler.pool.close_range(range));
        let pool = &scheduler.pool;
        scheduler.charges.forget_closed(|unit| pool.is_closed(unit));
        scheduler
    }

    /// The next state and what follows from the input.
    pub fn step(&mut self, now: Duration, input: Input) -> Effects {
        match input {
            Input::Join { session: id, worker, memory, engine } => {
                self.join(now, id, Session { memory, engine, ..Session::new(worker, now) });
                Effects::default()
            }
            Input::Report(report) => self.report(now, &report),
            Input::Ask { session, want } => {
                Effects { grants: self.ask(now, session, want), ..Effects::default() }
            }
            Input::Tick => self.tick(now),
            Input::Durable(records) => {
                records.into_iter().for_each(|record| self.durable(now, record));
                Effects::default()
            }
            Input::Drain(workers) => {
                self.sessions.drain(workers);
                Effects::default()
            }
            Input::Undrain(workers) => {
                self.sessions.undrain(&workers);
                Effects::default()
            }
        }
    }

    /// How a unit stands.
    pub fn standing(&self, UnitIndex(unit): UnitIndex) -> Standing {
        if unit >= self.pool.units() {
            return Standing::Unknown;
        }
        match (self.pool.is_closed(unit), self.quarantined.get(&unit)) {
            (false, _) => Standing::Open,
            (true, None) => Standing::Done,
            (true, Some(&fault)) => Standing::Quarantined(fault),
        }
    }

    /// True for a session that has joined and not been silent for too long.
    pub fn knows(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some()
    }

    /// Units that are neither done nor quarantined.
    pub fn open(&self) -> u64 {
        self.pool.open()
    }

    /// Units with a durable result.
    pub fn done(&self) -> u64 {
        self.pool.units() - self.pool.open() - self.quarantined.len() as u64
    }

    /// Units lent to workers.
    pub fn granted(&self) -> u64 {
        self.sessions.granted()
    }

    /// True where a worker that asks may get something.
    pub fn has_spare(&self) -> bool {
        self.pool.has_free() || !self.late.is_empty() || self.charges.has_suspects()
    }

    /// The live sessions.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().map(|(id, _)| id)
    }

    /// The units that are given up.
    pub fn quarantined(&self) -> &BTreeMap<u64, Fault> {
        &self.quarantined
    }

    /// Takes the unit from its holder until a record about it is durable; false where it is withheld already.
    fn withhold(&mut self, unit: u64) -> bool {
        self.sessions.release(unit);
        self.pool.take(unit);
        let is_new = !self.withheld.contains_key(&unit);
        self.withheld.entry(unit).or_default();
        is_new
    }

    /// The record of one more charge, or of the quarantine that it leads to, where so many workers are `alive`.
    fn charge(
        &mut self,
        unit: UnitIndex,
        worker: String,
        fault: Fault,
        alive: impl FnOnce(&Self) -> usize,
    ) -> Record {
        self.withhold(unit.0);
        match self.charges.is_last(unit.0, &worker, || alive(self)) {
            true => Record::Quarantine { unit, fault },
            false => Record::Charge { unit, worker, fault },
        }
    }

    /// Takes the unit from the session; it is free where nobody else holds it.
    fn give_back(&mut self, session: SessionId, unit: u64) {
        self.sessions.let_go(session, unit);
        if !self.sessions.is_held(unit) && !self.charges.is_suspect(unit) {
            self.pool.put_back(unit);
        }
    }

    fn join(&mut self, now: Duration, id: SessionId, session: Session) {
        if self.sessions.len() == 0 && self.pace.total() == 0 {
            self.pace = Pace::new(now);
        }
        self.sessions.join(id, session);
    }

    fn tick(&mut self, now: Duration) -> Effects {
        let mut effects = Effects::default();
        // Those who fall silent together leave nobody behind who could have charged the unit too.
        let alive = self.sessions.alive().len();
        for id in self.sessions.silent(now, self.lease) {
            let Some(session) = self.sessions.remove(id) else { continue };
            self.pool.leave(session.seat);
            for &unit in &session.held {
                if self.sessions.is_held(unit) {
                    // Another worker goes on with it.
                    continue;
                }
                match session.draining {
                    true => self.give_back(id, unit),
                    false => effects.records.push(self.charge(
                        UnitIndex(unit),
                        session.worker.clone(),
                        Fault::LeaseLost,
                        |_| alive,
                    )),
                }
            }
        }
        self.late = match self.pool.has_free() {
            true => Vec::new(),
            false => self.sessions.held_before(now.saturating_sub(self.stragglers.limit())),
        };
        effects
    }

    fn durable(&mut self, now: Duration, record: Record) {
        let unit = record.unit().0;
        if let Some(session) = self.withheld.remove(&unit).flatten() {
            self.pace.push(now);
            if let Some(session) = self.sessions.get_mut(session) {
                session.pace.push(now);
            }
        }
        if self.standing(UnitIndex(unit)) != Standing::Open {
            return;
        }
        self.sessions.release(unit);
        self.tried.remove(&unit);
        match record {
            Record::Done { .. } => {
                self.pool.close(unit);
                self.charges.forget(unit);
            }
            Record::Charge { worker, fault, .. } => match self.charges.add(unit, &worker, fault) {
                true => self.pool.take(unit),
                false => self.pool.put_back(unit),
            },
            Record::Quarantine { fault, .. } => {
                self.pool.close(unit);
                self.quarantined.insert(unit, fault);
                self.charges.forget(unit);
            }
        }
    }
}

#[cfg(test)]
mod tests;
