//! A unit in words, for people and for `status --json`. Not its number and not its work (`Unit`).

use std::fmt;

use serde::Serialize;

use crate::layer::Layer;
use crate::shard::ShardId;
use crate::spec::Spec;
use crate::unit::{Unit, UnitIndex};

/// What a unit is, spelled as in the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// What is measured.
    pub kind: Kind,
    /// The model's name.
    pub model: String,
    /// The layer; none outside the layers and for units of a shard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The shard's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The shard's number in its language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
    /// Which weights are quantized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How they are quantized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
}

/// The kinds of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Statistics of the weights.
    Weights,
    /// What the configs do to the weights.
    Quantization,
    /// Activations of the model as it is.
    Baseline,
    /// Scores of the quantized model.
    Cell,
}

impl Spec {
    /// The unit of this number in words; `None` past the last one.
    pub fn words(&self, unit: UnitIndex) -> Option<Words> {
        let words = |kind, model: usize| Words {
            kind,
            model: self.models[model].model.name.clone(),
            layer: None,
            language: None,
            shard: None,
            scope: None,
            config: None,
        };
        let of_layer = |kind, model, layer: Option<Layer>| Words {
            layer: layer.map(|layer| layer.to_string()),
            ..words(kind, model)
        };
        let of_shard = |kind, model, ShardId { language, shard }| Words {
            language: Some(self.corpus[language as usize].language.to_string()),
            shard: Some(shard),
            ..words(kind, model)
        };
        Some(match self.unit(unit)? {
            Unit::Weights { model, layer } => of_layer(Kind::Weights, model, layer),
            Unit::Quantization { model, layer } => of_layer(Kind::Quantization, model, layer),
            Unit::Baseline { model, shard } => of_shard(Kind::Baseline, model, shard),
            Unit::Cell { model, shard, scope, config } => Words {
                scope: Some(scope.to_string()),
                config: Some(config.to_string()),
                ..of_shard(Kind::Cell, model, shard)
            },
        })
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, .. } = self;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let place = match &self.layer {
            Some(layer) => format!("layer {layer}"),
            None => "outside the layers".to_owned(),
        };
        let shard = format!("{} shard {}", text(&self.language), self.shard.unwrap_or_default());
        match self.kind {
            Kind::Weights => write!(f, "weights of {model} {place}"),
            Kind::Quantization => write!(f, "quantization of {model} {place}"),
            Kind::Baseline => write!(f, "baseline of {model} on {shard}"),
            Kind::Cell => {
                write!(f, "{model} on {shard}: {} {}", text(&self.scope), text(&self.config))
            }
        }
    }
}
