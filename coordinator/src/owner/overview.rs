//! What the owner shows of a run. Built at ticks, read by any number of watchers; no decision is taken by it.

use std::time::Duration;

use babelquant_proto::UnitIndex;
use babelquant_proto::message::Session;
use babelquant_proto::overview::{Degraded, HeldUnit, Overview, QuarantinedUnit, Worker};

use super::Owner;

/// Lent units that are shown.
const HELD_MAX: usize = 10;
/// Quarantined units that are shown.
const QUARANTINED_MAX: usize = 20;

impl Owner {
    /// The run as it is now.
    pub(super) fn overview(&self) -> Overview {
        let (now, spec) = (self.listened, &self.run.spec);
        let rate = self.scheduler.per_second(now);
        let quarantined = self.scheduler.quarantined();
        let shown = quarantined
            .iter()
            .take(QUARANTINED_MAX)
            .map(|(&unit, fault)| (UnitIndex(unit), fault.to_string()));
        Overview {
            study: self.run.study.clone(),
            state: self.state(),
            degraded: self.troubles.oldest().map(|failing| Degraded {
                since: self.now().saturating_sub(failing.since),
                reason: failing.reason.clone(),
            }),
            epoch: self.epoch,
            units: spec.units(),
            done: self.scheduler.done(),
            granted: self.scheduler.granted(),
            quarantined: quarantined.len() as u64,
            units_per_second: rate,
            left: rate.and_then(|rate| left(self.scheduler.open(), rate)),
            workers: self.workers(now),
            drained: self.scheduler.drained().map(str::to_owned).collect(),
            longest_held: self.longest_held(now),
            quarantined_units: shown
                .filter_map(|(unit, fault)| {
                    let detail = self.details.of(unit);
                    Some(QuarantinedUnit { unit, words: spec.words(unit)?, fault, detail })
                })
                .collect(),
        }
    }

    /// A session's engine class.
    pub(super) fn engine(&self, session: Session) -> String {
        self.classes.of(session).map(|class| class.to_string()).unwrap_or_default()
    }

    fn workers(&self, now: Duration) -> Vec<Worker> {
        let presences = self.scheduler.presences(now);
        presences
            .map(|presence| Worker {
                lacks: presence.missing.iter().map(|&model| self.model(model)).collect(),
                name: presence.worker.to_owned(),
                session: presence.session,
                engine: self.engine(presence.session),
                held: presence.held as u64,
                accepted: presence.accepted,
                units_per_second: presence.per_second,
                last_contact: presence.silent,
                draining: presence.draining,
            })
            .collect()
    }

    fn model(&self, index: usize) -> String {
        self.run.spec.models[index].model.name.clone()
    }

    fn longest_held(&self, now: Duration) -> Vec<HeldUnit> {
        let lent = self.scheduler.longest_held(now, HELD_MAX).into_iter();
        lent.filter_map(|lent| {
            let words = self.run.spec.words(lent.unit)?;
            Some(HeldUnit {
                unit: lent.unit,
                words,
                worker: lent.worker.to_owned(),
                held: lent.held,
            })
        })
        .collect()
    }
}

/// How long so many units take at a rate; `None` where nothing is being finished.
fn left(open: u64, per_second: f64) -> Option<Duration> {
    (per_second > 0.0).then(|| Duration::try_from_secs_f64(open as f64 / per_second).ok())?
}
