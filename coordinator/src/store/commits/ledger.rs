//! The books of the writer: which results wait in the journal, which parts are complete, which commits are still needed. Pure;
//! the writing is done by its owner.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use babelquant_proto::{Digest, Spec, UnitIndex};
use bytes::Bytes;

use crate::scheduler::Fault;
use crate::store::journal::{Entry, Placed};
use crate::store::part::Part;

/// Payloads kept in memory until their part is written, at most; beyond it they are read back from the journal, each alone.
const PAYLOAD_BYTES_MAX: usize = 256 << 20;

/// The name of a group commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CommitName {
    pub(super) epoch: u32,
    pub(super) number: u32,
}

impl CommitName {
    pub(super) fn path(self) -> String {
        format!("journal/{:08}-{:08}.arrow", self.epoch, self.number)
    }

    pub(super) fn parse(path: &str) -> Option<Self> {
        let name = path.strip_prefix("journal/")?.strip_suffix(".arrow")?;
        let (epoch, number) = name.split_once('-')?;
        Some(Self { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
    }
}

/// A result that waits for its part.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) commit: CommitName,
    /// Which bytes of the commit's object it is.
    pub(super) bytes: Range<u64>,
    pub(super) digest: Digest,
    /// The bytes themselves, where they are in memory.
    pub(super) payload: Option<Bytes>,
}

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    spec: Arc<Spec>,
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
    waiting_bytes_max: usize,
    quarantined: BTreeMap<u64, Fault>,
    /// Units of a started part that are neither done nor quarantined; an absent part is not started.
    missing: BTreeMap<Part, u64>,
    /// Complete parts with their first unit.
    ready: BTreeMap<Part, UnitIndex>,
    written: BTreeMap<Part, UnitIndex>,
    /// The commits that mention a unit which does not stand under `data/` yet.
    mentions: BTreeMap<u64, Vec<CommitName>>,
    /// How many such mentions each commit has; a quarantine counts for ever.
    needed: BTreeMap<CommitName, u64>,
}

impl Ledger {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        Self {
            spec,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            waiting_bytes_max: PAYLOAD_BYTES_MAX,
            quarantined: BTreeMap::new(),
            missing: BTreeMap::new(),
            ready: BTreeMap::new(),
            written: BTreeMap::new(),
            mentions: BTreeMap::new(),
            needed: BTreeMap::new(),
        }
    }

    /// Keeps so many bytes of results in memory from now on.
    #[cfg(test)]
    pub(super) fn keep(&mut self, bytes: usize) {
        self.waiting_bytes_max = bytes;
    }

    /// A part that stands under `data/` already.
    pub(super) fn found(&mut self, part: Part, first: UnitIndex) {
        self.written.insert(part, first);
    }

    /// Enters a durable entry. What closes a unit first counts; whatever closes it otherwise is reported.
    pub(super) fn add(&mut self, commit: CommitName, (entry, bytes): Placed) {
        let unit = entry.unit();
        let Some(part) = Part::of(&self.spec, unit) else { return };
        if self.is_settled(unit) {
            let is_other = match entry {
                Entry::Result { digest, .. } => self.digest(unit) != Some(digest),
                Entry::Quarantine { .. } => self.waiting.contains_key(&unit.0),
                Entry::Charge { .. } => false,
            };
            if is_other {
                tracing::error!(%unit, "the journal closes a unit twice and differently; the first counts");
            }
            return;
        }
        let is_written = self.is_written(part);
        if let Entry::Quarantine { fault, .. } = entry {
            *self.needed.entry(commit).or_insert(0) += 1;
            self.quarantined.insert(unit.0, fault);
            if !is_written {
                self.resolve(part, unit);
            }
            return;
        }
        if is_written {
            return;
        }
        if let Entry::Result { digest, payload, .. } = entry {
            let fits = self.waiting_bytes + payload.len() <= self.waiting_bytes_max;
            // Alone: what was sent with it is longer, and would stay as long.
            let payload = fits.then(|| Bytes::copy_from_slice(&payload));
            self.waiting_bytes += payload.as_ref().map_or(0, Bytes::len);
            self.waiting.insert(unit.0, Waiting { commit, bytes, digest, payload });
            self.resolve(part, unit);
        }
        self.mentions.entry(unit.0).or_default().push(commit);
        *self.needed.entry(commit).or_insert(0) += 1;
    }

    /// A complete part that is not written.
    pub(super) fn ready(&self) -> Option<(Part, UnitIndex)> {
        self.ready.first_key_value().map(|(&part, &first)| (part, first))
    }

    /// The part is written. Returns the commits that nobody needs any more.
    pub(super) fn finish(&mut self, part: Part, first: UnitIndex) -> Vec<CommitName> {
        self.ready.remove(&part);
        let units = part.units(&self.spec, first);
        let mut superfluous = BTreeSet::new();
        let mut rows = false;
        for unit in units {
            if self.quarantined.contains_key(&unit) {
                continue;
            }
            if let Some(waiting) = self.waiting.remove(&unit) {
                self.waiting_bytes -= waiting.payload.map_or(0, |payload| payload.len());
                rows = true;
            }
            for commit in self.mentions.remove(&unit).unwrap_or_default() {
                let needed = self.needed.entry(commit).or_insert(1);
                *needed -= 1;
                if *needed == 0 {
                    self.needed.remove(&commit);
                    superfluous.insert(commit);
                }
            }
        }
        if rows {
            self.written.insert(part, first);
        }
        superfluous.into_iter().collect()
    }

    /// True where no unit of the commit is needed.
    pub(super) fn is_superfluous(&self, commit: CommitName) -> bool {
        !self.needed.contains_key(&commit)
    }

    /// The digest of a result that waits for its part.
    pub(super) fn digest(&self, unit: UnitIndex) -> Option<Digest> {
        self.waiting.get(&unit.0).map(|waiting| waiting.digest)
    }

    /// The results of a part, in unit order; units that are given up have none.
    pub(super) fn results(&self, part: Part, first: UnitIndex) -> Vec<(UnitIndex, Waiting)> {
        let waiting = self.waiting.range(part.units(&self.spec, first));
        waiting.map(|(&unit, waiting)| (UnitIndex(unit), waiting.clone())).collect()
    }

    /// True where the part stands under `data/`.
    pub(super) fn is_written(&self, part: Part) -> bool {
        self.written.contains_key(&part)
    }

    /// True for a unit of a part that is not written, which has a result or is given up.
    pub(super) fn is_settled(&self, unit: UnitIndex) -> bool {
        self.waiting.contains_key(&unit.0) || self.quarantined.contains_key(&unit.0)
    }

    pub(super) fn quarantined(&self) -> impl Iterator<Item = (u64, Fault)> + '_ {
        self.quarantined.iter().map(|(&unit, &fault)| (unit, fault))
    }

    /// The units of written parts.
    pub(super) fn written(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.written.iter().map(|(part, &first)| part.units(&self.spec, first))
    }

    /// One more unit of the part is done or quarantined.
    fn resolve(&mut self, part: Part, unit: UnitIndex) {
        let units = part.units(&self.spec, unit);
        let missing = self.missing.entry(part).or_insert(units.end - units.start);
        *missing -= 1;
        if *missing == 0 {
            self.missing.remove(&part);
            self.ready.insert(part, UnitIndex(units.start));
        }
    }
}
