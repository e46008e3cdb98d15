//! What is durable in the simulated storage. Checks that nothing becomes durable twice.

use std::collections::BTreeSet;
use std::ops::Range;

use babelquant_coordinator::scheduler::Record;

/// Closed units, one bit each, and the records of faults.
#[derive(Debug)]
pub(crate) struct Journal {
    done: Vec<u64>,
    closed: u64,
    quarantined: BTreeSet<u64>,
    faults: Vec<Record>,
}

impl Journal {
    pub(crate) fn new(units: u64) -> Self {
        let done = vec![0; units.div_ceil(64) as usize];
        Self { done, closed: 0, quarantined: BTreeSet::new(), faults: Vec::new() }
    }

    pub(crate) fn write(&mut self, record: &Record) {
        let unit = record.unit().0;
        let again = self.is_closed(unit);
        match record {
            Record::Done { .. } => {
                assert!(!again, "unit {unit} is closed twice");
                self.done[(unit / 64) as usize] |= 1 << (unit % 64);
                self.closed += 1;
            }
            Record::Quarantine { .. } => {
                assert!(!again, "unit {unit} is closed twice");
                self.quarantined.insert(unit);
                self.closed += 1;
                self.faults.push(record.clone());
            }
            Record::Charge { .. } => self.faults.push(record.clone()),
        }
    }

    pub(crate) fn is_closed(&self, unit: u64) -> bool {
        self.done[(unit / 64) as usize] >> (unit % 64) & 1 == 1 || self.quarantined.contains(&unit)
    }

    pub(crate) fn closed(&self) -> u64 {
        self.closed
    }

    pub(crate) fn quarantined(&self) -> &BTreeSet<u64> {
        &self.quarantined
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.faults.clone()
    }

    /// The done units as ranges: whole words at once, as a store that lists parts would.
    pub(crate) fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut add = |range: Range<u64>| match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        };
        for (first, &bits) in (0..).step_by(64).zip(&self.done) {
            if bits == 0 {
                continue;
            }
            if bits == u64::MAX {
                add(first..first + 64);
                continue;
            }
            let set = (first..first + 64).filter(|unit| bits >> (unit % 64) & 1 == 1);
            set.for_each(|unit| add(unit..unit + 1));
        }
        ranges
    }
}
