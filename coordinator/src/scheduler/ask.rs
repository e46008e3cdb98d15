//! A worker asks for units: free ones, else one that broke before, else one that another worker has held for too long. Not which free unit is
//! next (`pool`), nor what it reports (`report`).

use std::time::Duration;

use babelquant_proto::UnitIndex;
use babelquant_proto::message::Session as SessionId;

use super::Scheduler;
use super::pool::Reach;
use super::sessions::Session;

/// Most units of one reply; a worker that wants more asks again.
const GRANTS_MAX: u32 = 64;

impl Scheduler {
    /// The units that a worker gets which wants so many.
    pub(super) fn ask(&mut self, now: Duration, id: SessionId, want: u32) -> Vec<UnitIndex> {
        let mut grants = Vec::new();
        let reach = if now < self.returning { Reach::Untouched } else { Reach::Anywhere };
        if self.is_drained(id) {
            return grants;
        }
        if reach == Reach::Anywhere && want > 0 {
            self.sit_beside_another_engine(id);
        }
        let Some(session) = self.sessions.get_mut(id) else { return grants };
        let alone = session.held.iter().any(|&unit| self.charges.is_suspect(unit));
        if session.draining || alone {
            return grants;
        }
        for _ in 0..want.min(GRANTS_MAX) {
            match self.pool.next(&mut session.seat, &session.missing, reach) {
                Some(unit) => grants.push(UnitIndex(unit)),
                None => break,
            }
        }
        for unit in &grants {
            self.sessions.hold(id, unit.0, now);
        }
        if grants.is_empty() && want > 0 && reach == Reach::Anywhere {
            let unit = self.ask_suspect(now, id).or_else(|| self.ask_straggler(now, id));
            grants.extend(unit.map(UnitIndex));
        }
        grants
    }

    /// Where engines differ, each worker shares one lane with a worker of another class: the baseline is run on both for its documents, which
    /// says how far they lie apart.
    fn sit_beside_another_engine(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(id).filter(|session| !session.compared) else {
            return;
        };
        if session.engine.is_none() || self.pool.has_free_at(session.seat) {
            return;
        }
        let others = self.sessions.working().filter(|other| other.engine != session.engine);
        let seats = others.filter_map(|other| other.seat);
        let Some(lane) = self.pool.fullest_of(seats, &session.missing) else { return };
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.compared = true;
        self.pool.sit_beside(&mut session.seat, lane);
    }

    /// A suspect for a worker that holds nothing.
    fn ask_suspect(&mut self, now: Duration, id: SessionId) -> Option<u64> {
        let session = self.sessions.get(id).filter(|session| session.held.is_empty())?;
        let others = self.sessions.has_others(&session.worker);
        let unit = self.charges.suspects_for(&session.worker, others).find(|&unit| {
            let model = self.pool.model(unit);
            let can = !session.missing.contains(&model) && self.has_room(session, (unit, model));
            can && !self.sessions.is_held(unit) && !self.withheld.contains_key(&unit)
        });
        self.sessions.hold(id, unit?, now);
        unit
    }

    /// True where a unit may fit into the worker's memory, or into that of nobody else who may try it.
    fn has_room(&self, session: &Session, (unit, model): (u64, usize)) -> bool {
        let Some(too_little) = self.charges.too_little(unit) else { return true };
        let is_larger = |session: &Session| session.memory.is_none_or(|bytes| bytes > too_little);
        let may_try = |other: &Session| {
            !other.missing.contains(&model) && !self.charges.broke_on_alone(unit, &other.worker)
        };
        is_larger(session)
            || !self.sessions.working().any(|other| is_larger(other) && may_try(other))
    }

    /// The unit that another worker has held longest, if that is too long, for a worker that holds nothing: whoever is first wins.
    fn ask_straggler(&mut self, now: Duration, id: SessionId) -> Option<u64> {
        let session = self.sessions.get(id).filter(|session| session.held.is_empty())?;
        let at = self.late.iter().rposition(|&unit| {
            let holder = self.sessions.only_holder(unit);
            holder.is_some_and(|holder| holder != session.worker)
                && !session.missing.contains(&self.pool.model(unit))
                && !self.charges.is_suspect(unit)
                && !self.tried.contains(&unit)
        });
        let unit = self.late.remove(at?);
        self.tried.insert(unit);
        self.sessions.hold(id, unit, now);
        Some(unit)
    }
}
