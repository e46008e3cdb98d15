//! Charges: how often a unit broke, and on whom. Decides when a unit is given up; not what is granted otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Fault;

/// So many charges quarantine a unit.
pub(super) const CHARGES_MAX: usize = 3;

/// The workers that charged each open unit, by an index into the names.
#[derive(Debug, Clone, Default)]
pub(super) struct Charges {
    names: Vec<String>,
    by_unit: BTreeMap<u64, Vec<u32>>,
    suspects: BTreeSet<u64>,
    /// The most bytes of memory that open units have run out of.
    too_little: BTreeMap<u64, u64>,
}

impl Charges {
    /// True where one more charge by `worker` is the last: three in all, on two workers unless only one is alive.
    pub(super) fn is_last(&self, unit: u64, worker: &str, alive: impl FnOnce() -> usize) -> bool {
        let before = self.by_unit.get(&unit).map_or(&[][..], Vec::as_slice);
        let others = before.iter().any(|&name| self.names[name as usize] != worker);
        before.len() + 1 >= CHARGES_MAX && (others || alive() < 2)
    }

    /// Charges the unit. A unit that broke twice, or ran out of memory, becomes a suspect: granted alone, when nothing else is
    /// left. True where it is one.
    pub(super) fn add(&mut self, unit: u64, worker: &str, fault: Fault) -> bool {
        let known = self.names.iter().position(|name| name == worker);
        let name = known.unwrap_or_else(|| {
            self.names.push(worker.to_owned());
            self.names.len() - 1
        });
        let charges = self.by_unit.entry(unit).or_default();
        charges.push(name as u32);
        let suspect = charges.len() >= CHARGES_MAX - 1 || fault == Fault::OUT_OF_MEMORY;
        if suspect {
            self.suspects.insert(unit);
        }
        self.suspects.contains(&unit)
    }

    /// Forgets a closed unit.
    pub(super) fn forget(&mut self, unit: u64) {
        self.by_unit.remove(&unit);
        self.suspects.remove(&unit);
        self.too_little.remove(&unit);
    }

    /// Forgets the closed ones among all units.
    pub(super) fn forget_closed(&mut self, is_closed: impl Fn(u64) -> bool) {
        self.by_unit.retain(|&unit, _| !is_closed(unit));
        self.suspects.retain(|&unit| !is_closed(unit));
    }

    /// Notes that a unit ran out of so many bytes of memory.
    pub(super) fn ran_out(&mut self, unit: u64, bytes: u64) {
        let most = self.too_little.entry(unit).or_default();
        *most = bytes.max(*most);
    }

    /// The most bytes of memory that an open unit has run out of.
    pub(super) fn too_little(&self, unit: u64) -> Option<u64> {
        self.too_little.get(&unit).copied()
    }

    pub(super) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    pub(super) fn is_suspect(&self, unit: u64) -> bool {
        self.suspects.contains(&unit)
    }

    /// The suspects that `worker` may try, in order: while others are alive, not those that broke on it alone.
    pub(super) fn suspects_for(
        &self,
        worker: &str,
        others_alive: bool,
    ) -> impl Iterator<Item = u64> {
        let barred = move |unit: u64| others_alive && self.broke_on_alone(unit, worker);
        self.suspects.iter().copied().filter(move |&unit| !barred(unit))
    }

    /// True where a unit broke on no other worker than this one.
    pub(super) fn broke_on_alone(&self, unit: u64, worker: &str) -> bool {
        let charges = self.by_unit.get(&unit).map_or(&[][..], Vec::as_slice);
        charges.iter().all(|&name| self.names[name as usize] == worker)
    }
}
