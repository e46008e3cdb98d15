//! What the scheduler shows of itself: who is there and what is held. Decides nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use babelquant_proto::UnitIndex;
use babelquant_proto::message::Session as SessionId;

use super::Scheduler;

/// A session.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence<'a> {
    /// Its number.
    pub session: SessionId,
    /// The worker's name.
    pub worker: &'a str,
    /// Units lent to it.
    pub held: usize,
    /// Its results that became durable.
    pub accepted: u64,
    /// These per second, in the last two minutes; `None` before the first.
    pub per_second: Option<f64>,
    /// Since it was last heard.
    pub silent: Duration,
    /// It gets no more units.
    pub draining: bool,
    /// The models that it lacks.
    pub missing: &'a BTreeSet<usize>,
}

/// A unit that is lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent<'a> {
    /// The unit.
    pub unit: UnitIndex,
    /// The name of the worker that holds it.
    pub worker: &'a str,
    /// For how long.
    pub held: Duration,
}

impl Scheduler {
    /// The live sessions, by number.
    pub fn presences(&self, now: Duration) -> impl Iterator<Item = Presence<'_>> {
        self.sessions.iter().map(move |(session, presence)| Presence {
            session,
            worker: &presence.worker,
            held: presence.held.len(),
            accepted: presence.pace.total(),
            per_second: presence.pace.per_second(now),
            silent: now.saturating_sub(presence.seen),
            draining: presence.draining || self.sessions.is_drained(&presence.worker),
            missing: &presence.missing,
        })
    }

    /// The lent units that have been held longest, so many at most, the oldest first.
    pub fn longest_held(&self, now: Duration, most: usize) -> Vec<Lent<'_>> {
        let mut lent: Vec<_> = self.sessions.lent().collect();
        if most < lent.len() {
            lent.select_nth_unstable(most);
            lent.truncate(most);
        }
        lent.sort_unstable();
        let named = lent.into_iter().filter_map(|(since, unit, session)| {
            let worker = &self.sessions.get(session)?.worker;
            Some(Lent { unit: UnitIndex(unit), worker, held: now.saturating_sub(since) })
        });
        named.collect()
    }

    /// For how long a unit has been lent to a session; `None` where that does not hold it.
    pub fn held(
        &self,
        now: Duration,
        session: SessionId,
        UnitIndex(unit): UnitIndex,
    ) -> Option<Duration> {
        self.sessions.held_since(session, unit).map(|since| now.saturating_sub(since))
    }

    /// Results that became durable, per second, in the last two minutes; `None` before the first.
    pub fn per_second(&self, now: Duration) -> Option<f64> {
        self.pace.per_second(now)
    }

    /// The name of a session's worker; nothing where it is gone.
    pub fn worker(&self, session: SessionId) -> &str {
        self.sessions.get(session).map_or("", |session| &session.worker)
    }

    /// The globs of the workers that the operator has drained.
    pub fn drained(&self) -> impl Iterator<Item = &str> {
        self.sessions.drained()
    }

    /// True where the operator has drained the worker of this session.
    pub fn is_drained(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| self.sessions.is_drained(&session.worker))
    }
}
