//! What may be done to each layer: the configs that were measured there alone, in every language, and their bits; and leaving it as it is.
//! Names what cannot be used and why.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::{QuantConfig, WeightConfig};
use babelquant_proto::{Components, Layer, LayerSet, Layers};

use super::RecipeError;
use crate::reduce::Effects;

/// Bits of a weight that is not quantized.
const STORED_BITS: u64 = 16;

/// The layers of one model and what may be done to each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choices {
    /// The languages, in their order.
    pub(crate) languages: Vec<String>,
    /// The layers that have a measured config, in their order.
    pub(crate) layers: Vec<LayerChoices>,
    /// What was measured in part.
    pub(crate) unusable: Vec<Unusable>,
}

/// What may be done to one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerChoices {
    /// The layer.
    pub(crate) layer: Layer,
    /// Weights of its matrices in scope.
    pub(crate) weights: u64,
    /// Each way, `None` last: the layer as it is.
    pub(crate) ways: Vec<Way>,
}

/// One way to store a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Way {
    /// The config; `None` leaves the layer as it is.
    pub(crate) config: Option<WeightConfig>,
    /// Whole bits of all its weights, scales included.
    pub(crate) bits: u64,
    /// ΔNLL per token with this layer alone quantized, by language in their order.
    pub(crate) effects: Vec<f64>,
}

/// A config that cannot be used at some layers.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Unusable {
    /// The config.
    pub(crate) config: String,
    /// The layers, as scopes spell them.
    pub(crate) layers: String,
    /// Why.
    pub(crate) reason: String,
}

/// Which part of a run a recipe is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subject {
    /// The model.
    pub(crate) model: String,
    /// The components.
    pub(crate) components: Components,
}

impl Subject {
    /// The subject that is asked for, or the only one.
    pub(crate) fn choose(
        effects: &Effects,
        model: Option<&str>,
        components: Option<&Components>,
    ) -> Result<Self, RecipeError> {
        let fits = |subject: &Self| {
            model.is_none_or(|model| subject.model == model)
                && components.is_none_or(|components| subject.components == *components)
        };
        let all: Vec<Self> = effects.subjects().into_iter().filter_map(Self::parse).collect();
        let mut fitting = all.iter().filter(|subject| fits(subject));
        match (fitting.next(), fitting.next()) {
            (Some(subject), None) => Ok(subject.clone()),
            (None, _) => Err(RecipeError::NoSubject { known: spelled(&all) }),
            (Some(_), Some(_)) => Err(RecipeError::SeveralSubjects { known: spelled(&all) }),
        }
    }

    fn parse((model, components): (&str, &str)) -> Option<Self> {
        Some(Self { model: model.to_owned(), components: components.parse().ok()? })
    }
}

fn spelled(subjects: &[Subject]) -> String {
    let each = subjects.iter().map(|subject| format!("{} {}", subject.model, subject.components));
    each.collect::<Vec<_>>().join(", ")
}

impl Choices {
    /// The choices of `subject` among `configs` (all that were measured, where none is named).
    ///
    /// # Errors
    /// No layer has a config that was measured there alone in every language.
    pub(crate) fn of(
        effects: &Effects,
        subject: &Subject,
        configs: &[QuantConfig],
    ) -> Result<Self, RecipeError> {
        let key = (subject.model.as_str(), subject.components.to_string());
        let mut layers: BTreeMap<Layer, LayerChoices> = BTreeMap::new();
        let mut unusable: BTreeMap<(QuantConfig, String), BTreeSet<Layer>> = BTreeMap::new();
        for place in effects.places((key.0, &key.1)) {
            let (Some(layer), QuantConfig::Weights(config)) = (place.0.single(), place.1) else {
                continue;
            };
            if !configs.is_empty() && !configs.contains(place.1) {
                continue;
            }
            match way(effects, subject, (layer, config), place) {
                Ok((weights, way)) => {
                    let entry = layers.entry(layer).or_insert_with(|| LayerChoices {
                        layer,
                        weights,
                        ways: Vec::new(),
                    });
                    entry.ways.push(way);
                }
                Err(reason) => {
                    unusable.entry((place.1.clone(), reason)).or_default().insert(layer);
                }
            }
        }
        let languages: Vec<String> =
            effects.languages(key.0).into_iter().map(str::to_owned).collect();
        let mut layers: Vec<LayerChoices> = layers.into_values().collect();
        if layers.is_empty() || languages.is_empty() {
            let reason = unusable.keys().next().map(|(config, why)| format!("{config}: {why}"));
            return Err(RecipeError::NoCells { reason });
        }
        for LayerChoices { weights, ways, .. } in &mut layers {
            let effects = vec![0.0; languages.len()];
            ways.push(Way { config: None, bits: STORED_BITS * *weights, effects });
        }
        let unusable = unusable.into_iter().map(|((config, reason), layers)| Unusable {
            config: config.to_string(),
            layers: LayerSet::Listed(layers).to_string(),
            reason,
        });
        Ok(Self { languages, layers, unusable: unusable.collect() })
    }

    /// All weights in scope.
    pub(crate) fn weights(&self) -> u64 {
        self.layers.iter().map(|layer| layer.weights).sum()
    }
}

/// The layer's weights and the way to store them, or why it cannot be used.
fn way(
    effects: &Effects,
    subject: &Subject,
    (layer, config): (Layer, &WeightConfig),
    place: (&Layers, &QuantConfig),
) -> Result<(u64, Way), String> {
    let model = subject.model.as_str();
    let (weights, bits) = effects.layer_cost((model, &subject.components), layer, place.1)?;
    let values = effects.values((model, &subject.components.to_string()), &[place]);
    let missing: Vec<&str> =
        values.iter().filter(|(_, value)| value.is_none()).map(|(language, _)| *language).collect();
    if !missing.is_empty() {
        return Err(format!("no ΔNLL in {}", missing.join(", ")));
    }
    let effects = values.into_values().flatten().collect();
    let way = Way { config: Some(config.clone()), bits: bits.ceil() as u64, effects };
    Ok((weights.round() as u64, way))
}
