//! Mixed maps: one config for some layers, others for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{CalibrationSet, WeightConfig};
use crate::layer::Layer;
use crate::scope;

/// What is done to each layer: `mixed(0,9,11=int8-channel;rest=int4-group128)`; `none` leaves layers as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mixed {
    layers: BTreeMap<Layer, Option<WeightConfig>>,
    rest: Option<WeightConfig>,
}

impl Mixed {
    /// The map; layers that say what `rest` says anyway are dropped.
    pub fn new(
        mut layers: BTreeMap<Layer, Option<WeightConfig>>,
        rest: Option<WeightConfig>,
    ) -> Self {
        layers.retain(|_, config| *config != rest);
        Self { layers, rest }
    }

    /// What is done to a layer, or (`None`) to what stands outside the layers, which belongs to the rest.
    pub fn at(&self, layer: Option<Layer>) -> Option<&WeightConfig> {
        let named = layer.and_then(|layer| self.layers.get(&layer));
        named.unwrap_or(&self.rest).as_ref()
    }

    /// The layers that the map names.
    pub fn named(&self) -> impl Iterator<Item = Layer> + '_ {
        self.layers.keys().copied()
    }

    /// Every config in it.
    pub fn configs(&self) -> impl Iterator<Item = &WeightConfig> {
        self.layers.values().chain([&self.rest]).flatten()
    }

    /// The same map with every config changed by `f`.
    pub(super) fn map(self, f: impl Fn(WeightConfig) -> WeightConfig) -> Self {
        let layers = self.layers.into_iter().map(|(layer, config)| (layer, config.map(&f)));
        Self::new(layers.collect(), self.rest.map(&f))
    }

    /// The map between the parentheses of its spelling; `open` is the set of calibrated rules that name none.
    pub(super) fn parse(text: &str, open: Option<&CalibrationSet>) -> Option<Self> {
        let mut layers = BTreeMap::new();
        let mut rest = None;
        for part in text.split(';') {
            let (place, config) = part.trim().split_once('=')?;
            let config = match config.trim() {
                "none" => None,
                config => Some(WeightConfig::parse(config, open)?),
            };
            if place.trim() == "rest" {
                if rest.replace(config).is_some() {
                    return None;
                }
                continue;
            }
            for layer in scope::parse_list(place).ok()? {
                if layers.insert(layer, config.clone()).is_some() {
                    return None;
                }
            }
        }
        Some(Self::new(layers, rest?))
    }
}

impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelled = |config: &Option<WeightConfig>| match config {
            Some(config) => config.to_string(),
            None => "none".to_owned(),
        };
        let mut parts: Vec<(BTreeSet<Layer>, &Option<WeightConfig>)> = Vec::new();
        for (&layer, config) in &self.layers {
            match parts.iter_mut().find(|(_, known)| *known == config) {
                Some((layers, _)) => drop(layers.insert(layer)),
                None => parts.push((BTreeSet::from([layer]), config)),
            }
        }
        f.write_str("mixed(")?;
        for (layers, config) in parts {
            write!(f, "{}={};", scope::spell(&layers), spelled(config))?;
        }
        write!(f, "rest={})", spelled(&self.rest))
    }
}
