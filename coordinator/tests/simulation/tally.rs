//! What happened in a history: how often each thing did, and a digest of every event.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Event, Millis};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Grant,
    Crash,
    Pause,
    LostRequest,
    LostReply,
    /// A request that arrives twice.
    DuplicateRequest,
    /// A result of a unit that is closed.
    DuplicateResult,
    Restart,
    /// The coordinator is stopped for a while, and goes on.
    Stop,
    /// A record that died with a coordinator.
    LostRecord,
    /// A message of a worker that is cut off for ever.
    Cut,
    /// A grant of a unit that another live worker has a result of.
    Recomputed,
    /// A charge of a unit that breaks nobody: it lost its worker.
    InnocentCharged,
    /// A quarantined unit that breaks nobody: it lost its worker three times.
    InnocentQuarantined,
}

/// What a simulation of restarts must have shown.
const FAULTS: [What; 9] = [
    What::Crash,
    What::Pause,
    What::LostRequest,
    What::LostReply,
    What::DuplicateRequest,
    What::DuplicateResult,
    What::Restart,
    What::Stop,
    What::LostRecord,
];

/// Two histories are the same where their tallies are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    events: u64,
    digest: u64,
    simulated: Millis,
    counts: BTreeMap<What, u64>,
}

impl Tally {
    pub(super) fn note(&mut self, now: Millis, event: &Event) {
        self.events += 1;
        self.simulated = now;
        let mut hasher = DefaultHasher::new();
        (self.digest, now, event).hash(&mut hasher);
        self.digest = hasher.finish();
    }

    pub(crate) fn count(&mut self, what: What, times: usize) {
        *self.counts.entry(what).or_default() += times as u64;
    }

    pub(crate) fn of(&self, what: What) -> u64 {
        self.counts.get(&what).copied().unwrap_or_default()
    }

    /// Adds the counts of another history.
    pub(crate) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.simulated += other.simulated;
        self.digest ^= other.digest;
        other.counts.iter().for_each(|(&what, &times)| self.count(what, times as usize));
    }

    /// A simulation in which a kind of fault never happened has shown nothing about it.
    pub(crate) fn assert_that_every_fault_fired(&self) {
        let missing: Vec<What> = FAULTS.into_iter().filter(|&fault| self.of(fault) == 0).collect();
        assert_eq!(missing, [], "never fired; {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, digest, simulated, counts } = self;
        write!(f, "{events} events in {} simulated s, digest {digest:016x}", simulated / 1000)?;
        counts.iter().try_for_each(|(what, times)| write!(f, ", {what:?} {times}"))
    }
}
