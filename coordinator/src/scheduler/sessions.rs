//! Sessions: who is there, since when silent, and what each holds: a unit is held by one worker, or near the end by two. Not which unit
//! is next (`pool`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use babelquant_proto::message::Session as SessionId;
use glob::Pattern;

use super::pace::Pace;
use super::pool::Seat;

/// A worker's presence: everything here comes from its latest Sync.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Its name; two sessions of one name count as one worker.
    pub(super) worker: String,
    /// Bytes that its computations may take, where it knows.
    pub(super) memory: Option<u64>,
    /// Its engine class, where those of the run differ.
    pub(super) engine: Option<String>,
    /// It has shared a lane with a worker of another class.
    pub(super) compared: bool,
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

impl Session {
    /// A worker that has just come; nothing more is known of it.
    pub(super) fn new(worker: String, now: Duration) -> Self {
        Self {
            worker,
            memory: None,
            engine: None,
            compared: false,
            seen: now,
            held: BTreeSet::new(),
            seat: None,
            missing: BTreeSet::new(),
            draining: false,
            pace: Pace::new(now),
        }
    }
}

/// Who holds a unit, and since when.
#[derive(Debug, Clone, Copy)]
struct Holder {
    session: SessionId,
    since: Duration,
}

/// All live sessions, and who holds each granted unit.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    holders: BTreeMap<u64, Holder>,
    /// Of the units that two workers try, the later one.
    seconds: BTreeMap<u64, Holder>,
    /// The workers that the operator has drained, by name.
    drained: BTreeSet<Pattern>,
}

impl Sessions {
    pub(super) fn join(&mut self, id: SessionId, session: Session) {
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

    pub(super) fn is_held(&self, unit: u64) -> bool {
        self.holders.contains_key(&unit)
    }

    /// Since when the session holds the unit; `None` where it does not.
    pub(super) fn held_since(&self, id: SessionId, unit: u64) -> Option<Duration> {
        let holders = [self.holders.get(&unit), self.seconds.get(&unit)].into_iter().flatten();
        holders.filter(|holder| holder.session == id).map(|holder| holder.since).next()
    }

    /// True where two workers try the unit.
    pub(super) fn is_shared(&self, unit: u64) -> bool {
        self.seconds.contains_key(&unit)
    }

    /// The worker that alone holds the unit.
    pub(super) fn only_holder(&self, unit: u64) -> Option<&str> {
        let holder = self.holders.get(&unit).filter(|_| !self.seconds.contains_key(&unit))?;
        self.by_id.get(&holder.session).map(|session| session.worker.as_str())
    }

    /// The units that one worker has held since before a time, the oldest last.
    pub(super) fn held_before(&self, time: Duration) -> Vec<u64> {
        let late = self.holders.iter().filter(|(_, holder)| holder.since < time);
        let alone = late.filter(|(unit, _)| !self.seconds.contains_key(unit));
        let mut units: Vec<(Duration, u64)> =
            alone.map(|(&unit, holder)| (holder.since, unit)).collect();
        units.sort_unstable_by(|a, b| b.cmp(a));
        units.into_iter().map(|(_, unit)| unit).collect()
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

    /// Lends the unit to the session, as the second one where it is lent already.
    pub(super) fn hold(&mut self, id: SessionId, unit: u64, now: Duration) {
        let Some(session) = self.by_id.get_mut(&id) else { return };
        session.held.insert(unit);
        let holder = Holder { session: id, since: now };
        match self.holders.entry(unit) {
            Entry::Vacant(free) => drop(free.insert(holder)),
            Entry::Occupied(_) => drop(self.seconds.insert(unit, holder)),
        }
    }

    /// Takes the unit from the session.
    pub(super) fn let_go(&mut self, id: SessionId, unit: u64) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.held.remove(&unit);
        }
        let is_own = |holder: &&Holder| holder.session == id;
        if self.seconds.get(&unit).filter(is_own).is_some() {
            self.seconds.remove(&unit);
        } else if self.holders.get(&unit).filter(is_own).is_some() {
            match self.seconds.remove(&unit) {
                Some(second) => self.holders.insert(unit, second),
                None => self.holders.remove(&unit),
            };
        }
    }

    /// Takes the unit from everyone who holds it.
    pub(super) fn release(&mut self, unit: u64) {
        while let Some(holder) = self.holders.get(&unit) {
            self.let_go(holder.session, unit);
        }
    }

    /// True where another worker than this one still takes work.
    pub(super) fn has_others(&self, worker: &str) -> bool {
        self.working().any(|session| session.worker != worker)
    }

    /// Those that still take work.
    pub(super) fn working(&self) -> impl Iterator<Item = &Session> {
        let working = self.by_id.values().filter(|session| !session.draining);
        working.filter(|session| !self.is_drained(&session.worker))
    }

    /// The names of workers that still take work.
    pub(super) fn alive(&self) -> BTreeSet<&str> {
        self.working().map(|session| session.worker.as_str()).collect()
    }

    /// The sessions that have been silent for longer than `lease`.
    pub(super) fn silent(&self, now: Duration, lease: Duration) -> Vec<SessionId> {
        let late = |session: &Session| now.saturating_sub(session.seen) > lease;
        self.by_id.iter().filter(|(_, session)| late(session)).map(|(&id, _)| id).collect()
    }

    /// Forgets the session; it holds nothing any more.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        for &unit in &session.held {
            self.let_go(id, unit);
        }
        Some(session)
    }
}
