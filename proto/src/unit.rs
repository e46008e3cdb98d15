//! Units: the pieces of work, as index arithmetic over a spec. Never a list: a study of ten million units costs nothing here.
//!
//! Order: for each model its `Weights` units (the encoder's layers, the decoder's, the tensors outside the layers); for each model its
//! `Quantization` units (the encoder's layers, the decoder's, the tables outside the layers where a scope holds them); then for each
//! model, language and shard one `Baseline` unit followed by one `Cell` unit for each (scope, config) pair. The units of a (model,
//! shard) are contiguous: a *lane*, which one worker likes to keep.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::components::Components;
use crate::layer::Layer;
use crate::quant::QuantConfig;
use crate::scope::Scope;
use crate::shard::ShardId;
use crate::spec::{ModelPart, Spec};

/// The number of a unit in the study's fixed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitIndex(pub u64);

impl fmt::Display for UnitIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A piece of work; `model` is an index into `Spec::models`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit<'a> {
    /// Statistics of the weights of one layer, or (`None`) of the tensors outside the layers.
    Weights {
        /// Which model.
        model: usize,
        /// Which layer.
        layer: Option<Layer>,
    },
    /// What the study's configs do to the matrices of one layer, or (`None`) to the tables outside the layers.
    Quantization {
        /// Which model.
        model: usize,
        /// Which layer.
        layer: Option<Layer>,
    },
    /// Activation statistics of one shard in full precision.
    Baseline {
        /// Which model.
        model: usize,
        /// Which shard.
        shard: ShardId,
    },
    /// Scores of one shard with the scope quantized by the config.
    Cell {
        /// Which model.
        model: usize,
        /// Which shard.
        shard: ShardId,
        /// Which weights.
        scope: &'a Scope,
        /// How.
        config: &'a QuantConfig,
    },
}

impl Unit<'_> {
    /// The model that the unit needs.
    pub fn model(&self) -> usize {
        match *self {
            Self::Weights { model, .. }
            | Self::Quantization { model, .. }
            | Self::Baseline { model, .. }
            | Self::Cell { model, .. } => model,
        }
    }

    /// The shard whose text the unit needs.
    pub fn shard(&self) -> Option<ShardId> {
        match *self {
            Self::Weights { .. } | Self::Quantization { .. } => None,
            Self::Baseline { shard, .. } | Self::Cell { shard, .. } => Some(shard),
        }
    }
}

impl ModelPart {
    /// How many `Weights` units the model has: one for each layer and one for the tensors outside them.
    pub fn weights_units(&self) -> u64 {
        u64::from(self.model.shape.depth()) + 1
    }

    /// How many `Quantization` units the model has: one for each layer and one for the tables outside them, where a scope holds these;
    /// none where no config changes a weight.
    pub fn quantization_units(&self) -> u64 {
        let layers = if self.cells.quantize() { self.model.shape.depth() } else { 0 };
        u64::from(layers) + u64::from(self.cells.quantize_outside_layers())
    }

    /// The distinct configs that cells apply to a matrix with these components in `layer`, or (`None`) outside the layers, in the order of
    /// the cells; of a mixed map the one for this layer. The identity is left out. A scope that the weights decide may hold any layer.
    pub fn configs_of(&self, layer: Option<Layer>, components: &Components) -> Vec<QuantConfig> {
        let mut seen = BTreeSet::new();
        let touches = |scope: &Scope| match layer {
            None => scope.outside_layers().shares(components),
            Some(layer) => {
                scope.layers.possible(&self.model.shape).contains(&layer)
                    && scope.components.shares(components)
            }
        };
        let touching = self.cells.iter().filter(|(scope, _)| touches(scope));
        let configs = touching.filter_map(|(_, config)| config.of_layer(layer));
        configs.filter(|config| seen.insert(config.clone())).collect()
    }

    fn lane_units(&self) -> u64 {
        1 + self.cells.len() as u64
    }
}

impl Spec {
    /// How many units the study has.
    pub fn units(&self) -> u64 {
        let shards = self.shards();
        let of = |part: &ModelPart| {
            part.weights_units() + part.quantization_units() + shards * part.lane_units()
        };
        self.models.iter().map(of).sum()
    }

    /// The `Weights` units of all models.
    pub fn weights_units(&self) -> Range<u64> {
        0..self.models.iter().map(ModelPart::weights_units).sum()
    }

    /// The `Quantization` units of all models.
    pub fn quantization_units(&self) -> Range<u64> {
        let start = self.weights_units().end;
        start..start + self.models.iter().map(ModelPart::quantization_units).sum::<u64>()
    }

    /// The unit of this number; `None` past the last one.
    pub fn unit(&self, UnitIndex(index): UnitIndex) -> Option<Unit<'_>> {
        let mut rest = index;
        for (model, part) in self.models.iter().enumerate() {
            if rest < part.weights_units() {
                let layer = part.model.shape.stacked_layers().nth(rest as usize);
                return Some(Unit::Weights { model, layer });
            }
            rest -= part.weights_units();
        }
        for (model, part) in self.models.iter().enumerate() {
            if rest < part.quantization_units() {
                let layer = part.model.shape.stacked_layers().nth(rest as usize);
                return Some(Unit::Quantization { model, layer });
            }
            rest -= part.quantization_units();
        }
        let shards = self.shards();
        for (model, part) in self.models.iter().enumerate() {
            if rest < shards * part.lane_units() {
                let shard = self.shard_at(rest / part.lane_units())?;
                return Some(match rest % part.lane_units() {
                    0 => Unit::Baseline { model, shard },
                    cell => {
                        let (scope, config) = &part.cells[cell as usize - 1];
                        Unit::Cell { model, shard, scope, config }
                    }
                });
            }
            rest -= shards * part.lane_units();
        }
        None
    }

    /// The contiguous units that share a (model, shard) with this one; a unit without a shard is alone.
    pub fn lane(&self, UnitIndex(index): UnitIndex) -> Range<u64> {
        let mut start = self.quantization_units().end;
        if index < start {
            return index..index + 1;
        }
        let shards = self.shards();
        for part in &self.models {
            let block = shards * part.lane_units();
            if index < start + block {
                let lane = (index - start) / part.lane_units();
                let first = start + lane * part.lane_units();
                return first..first + part.lane_units();
            }
            start += block;
        }
        index..index + 1
    }

    /// How many shards the corpus has, over all languages.
    pub fn shards(&self) -> u64 {
        self.corpus.iter().map(|language| language.shards.len() as u64).sum()
    }

    fn shard_at(&self, mut index: u64) -> Option<ShardId> {
        for (language, corpus) in (0..).zip(&self.corpus) {
            let shards = corpus.shards.len() as u64;
            if index < shards {
                return Some(ShardId { language, shard: u32::try_from(index).ok()? });
            }
            index -= shards;
        }
        None
    }
}
