//! The overview ↔ its wire message. Not the other messages.

use std::time::Duration;

use super::{ConvertError, try_all};
use crate::message::Session;
use crate::overview::{Degraded, HeldUnit, Overview, QuarantinedUnit, Worker};
use crate::unit::UnitIndex;
use crate::wire;
use crate::words::Words;

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<&Overview> for wire::StatusReply {
    fn from(overview: &Overview) -> Self {
        Self {
            units: overview.units,
            done: overview.done,
            granted: overview.granted,
            quarantined: overview.quarantined,
            workers: u32::try_from(overview.workers.len()).unwrap_or(u32::MAX),
            state: wire::RunState::from(overview.state).into(),
            study: overview.study.clone(),
            epoch: overview.epoch,
            degraded: overview.degraded.as_ref().map(|degraded| wire::Degraded {
                since_ms: milliseconds(degraded.since),
                reason: degraded.reason.clone(),
            }),
            units_per_second: overview.units_per_second,
            left_ms: overview.left.map(milliseconds),
            each_worker: overview.workers.iter().map(Into::into).collect(),
            drained: overview.drained.clone(),
            longest_held: overview.longest_held.iter().map(Into::into).collect(),
            quarantined_units: overview.quarantined_units.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::StatusReply> for Overview {
    type Error = ConvertError;

    fn try_from(reply: wire::StatusReply) -> Result<Self, ConvertError> {
        Ok(Self {
            state: reply.state().try_into()?,
            study: reply.study,
            degraded: reply.degraded.map(|degraded| Degraded {
                since: Duration::from_millis(degraded.since_ms),
                reason: degraded.reason,
            }),
            epoch: reply.epoch,
            units: reply.units,
            done: reply.done,
            granted: reply.granted,
            quarantined: reply.quarantined,
            units_per_second: reply.units_per_second,
            left: reply.left_ms.map(Duration::from_millis),
            workers: super::all(reply.each_worker),
            drained: reply.drained,
            longest_held: try_all(reply.longest_held)?,
            quarantined_units: try_all(reply.quarantined_units)?,
        })
    }
}

impl From<&Worker> for wire::WorkerStatus {
    fn from(worker: &Worker) -> Self {
        Self {
            name: worker.name.clone(),
            session: worker.session.0,
            engine: worker.engine.clone(),
            held: worker.held,
            accepted: worker.accepted,
            units_per_second: worker.units_per_second,
            last_contact_ms: milliseconds(worker.last_contact),
            draining: worker.draining,
            lacks: worker.lacks.clone(),
        }
    }
}

impl From<wire::WorkerStatus> for Worker {
    fn from(worker: wire::WorkerStatus) -> Self {
        Self {
            name: worker.name,
            session: Session(worker.session),
            engine: worker.engine,
            held: worker.held,
            accepted: worker.accepted,
            units_per_second: worker.units_per_second,
            last_contact: Duration::from_millis(worker.last_contact_ms),
            draining: worker.draining,
            lacks: worker.lacks,
        }
    }
}

impl From<&HeldUnit> for wire::HeldUnit {
    fn from(held: &HeldUnit) -> Self {
        Self {
            unit: held.unit.0,
            words: Some((&held.words).into()),
            worker: held.worker.clone(),
            held_ms: milliseconds(held.held),
        }
    }
}

impl TryFrom<wire::HeldUnit> for HeldUnit {
    type Error = ConvertError;

    fn try_from(held: wire::HeldUnit) -> Result<Self, ConvertError> {
        Ok(Self {
            unit: UnitIndex(held.unit),
            words: held.words.ok_or(ConvertError::Field("words"))?.try_into()?,
            worker: held.worker,
            held: Duration::from_millis(held.held_ms),
        })
    }
}

impl From<&QuarantinedUnit> for wire::QuarantinedUnit {
    fn from(unit: &QuarantinedUnit) -> Self {
        let words = Some((&unit.words).into());
        let (fault, detail) = (unit.fault.clone(), unit.detail.clone());
        Self { unit: unit.unit.0, words, fault, detail }
    }
}

impl TryFrom<wire::QuarantinedUnit> for QuarantinedUnit {
    type Error = ConvertError;

    fn try_from(unit: wire::QuarantinedUnit) -> Result<Self, ConvertError> {
        let words = unit.words.ok_or(ConvertError::Field("words"))?.try_into()?;
        let (fault, detail) = (unit.fault, unit.detail);
        Ok(Self { unit: UnitIndex(unit.unit), words, fault, detail })
    }
}

impl From<&Words> for wire::Words {
    fn from(words: &Words) -> Self {
        let Words { kind, model, layer, language, shard, scope, config } = words.clone();
        let kind = wire::UnitKind::from(kind).into();
        Self { kind, model, layer, language, shard, scope, config }
    }
}

impl TryFrom<wire::Words> for Words {
    type Error = ConvertError;

    fn try_from(words: wire::Words) -> Result<Self, ConvertError> {
        let kind = words.kind().try_into()?;
        let wire::Words { model, layer, language, shard, scope, config, .. } = words;
        Ok(Self { kind, model, layer, language, shard, scope, config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RunState;
    use crate::words::Kind;

    #[test]
    fn an_overview_survives_the_wire() {
        let words = Words {
            kind: Kind::Cell,
            model: "m".to_owned(),
            layer: None,
            language: Some("fin".to_owned()),
            shard: Some(3),
            scope: Some("only(2) mlp".to_owned()),
            config: Some("int4-channel".to_owned()),
        };
        assert_eq!(words.to_string(), "m on fin shard 3: only(2) mlp int4-channel");
        let overview = Overview {
            state: RunState::Degraded,
            degraded: Some(Degraded { since: Duration::from_secs(3), reason: "full".to_owned() }),
            epoch: 2,
            done: 4,
            granted: 1,
            quarantined: 1,
            units_per_second: Some(0.25),
            left: Some(Duration::from_secs(20)),
            workers: vec![Worker {
                name: "a".to_owned(),
                session: Session(7),
                engine: "cpu".to_owned(),
                held: 1,
                accepted: 4,
                units_per_second: None,
                last_contact: Duration::from_millis(1500),
                draining: true,
                lacks: vec!["m".to_owned()],
            }],
            drained: vec!["a*".to_owned()],
            longest_held: vec![HeldUnit {
                unit: UnitIndex(5),
                words: words.clone(),
                worker: "a".to_owned(),
                held: Duration::from_secs(1),
            }],
            quarantined_units: vec![QuarantinedUnit {
                unit: UnitIndex(6),
                words,
                fault: "crash".to_owned(),
                detail: "the engine panicked".to_owned(),
            }],
            ..Overview::unopened("s".to_owned(), 10)
        };
        let back = Overview::try_from(wire::StatusReply::from(&overview)).unwrap();
        assert_eq!(back, overview);
        let json = serde_json::to_value(&overview).unwrap();
        assert_eq!(json["workers"][0]["last_contact_seconds"], 1.5);
        assert_eq!((&json["state"], &json["seconds_left"]), (&"degraded".into(), &20.0.into()));
        assert_eq!(json["longest_held"][0]["language"], "fin");
    }
}
