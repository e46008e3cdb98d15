//! Sessions: who is there, since when silent, and what each holds. Not which unit is next (`pool`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use babelquant_proto::message::Session as SessionId;
use glob::Pattern;

use super::pace::Pace;
use super::pool::Seat;

/// A worker's presence: everything here comes from its latest Sync.
#[derive(Debug)]
pub(super) struct Session {
    /// Its name; two sessions of one name count as one worker.
    pub(super) worker: String,
    /// When it was last heard.
    pub(super) seen: Duration,
    /// The units lent to it.
    pub(super) held: BTreeSet<u64>,
    /// The lane that it likes to go on with.
    pub(super) seat: Option<Seat>,
    /// Models that it lacks.
    pub(super) missing: BTreeSet<usize>,
    /// It takes no more work and will leave.
    pub(super) draining: bool,
    /// Its results that became durable.
    pub(super) pace: Pace,
}

/// Who holds a unit, and since when.
#[derive(Debug, Clone, Copy)]
struct Holder {
    session: SessionId,
    since: Duration,
}

/// All live sessions, and who holds each granted unit.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    holders: BTreeMap<u64, Holder>,
    /// The workers that the operator has drained, by name.
    drained: BTreeSet<Pattern>,
}

impl Sessions {
    pub(super) fn join(&mut self, id: SessionId, worker: String, now: Duration) {
        let session = Session {
            worker,
            seen: now,
            held: BTreeSet::new(),
            seat: None,
            missing: BTreeSet::new(),
            draining: false,
            pace: Pace::new(now),
        };
        self.by_id.insert(id, session);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn granted(&self) -> u64 {
        self.holders.len() as u64
    }

    pub(super) fn holder(&self, unit: u64) -> Option<SessionId> {
        self.holders.get(&unit).map(|holder| holder.session)
    }

    /// When a unit was lent to its holder.
    pub(super) fn since(&self, unit: u64) -> Option<Duration> {
        self.holders.get(&unit).map(|holder| holder.since)
    }

    /// The lent units, with when and to which session.
    pub(super) fn lent(&self) -> impl Iterator<Item = (Duration, u64, SessionId)> {
        self.holders.iter().map(|(&unit, holder)| (holder.since, unit, holder.session))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.by_id.iter().map(|(&id, session)| (id, session))
    }

    /// Sends the workers of these names away, now and when they come again.
    pub(super) fn drain(&mut self, workers: Pattern) {
        self.drained.insert(workers);
    }

    /// Takes a drain back.
    pub(super) fn undrain(&mut self, workers: &Pattern) {
        self.drained.remove(workers);
    }

    pub(super) fn is_drained(&self, worker: &str) -> bool {
        self.drained.iter().any(|workers| workers.matches(worker))
    }

    pub(super) fn drained(&self) -> impl Iterator<Item = &str> {
        self.drained.iter().map(Pattern::as_str)
    }

    pub(super) fn hold(&mut self, id: SessionId, unit: u64, now: Duration) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.held.insert(unit);
            self.holders.insert(unit, Holder { session: id, since: now });
        }
    }

    /// Takes the unit from whoever holds it; true where somebody did.
    pub(super) fn release(&mut self, unit: u64) -> bool {
        let Some(Holder { session, .. }) = self.holders.remove(&unit) else { return false };
        if let Some(session) = self.by_id.get_mut(&session) {
            session.held.remove(&unit);
        }
        true
    }

    /// True where another worker than this one still takes work.
    pub(super) fn has_others(&self, worker: &str) -> bool {
        self.working().any(|name| name != worker)
    }

    fn working(&self) -> impl Iterator<Item = &str> {
        let working = self.by_id.values().filter(|session| !session.draining);
        let names = working.map(|session| session.worker.as_str());
        names.filter(|name| !self.is_drained(name))
    }

    /// The names of workers that still take work.
    pub(super) fn alive(&self) -> BTreeSet<&str> {
        self.working().collect()
    }

    /// The sessions that have been silent for longer than `lease`.
    pub(super) fn silent(&self, now: Duration, lease: Duration) -> Vec<SessionId> {
        let late = |session: &Session| now.saturating_sub(session.seen) > lease;
        self.by_id.iter().filter(|(_, session)| late(session)).map(|(&id, _)| id).collect()
    }

    /// Forgets the session; what it held is free of a holder.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        for unit in &session.held {
            self.holders.remove(unit);
        }
        Some(session)
    }
}
