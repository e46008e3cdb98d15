//! Effects of single layers and of several together: what an allocation of configs to layers is chosen by. Measured by one layer at a time,
//! a sum of effects is a prediction, not a measurement. Not the choice (`recipe`).

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Layer, Layers};

use super::documents::{Cell, LanguageScores};
use super::names::ByLanguage;
use super::quantized::{Quantized, StoredMatrix};
use crate::statistics::{estimate, ratio, standard_error};
use crate::study::Analysis;

/// What every cell of a run does to every language, and what configs cost.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(super) analysis: Analysis,
    pub(super) scores: ByLanguage<LanguageScores>,
    pub(super) quantized: Quantized,
}

/// ΔNLL in one language, nat per token.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub(crate) struct Effect {
    /// The value.
    pub(crate) delta_nll: f64,
    /// Its standard error over groups of documents; absent below two groups.
    pub(crate) se: Option<f64>,
    /// Lower end of the bootstrap interval.
    pub(crate) low: Option<f64>,
    /// Upper end.
    pub(crate) high: Option<f64>,
}

/// Where a config was measured: layers and the config.
pub(crate) type Place<'a> = (&'a Layers, &'a QuantConfig);

impl Effects {
    /// The models with the components that were quantized in them, each pair once.
    pub(crate) fn subjects(&self) -> BTreeSet<(&str, &str)> {
        let cells = self.scores.iter().flat_map(|((model, _), scores)| {
            let quantizing = scores.cells.iter().filter(|cell| is_quantizing(cell));
            quantizing.map(move |cell| (model.as_str(), cell.components.as_str()))
        });
        cells.collect()
    }

    /// The languages of a model, in their order.
    pub(crate) fn languages(&self, model: &str) -> Vec<&str> {
        let of_model = self.scores.keys().filter(|(known, _)| known == model);
        of_model.map(|(_, language)| language.as_str()).collect()
    }

    /// The places where a model's components were measured in some language.
    pub(crate) fn places(&self, (model, components): (&str, &str)) -> BTreeSet<Place<'_>> {
        let of_model = self.scores.iter().filter(|((known, _), _)| known == model);
        let cells = of_model.flat_map(|(_, scores)| &scores.cells);
        let cells = cells.filter(|cell| cell.components == components && is_quantizing(cell));
        cells
            .filter_map(|cell| Some((cell.scope.value.as_ref()?, cell.config.value.as_ref()?)))
            .collect()
    }

    /// Sums by language of the effects of `places`, without intervals; `None` for a language where one is missing or undefined, or where
    /// they were measured over different documents.
    pub(crate) fn values(
        &self,
        subject: (&str, &str),
        places: &[Place<'_>],
    ) -> BTreeMap<&str, Option<f64>> {
        self.of_languages(subject, |scores, cells| Some(sum(scores, cells)?.value), places)
    }

    /// The same with standard errors and intervals: documents are resampled once for all places.
    pub(crate) fn sums(
        &self,
        subject: (&str, &str),
        places: &[Place<'_>],
    ) -> BTreeMap<&str, Option<Effect>> {
        let of = |scores: &LanguageScores, cells: &[&Cell]| {
            Some(self.effect(scores, &sum(scores, cells)?))
        };
        self.of_languages(subject, of, places)
    }

    fn of_languages<T>(
        &self,
        (model, components): (&str, &str),
        of: impl Fn(&LanguageScores, &[&Cell]) -> Option<T>,
        places: &[Place<'_>],
    ) -> BTreeMap<&str, Option<T>> {
        let of_model = self.scores.iter().filter(|((known, _), _)| known == model);
        let found = of_model.map(|((_, language), scores)| {
            let cell = |place: &Place<'_>| {
                scores.cells.iter().find(|cell| {
                    cell.components == components
                        && cell.scope.value.as_ref() == Some(place.0)
                        && cell.config.value.as_ref() == Some(place.1)
                })
            };
            let cells: Option<Vec<&Cell>> = places.iter().map(cell).collect();
            (language.as_str(), cells.and_then(|cells| of(scores, &cells)))
        });
        found.collect()
    }

    fn effect(&self, scores: &LanguageScores, sum: &Sum) -> Effect {
        let Sum { value, columns } = sum;
        let [deltas, tokens] = columns;
        let se = standard_error(Some(*value), deltas, tokens);
        let draws = scores.groups.resampling(&self.analysis).totals(columns);
        let draws = (draws[0].as_slice(), draws[1].as_slice());
        let estimate = estimate(Some(*value), draws, self.analysis.confidence);
        Effect { delta_nll: *value, se, low: estimate.low(), high: estimate.high() }
    }

    /// Weights of a layer's matrices that hold roles of `components`, and the bits that they take under `config`.
    ///
    /// # Errors
    /// A matrix was not measured under it, or the config does not fit: the reason.
    pub(crate) fn layer_cost(
        &self,
        (model, components): (&str, &Components),
        layer: Layer,
        config: &QuantConfig,
    ) -> Result<(f64, f64), String> {
        self.quantized.layer_cost((model, components), layer, config)
    }

    /// The matrices of a model's layers that serve some of `components`.
    pub(crate) fn matrices(&self, model: &str, components: &Components) -> Vec<StoredMatrix> {
        self.quantized.matrices(model, components)
    }

    /// Bits per weight of `config` at every layer.
    ///
    /// # Errors
    /// As `layer_cost`.
    pub(crate) fn bits_per_weight(
        &self,
        (model, components): (&str, &Components),
        config: &QuantConfig,
    ) -> Result<f64, String> {
        let cost = self.quantized.cost(model, components, config)?;
        cost.bits_per_weight().ok_or_else(|| "a matrix has no bits".to_owned())
    }
}

/// True for a cell that changes weights.
fn is_quantizing(cell: &Cell) -> bool {
    !cell.config.value.as_ref().is_none_or(QuantConfig::is_identity)
}

/// What cells over the same documents do together.
struct Sum {
    /// Σ over cells of ΔNLL, nat per token.
    value: f64,
    /// By group: Σ over cells of NLL − baseline NLL, and tokens.
    columns: [Vec<f64>; 2],
}

/// The sum over cells; `None` where NLL is undefined or the cells are not over the same documents. No cell does nothing.
fn sum(scores: &LanguageScores, cells: &[&Cell]) -> Option<Sum> {
    let groups = scores.groups.count();
    let Some(first) = cells.first() else {
        return Some(Sum { value: 0.0, columns: [vec![0.0; groups], vec![1.0; groups]] });
    };
    let defined = |cell: &&Cell| cell.scores.iter().all(|score| score.delta().is_some());
    if !cells.iter().all(defined) || !LanguageScores::same_documents(cells.iter().copied()) {
        return None;
    }
    let mut deltas = vec![0.0; groups];
    for cell in cells {
        let column = scores.deltas(cell);
        deltas.iter_mut().zip(column).for_each(|(sum, value)| *sum += value);
    }
    let all: f64 = cells.iter().map(|cell| scores.delta_sum(cell)).sum();
    let tokens = scores.tokens(first);
    Some(Sum { value: ratio(all, scores.size(first).tokens as f64)?, columns: [deltas, tokens] })
}
