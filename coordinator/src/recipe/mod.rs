//! Recipes: which config each layer gets so that a model of a given size loses little, by what each layer's quantization did alone. Pure: no
//! file, no clock, no environment; what is predicted here is measured by whoever asks (`cli`).

mod asked;
mod choices;
mod document;
mod export;
mod solve;

use std::collections::BTreeMap;

use babelquant_proto::quant::{Mixed, QuantConfig, WeightConfig};
use babelquant_proto::{Layer, Layers};
use thiserror::Error;

pub use asked::{Budget, Objective};
pub(crate) use choices::{Choices, Subject, Unusable};
pub(crate) use document::document;
pub(crate) use export::exports;
pub(crate) use solve::Proof;

use crate::reduce::{Effect, Effects, StoredMatrix};

/// What becomes of every language; `None` where it is not defined.
pub(crate) type Losses = BTreeMap<String, Option<Effect>>;

/// Why there is no recipe.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RecipeError {
    /// Nothing fits the flags.
    #[error("no model and components as asked: the run has {}", if known.is_empty() { "none" } else { known })]
    NoSubject {
        /// Models with their components.
        known: String,
    },
    /// The flags leave a choice.
    #[error(
        "the run has several models or components ({known}): choose with --model NAME and --components SET"
    )]
    SeveralSubjects {
        /// Models with their components.
        known: String,
    },
    /// No layer was measured alone.
    #[error(
        "no layer has a config that was measured there alone{}: run a study with scopes = [\"only(each)\"] and the configs to choose from",
        reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"))
    )]
    NoCells {
        /// Why one of those that were measured cannot be used.
        reason: Option<String>,
    },
    /// The budget is too small.
    #[error("the smallest measured configs take {least:.4} bits per weight: ask for at least --budget {}bpw, or measure smaller configs", (least * 1e3).ceil() / 1e3)]
    Infeasible {
        /// Bits per weight.
        least: f64,
    },
    /// The budget is too large.
    #[error(
        "nothing needs to be quantized: {budget} leave every layer as it is, at 16 bits per weight"
    )]
    Unneeded {
        /// What was asked.
        budget: Budget,
    },
    /// The solver did not find what must be there: a bug.
    #[error("the solver failed: {reason}")]
    Solver {
        /// What it says.
        reason: String,
    },
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// The part of the run.
    pub(crate) subject: Subject,
    /// Configs to choose from; all that were measured where none is named.
    pub(crate) configs: Vec<QuantConfig>,
    /// The budget.
    pub(crate) budget: Budget,
    /// Whose loss counts.
    pub(crate) objective: Objective,
}

/// A config for each layer, and what it is predicted to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// What was asked.
    pub(crate) question: Question,
    /// The layers that were chosen for.
    pub(crate) layers: Vec<Portion>,
    /// Their matrices in scope.
    pub(crate) matrices: Vec<StoredMatrix>,
    /// Bits per weight over them, scales included.
    pub(crate) bits_per_weight: f64,
    /// How good the choice is known to be by the predicted losses.
    pub(crate) proof: Proof,
    /// What could not be chosen.
    pub(crate) unusable: Vec<Unusable>,
    /// Sum of the layers' own effects by language, with its error.
    pub(crate) predicted: Losses,
    /// Configs that treat every layer alike, around the recipe's size.
    pub(crate) neighbours: Vec<Neighbour>,
}

/// What one layer gets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Portion {
    /// The layer.
    pub(crate) layer: Layer,
    /// Weights of its matrices in scope.
    pub(crate) weights: u64,
    /// How they are stored; `None` as they are.
    pub(crate) config: Option<WeightConfig>,
    /// Bits per weight, scales included.
    pub(crate) bits_per_weight: f64,
}

/// A config at every layer, for comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Neighbour {
    /// The config.
    pub(crate) config: QuantConfig,
    /// Its bits per weight.
    pub(crate) bits_per_weight: f64,
    /// Sum of the layers' own effects by language.
    pub(crate) predicted: Losses,
    /// What the run measured at scope `all`; empty where it did not.
    pub(crate) measured: Losses,
}

