//! Parts: the Parquet files under `data/`, named by the spec alone, and the units whose rows each holds.

use std::ops::Range;

use babelquant_proto::{ShardId, Spec, Unit, UnitIndex};

/// A file of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Every row of weight statistics.
    Weights,
    /// Every row on a quantized matrix.
    Quantization,
    /// The activation rows of one shard on one model.
    Activations(Place),
    /// The document rows of one shard on one model.
    Documents(Place),
}

/// A (model, shard).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) model: usize,
    pub(super) shard: ShardId,
}

impl Part {
    /// The part that holds the rows of a unit; `None` for a unit that the study does not have.
    pub(super) fn of(spec: &Spec, unit: UnitIndex) -> Option<Self> {
        Some(match spec.unit(unit)? {
            Unit::Weights { .. } => Self::Weights,
            Unit::Quantization { .. } => Self::Quantization,
            Unit::Baseline { model, shard } => Self::Activations(Place { model, shard }),
            Unit::Cell { model, shard, .. } => Self::Documents(Place { model, shard }),
        })
    }

    /// The units of the part that holds `unit`.
    pub(super) fn units(self, spec: &Spec, unit: UnitIndex) -> Range<u64> {
        let lane = spec.lane(unit);
        match self {
            Self::Weights => spec.weights_units(),
            Self::Quantization => spec.quantization_units(),
            Self::Activations(_) => lane.start..lane.start + 1,
            Self::Documents(_) => lane.start + 1..lane.end,
        }
    }

    /// Its name.
    pub(super) fn path(self, spec: &Spec) -> String {
        let (table, Place { model, shard }) = match self {
            Self::Weights => return "data/weights.parquet".to_owned(),
            Self::Quantization => return "data/quantization.parquet".to_owned(),
            Self::Activations(place) => ("activations", place),
            Self::Documents(place) => ("documents", place),
        };
        let language = &spec.corpus[shard.language as usize].language;
        format!("data/{table}/language={language}/model-{model}-shard-{:05}.parquet", shard.shard)
    }

    /// Every part of a study with its first unit, in unit order.
    pub(super) fn all(spec: &Spec) -> impl Iterator<Item = (Self, UnitIndex)> + '_ {
        let mut next = 0;
        std::iter::from_fn(move || {
            let unit = UnitIndex(next);
            let part = Self::of(spec, unit)?;
            next = part.units(spec, unit).end;
            Some((part, unit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_unit_once() {
        let spec = crate::testing::spec(2);
        let mut units = Vec::new();
        let mut paths = Vec::new();
        for (part, first) in Part::all(&spec) {
            for unit in part.units(&spec, first) {
                assert_eq!(Part::of(&spec, UnitIndex(unit)), Some(part));
                units.push(unit);
            }
            paths.push(part.path(&spec));
        }
        assert_eq!(units, (0..spec.units()).collect::<Vec<_>>());
        assert_eq!(paths.len(), 2 + 2 * 4 * 2);
        assert_eq!(paths[0], "data/weights.parquet");
        assert_eq!(paths[1], "data/quantization.parquet");
        assert_eq!(paths[2], "data/activations/language=eng/model-0-shard-00000.parquet");
        assert_eq!(paths[17], "data/documents/language=deu/model-1-shard-00001.parquet");
    }
}
