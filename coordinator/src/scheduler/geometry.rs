//! The shape of a study as the scheduler sees it: blocks of equal lanes. Knows no model, language or config by name.

use std::ops::Range;

use babelquant_proto::Spec;

/// The lanes of a study, in the order of its units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    blocks: Vec<Block>,
}

/// A run of lanes of one length that need one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The model that its units need.
    pub model: usize,
    /// Its first unit.
    pub start: u64,
    /// Units of a lane.
    pub lane_units: u64,
    /// How many lanes.
    pub lanes: u64,
}

/// A lane: units that share a model and a shard, which one worker likes to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) block: usize,
    /// Its number among the block's.
    pub(crate) index: u64,
}

impl Geometry {
    /// The geometry of these blocks of (model, units of a lane, lanes), one after the other from unit 0.
    pub fn new(blocks: impl IntoIterator<Item = (usize, u64, u64)>) -> Self {
        let mut start = 0;
        let place = |(model, lane_units, lanes)| {
            let block = Block { model, start, lane_units, lanes };
            start += lane_units * lanes;
            block
        };
        Self { blocks: blocks.into_iter().map(place).collect() }
    }

    /// The geometry of a spec: a lane for each unit without a shard, then a lane for each (model, shard).
    pub fn of(spec: &Spec) -> Self {
        let models = || spec.models.iter().enumerate();
        let weights = models().map(|(model, part)| (model, 1, part.weights_units()));
        let quantization = models().map(|(model, part)| (model, 1, part.quantization_units()));
        let shards = spec.shards();
        let cells = models().map(|(model, part)| (model, 1 + part.cells.len() as u64, shards));
        Self::new(weights.chain(quantization).chain(cells))
    }

    /// How many units there are.
    pub fn units(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.start + block.lane_units * block.lanes)
    }

    /// The blocks in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The model that a unit needs.
    pub(crate) fn model(&self, unit: u64) -> usize {
        self.blocks[self.lane(unit).block].model
    }

    /// The lane of a unit of the study.
    pub(crate) fn lane(&self, unit: u64) -> Lane {
        let block = self.blocks.partition_point(|block| block.start <= unit) - 1;
        let Block { start, lane_units, .. } = self.blocks[block];
        Lane { block, index: (unit - start) / lane_units }
    }

    /// The units of a lane.
    pub(crate) fn range(&self, lane: Lane) -> Range<u64> {
        let block = self.blocks[lane.block];
        let start = block.start + lane.index * block.lane_units;
        start..start + block.lane_units
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::UnitIndex;

    use super::*;

    #[test]
    fn lanes_are_those_of_the_spec() {
        let spec = crate::testing::spec(2);
        let geometry = Geometry::of(&spec);
        assert_eq!(geometry.units(), spec.units());
        for unit in 0..spec.units() {
            let lane = geometry.lane(unit);
            assert_eq!(geometry.range(lane), spec.lane(UnitIndex(unit)), "unit {unit}");
            assert_eq!(Some(geometry.model(unit)), spec.unit(UnitIndex(unit)).map(|u| u.model()));
        }
    }
}