impl Recipe {
    /// The recipe that answers `question` from what a run measured.
    ///
    /// # Errors
    /// Nothing was measured that could answer it, or the budget is too small.
    pub(crate) fn find(effects: &Effects, question: Question) -> Result<Self, RecipeError> {
        let choices = Choices::of(effects, &question.subject, &question.configs)?;
        let weights = choices.weights();
        let bits = (question.budget.bits_per_weight() * weights as f64).floor() as u64;
        let allocation = solve::solve(&choices, bits, question.objective)?;
        let taken = choices.layers.iter().zip(&allocation.ways);
        let layers: Vec<Portion> = taken
            .map(|(layer, &way)| Portion {
                layer: layer.layer,
                weights: layer.weights,
                config: layer.ways[way].config.clone(),
                bits_per_weight: layer.ways[way].bits as f64 / layer.weights as f64,
            })
            .collect();
        if layers.iter().all(|portion| portion.config.is_none()) {
            return Err(RecipeError::Unneeded { budget: question.budget });
        }
        let used: f64 = layers.iter().map(|p| p.bits_per_weight * p.weights as f64).sum();
        let bits_per_weight = used / weights as f64;
        let predicted = predicted(effects, &question.subject, &layers);
        let neighbours = neighbours(effects, &choices, &question.subject, bits_per_weight);
        let matrices = effects.matrices(&question.subject.model, &question.subject.components);
        let (proof, unusable) = (allocation.proof, choices.unusable);
        Ok(Self {
            question,
            layers,
            matrices,
            bits_per_weight,
            proof,
            unusable,
            predicted,
            neighbours,
        })
    }

    /// The recipe as one config; layers that it was not chosen for stay as they are.
    pub(crate) fn config(&self) -> QuantConfig {
        let layers = self.layers.iter().map(|portion| (portion.layer, portion.config.clone()));
        QuantConfig::Mixed(Mixed::new(layers.collect(), None))
    }
}

/// The sums of the effects of what each layer gets.
fn predicted(effects: &Effects, subject: &Subject, layers: &[Portion]) -> Losses {
    let quantized = layers.iter().filter_map(|portion| {
        let config = portion.config.clone()?;
        Some((Layers::only(portion.layer), QuantConfig::Weights(config)))
    });
    let quantized: Vec<(Layers, QuantConfig)> = quantized.collect();
    let places: Vec<_> = quantized.iter().map(|(layers, config)| (layers, config)).collect();
    owned(effects.sums((&subject.model, &subject.components.to_string()), &places))
}

/// What a config does at every layer; empty where it was not measured.
pub(crate) fn measured(effects: &Effects, subject: &Subject, config: &QuantConfig) -> Losses {
    let key = (subject.model.as_str(), &*subject.components.to_string());
    let place = (&Layers::All, config);
    match effects.places(key).contains(&place) {
        true => owned(effects.sums(key, &[place])),
        false => Losses::new(),
    }
}

fn owned(sums: BTreeMap<&str, Option<Effect>>) -> Losses {
    sums.into_iter().map(|(language, effect)| (language.to_owned(), effect)).collect()
}

/// The configs usable at every layer that are next to `bits` in size: the largest that is no larger, the smallest that is larger.
fn neighbours(
    effects: &Effects,
    choices: &Choices,
    subject: &Subject,
    bits: f64,
) -> Vec<Neighbour> {
    let key = (subject.model.as_str(), &subject.components);
    let everywhere = |config: &QuantConfig| {
        let QuantConfig::Weights(config) = config else { return false };
        choices
            .layers
            .iter()
            .all(|layer| layer.ways.iter().any(|way| way.config.as_ref() == Some(config)))
    };
    let first = choices.layers.iter().take(1).flat_map(|layer| &layer.ways);
    let configs = first.filter_map(|way| way.config.clone()).map(QuantConfig::Weights);
    let sized = configs.filter(everywhere).filter_map(|config| {
        let bits = effects.bits_per_weight(key, &config).ok()?;
        Some((bits, config))
    });
    let mut sized: Vec<(f64, QuantConfig)> = sized.collect();
    // The sort is stable: of equals the first in the order of configs.
    sized.sort_by(|a, b| a.0.total_cmp(&b.0));
    let smaller = sized.iter().filter(|(size, _)| *size <= bits);
    let smaller = smaller.reduce(|best, other| if other.0 > best.0 { other } else { best });
    let larger = sized.iter().find(|(size, _)| *size > bits);
    let neighbour = |(size, config): &(f64, QuantConfig)| {
        let only: Vec<Layers> = choices.layers.iter().map(|l| Layers::only(l.layer)).collect();
        let places: Vec<_> = only.iter().map(|layers| (layers, config)).collect();
        let key = (subject.model.as_str(), subject.components.to_string());
        let key = (key.0, key.1.as_str());
        Neighbour {
            config: config.clone(),
            bits_per_weight: *size,
            predicted: owned(effects.sums(key, &places)),
            measured: measured(effects, subject, config),
        }
    };
    smaller.into_iter().chain(larger).map(neighbour).collect()
}

#[cfg(test)]
mod tests;
