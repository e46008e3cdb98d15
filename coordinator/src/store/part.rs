//! Parts: the Parquet files under `data/`, named by the spec alone, and the units whose rows they hold.

use std::ops::Range;

use babelquant_proto::{ShardId, Spec, Unit, UnitIndex};

/// The file of results of some units, or their files where units fill two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Every row of weight statistics.
    Weights,
    /// Every row on a quantized matrix.
    Quantization,
    /// The activation rows of one shard on one model.
    Activations(Place),
    /// The token rows and the document rows of one shard on one model.
    Cells(Place),
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
            Unit::Cell { model, shard, .. } => Self::Cells(Place { model, shard }),
        })
    }

    /// The units of the part that holds `unit`.
    pub(super) fn units(self, spec: &Spec, unit: UnitIndex) -> Range<u64> {
        let lane = spec.lane(unit);
        match self {
            Self::Weights => spec.weights_units(),
            Self::Quantization => spec.quantization_units(),
            Self::Activations(_) => lane.start..lane.start + 1,
            Self::Cells(_) => lane.start + 1..lane.end,
        }
    }

    /// The names of its files, in the order in which they are written: where the last one is, all are.
    pub(super) fn paths(self, spec: &Spec) -> Vec<String> {
        let (tables, Place { model, shard }): (&[&str], Place) = match self {
            Self::Weights => return vec!["data/weights.parquet".to_owned()],
            Self::Quantization => return vec!["data/quantization.parquet".to_owned()],
            Self::Activations(place) => (&["activations"], place),
            Self::Cells(place) => (&["tokens", "documents"], place),
        };
        let language = &spec.corpus[shard.language as usize].language;
        let path = |table: &&str| {
            format!(
                "data/{table}/language={language}/model-{model}-shard-{:05}.parquet",
                shard.shard
            )
        };
        tables.iter().map(path).collect()
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
            paths.extend(part.paths(&spec));
        }
        assert_eq!(units, (0..spec.units()).collect::<Vec<_>>());
        assert_eq!(paths.len(), 2 + 2 * 4 * 3);
        assert_eq!(paths[0], "data/weights.parquet");
        assert_eq!(paths[1], "data/quantization.parquet");
        assert_eq!(paths[2], "data/activations/language=eng/model-0-shard-00000.parquet");
        assert_eq!(paths[24], "data/tokens/language=deu/model-1-shard-00001.parquet");
        assert_eq!(paths[25], "data/documents/language=deu/model-1-shard-00001.parquet");
    }
}
