//! What the owner tells `live` of results. Nothing is decided by it.

use std::collections::BTreeMap;
use std::time::Duration;

use babelquant_proto::message::{Session, VerdictKind};
use babelquant_proto::{Spec, Unit, UnitIndex};

use super::Owner;
use super::answer::Waiting;
use crate::live::{Live, Loss};
use crate::scheduler::{Scheduler, Standing};
use crate::store::Entry;

impl Owner {
    /// For how long units have been lent to a session; those that it does not hold are left out.
    pub(super) fn held<'a>(
        &self,
        now: Duration,
        session: Session,
        units: impl Iterator<Item = &'a UnitIndex>,
    ) -> BTreeMap<UnitIndex, Duration> {
        units.filter_map(|&unit| Some((unit, self.scheduler.held(now, session, unit)?))).collect()
    }

    /// Shows what became of a worker's results and how long they took; keeps what the accepted ones say until they are durable.
    pub(super) fn show_report(
        &mut self,
        (session, waiting): (Session, &Waiting),
        held: &BTreeMap<UnitIndex, Duration>,
        mut losses: BTreeMap<UnitIndex, Loss>,
    ) {
        waiting.verdicts.iter().for_each(|verdict| self.run.live.metrics.judged(verdict.kind));
        if waiting.accepted.is_empty() {
            return;
        }
        let engine = self.engine(session);
        for &unit in &waiting.accepted {
            if let Some(&took) = held.get(&unit) {
                self.run.live.metrics.computed(&engine, config(&self.run.spec, unit), took);
            }
            self.losses.extend(losses.remove(&unit).map(|loss| (unit, loss)));
        }
    }
}

/// Shows an entry that has become durable.
pub(super) fn show(live: &Live, entry: &Entry, loss: Option<Loss>) {
    match entry {
        Entry::Result { unit, .. } => {
            live.metrics.judged(VerdictKind::Durable);
            live.measured(*unit, loss);
        }
        Entry::Quarantine { unit, .. } => live.lost(*unit),
        Entry::Charge { .. } => {}
    }
}

/// Shows what earlier coordinators have done; what it says is not read again.
pub(super) fn show_earlier(live: &Live, scheduler: &Scheduler, spec: &Spec) {
    let Some(mut grid) = live.grid() else { return };
    for unit in (spec.quantization_units().end..spec.units()).map(UnitIndex) {
        match scheduler.standing(unit) {
            Standing::Done => grid.measured(unit, None),
            Standing::Quarantined(_) => grid.lost(unit),
            Standing::Open | Standing::Unknown => {}
        }
    }
}

/// The config of a cell.
fn config(spec: &Spec, unit: UnitIndex) -> Option<String> {
    match spec.unit(unit)? {
        Unit::Cell { config, .. } => Some(config.to_string()),
        Unit::Weights { .. } | Unit::Quantization { .. } | Unit::Baseline { .. } => None,
    }
}
