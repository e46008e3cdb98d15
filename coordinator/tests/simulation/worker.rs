//! A simulated worker: computes what it is granted by the clock of the events, and keeps a result until it hears a verdict.

use std::collections::{BTreeSet, VecDeque};

use super::Millis;

/// Units held and not computed, at most.
const SLOTS: usize = 64;

/// A Sync, or a Register and the first Sync in one where there is no session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Request {
    pub(super) life: u32,
    pub(super) call: u64,
    pub(super) session: Option<u64>,
    pub(super) holding: Vec<u64>,
    pub(super) finished: Vec<u64>,
    pub(super) want: u32,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Reply {
    pub(super) life: u32,
    pub(super) call: u64,
    pub(super) session: u64,
    pub(super) accepted: Vec<u64>,
    pub(super) revoked: Vec<u64>,
    pub(super) grants: Vec<u64>,
}

/// A worker process and its memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    /// How often it has been started.
    pub(super) life: u32,
    /// Its latest call; answers to others are late.
    pub(super) call: u64,
    session: Option<u64>,
    held: VecDeque<u64>,
    /// When the unit at the front began.
    began: Millis,
    pub(super) finished: BTreeSet<u64>,
}

impl Worker {
    pub(super) fn start(&mut self, now: Millis) {
        self.began = now;
    }

    /// Everything in memory is gone.
    pub(super) fn die(&mut self) {
        *self = Self { life: self.life + 1, call: self.call, ..Self::default() };
    }

    /// Computes what there was time for; true where a unit broke the worker.
    pub(super) fn compute(&mut self, now: Millis, poison: &BTreeSet<u64>) -> bool {
        while let Some(&unit) = self.held.front() {
            let ends = self.began + takes(unit);
            if ends > now {
                return false;
            }
            if poison.contains(&unit) {
                return true;
            }
            self.held.pop_front();
            self.began = ends;
            self.finished.insert(unit);
        }
        self.began = now;
        false
    }

    pub(super) fn request(&mut self) -> Request {
        self.call += 1;
        Request {
            life: self.life,
            call: self.call,
            session: self.session,
            holding: self.held.iter().chain(&self.finished).copied().collect(),
            finished: self.finished.iter().copied().collect(),
            want: (SLOTS - self.held.len()) as u32,
        }
    }

    /// Takes an answer; true where there is nothing to compute.
    pub(super) fn take(&mut self, now: Millis, reply: Reply) -> bool {
        self.session = Some(reply.session);
        // A call has one answer.
        self.call += 1;
        self.finished.retain(|unit| !reply.accepted.contains(unit));
        let front = self.held.front().copied();
        self.held.retain(|unit| !reply.revoked.contains(unit));
        for unit in reply.grants {
            // A request that arrived late tells of earlier times: the coordinator takes for lost, and grants, what is here.
            if !self.held.contains(&unit) && !self.finished.contains(&unit) {
                self.held.push_back(unit);
            }
        }
        if self.held.front().copied() != front {
            self.began = now;
        }
        self.held.is_empty()
    }
}

/// How long a unit takes: 20 to 60 ms, some a hundred times as long.
fn takes(unit: u64) -> Millis {
    let mixed = unit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let usual = 20 + mixed % 40;
    if mixed.is_multiple_of(997) { usual * 100 } else { usual }
}
