//! What the owner has the store write next, and what follows once it is written or refused. Not the turn that it happens in.

use super::show::show;
use super::troubles::Kind;
use super::writer::{Work, Written};
use super::{Occasion, Owner};
use crate::scheduler::Input;
use crate::store::{Entry, StoreError, told};

/// Results in one commit: what the storage takes at once, and far below the 2 GiB that a column of the journal's format holds. One result
/// is never longer.
const COMMIT_BYTES_MAX: usize = 256 << 20;

/// How many entries of the backlog make the next commit; the first one always.
fn first_commit(backlog: &[Entry]) -> usize {
    let mut bytes = 0;
    for (count, entry) in backlog.iter().enumerate() {
        bytes += entry.bytes();
        if count > 0 && bytes > COMMIT_BYTES_MAX {
            return count;
        }
    }
    backlog.len()
}

fn bytes(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::bytes).sum()
}

impl Owner {
    /// Gives the store its next work, if it has none: parts that are finished, beside them what is not durable, then the manifest once every
    /// unit is closed; where there is none of it, now and then a look whether another coordinator has taken over. A storage that refuses is
    /// tried again at the next tick.
    pub(super) fn write_next(&mut self, occasion: Occasion) {
        self.run.live.metrics.in_flight(bytes(&self.backlog));
        let is_time = |kind| self.troubles.of(kind).is_none() || occasion == Occasion::Tick;
        let (may_commit, may_compact) = (is_time(Kind::Commits), is_time(Kind::Parts));
        if self.complete.is_some() {
            return;
        }
        if may_compact {
            self.writer.compact();
        }
        let Some(store) = self.writer.idle().filter(|_| may_commit) else { return };
        if !self.backlog.is_empty() {
            let entries = self.backlog[..first_commit(&self.backlog)].to_vec();
            self.writer.commit(entries);
        } else if self.scheduler.open() == 0 && !store.is_behind() && !self.writer.is_compacting() {
            self.writer.finish();
        } else if self.troubles.of(Kind::Commits).is_some()
            || self.now().saturating_sub(self.worked) >= self.run.options.lease
        {
            // A storage that was silent is asked until it answers.
            self.writer.look();
        } else {
            return;
        }
        self.worked = self.now();
    }

    /// Takes in what became of the store's work.
    pub(super) fn take_in(&mut self, written: Written) -> Result<(), StoreError> {
        let Written { work, durable, took, outcome } = written;
        let (now, live) = (self.now(), &self.run.live);
        if durable > 0 {
            tracing::debug!(records = durable, "committed");
            live.metrics.committed(bytes(&self.backlog[..durable]), took);
            let mut records = Vec::new();
            for entry in self.backlog.drain(..durable) {
                show(live, &entry, self.losses.remove(&entry.unit()));
                records.push(entry.record());
            }
            self.durable += durable as u64;
            let done = self.rooms.partition_point(|(until, _)| *until <= self.durable);
            self.rooms.drain(..done);
            self.scheduler.step(self.listened, Input::Durable(records));
        }
        match outcome {
            // Nothing waits for the storage: it need not work now.
            Err(error) if work == Work::Look && error.is_transient() => {
                tracing::warn!(reason = told(&error), "cannot see whose the output is");
            }
            outcome => self.note(work, outcome)?,
        }
        if work == Work::Manifest && self.troubles.oldest().is_none() {
            self.complete = Some(now);
        }
        Ok(())
    }

    /// Notes a storage that takes too long: it may answer yet, and until then nothing more is promised.
    pub(super) fn notice_silence(&mut self) {
        if self.troubles.of(Kind::Commits).is_none() && self.is_silent() {
            let silent = self.run.output.silent(self.run.options.silence());
            self.note_failure(Kind::Commits, &silent);
        }
    }

    /// True where a request that somebody waits for has had no answer for too long. Parts are none of them.
    fn is_silent(&self) -> bool {
        self.run.output.unanswered() >= self.run.options.silence()
    }

    /// Notes whether the storage works.
    fn note(&mut self, work: Work, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        let kind = if work == Work::Part { Kind::Parts } else { Kind::Commits };
        match outcome {
            Ok(()) => {
                if (kind == Kind::Parts || !self.is_silent()) && self.troubles.end(kind) {
                    tracing::info!("the output can be written again");
                }
                Ok(())
            }
            Err(error) if error.is_transient() => {
                self.note_failure(kind, &error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn note_failure(&mut self, kind: Kind, error: &StoreError) {
        if self.troubles.add(kind, self.now(), error) {
            let reason = told(error);
            tracing::error!(reason, "nothing is granted until the output can be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::{Digest, UnitIndex};
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_commit_never_outgrows_the_format() {
        let entry = |(unit, mebibytes): (u64, usize)| {
            let payload = Bytes::from(vec![0; mebibytes << 20]);
            Entry::Result { unit: UnitIndex(unit), digest: Digest::of(b""), payload }
        };
        let backlog: Vec<Entry> = [(0, 300), (1, 200), (2, 56), (3, 1)].map(entry).into();
        assert_eq!(first_commit(&backlog), 1);
        assert_eq!(first_commit(&backlog[1..]), 2);
        assert_eq!(first_commit(&backlog[3..]), 1);
    }
}
