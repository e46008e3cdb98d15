//! Reduce: rows → statistics. Pure: no file, no clock, no environment; the seed is part of the analysis. Not the rendering (`report`).
//!
//! Invariant: the Summary depends on the set of rows alone, never on the order or the batches in which they are pushed. Everything is kept by
//! ordered keys, documents are sorted before any sum, and every sum of f64 runs in a fixed order for any number of threads.

mod activations;
mod additivity;
mod adjusted;
mod clipping;
mod configs;
mod contrasts;
mod correlations;
mod depth;
mod design;
mod disparity;
mod divergence;
mod documents;
mod draws;
mod drift;
mod effects;
mod engines;
mod evaluations;
mod families;
mod floor;
mod grouped;
mod groups;
mod held;
mod hypotheses;
mod languages;
mod layers;
mod leanings;
mod limits;
mod losses;
mod names;
mod predictors;
mod protection;
mod quantized;
mod questions;
mod reasons;
mod regressions;
mod replication;
mod sensitivity;
mod shares;
mod sources;
mod spelled;
mod tables;
mod tokens;
mod trends;
mod verdicts;

#[cfg(test)]
pub(crate) mod example;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use babelquant_proto::rows::{
    ActivationRow, DocumentRow, Measured, QuantizationRow, TokenRow, WeightRow,
};

#[cfg(test)]
pub(crate) use clipping::tests::rows as clipping_rows;
pub(crate) use clipping::{Clipped, Comparison, LayerComparison, Spread, comparisons};
pub(crate) use design::Design;
pub(crate) use effects::{Effect, Effects};
pub use evaluations::{Change, Evaluation, Metric, PerLanguage};
pub(crate) use quantized::StoredMatrix;
pub(crate) use sources::by_table as sources_by_table;
pub use sources::{Source, Sourced};
pub(crate) use spelled::Spelled;
pub use tables::{
    ADJUSTMENTS, AdditivityRow, AdjustedRow, BY_RESOURCE, ConfigRow, CorrelationRow, DTYPE,
    DepthRow, DisparityRow, DivergenceRow, EVERY_SET, EXTREMES, FloorRow, HypothesisRow, INTERCEPT,
    LanguageRow, LayerRow, LeaningRow, LimitRow, MatrixRow, ModelRow, ProtectionRow, RegressionRow,
    ReplicationRow, SensitivityRow, ShareRow, TrendRow, WORST_ONE_IN,
};

use crate::study::{Analysis, Families};

/// Takes the rows of a run, part by part, and makes their Summary.
#[derive(Debug)]
pub struct Reducer {
    analysis: Analysis,
    claimed: Families,
    engines: BTreeSet<String>,
    weights: layers::Weights,
    parameters: configs::Parameters,
    quantized: quantized::Quantized,
    activations: activations::Activations,
    documents: documents::Documents,
    tokens: tokens::Tokens,
}

/// The statistics over all rows: the tables of `analysis/`, each in the order of its key.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Summary {
    /// How the rows were reduced.
    pub analysis: Analysis,
    /// What was claimed before the run, judged.
    pub hypotheses: Vec<HypothesisRow>,
    /// The aggregate over each model's MLP weights.
    pub models: Vec<ModelRow>,
    /// The MLP weights of each layer.
    pub layers: Vec<LayerRow>,
    /// The predictors of each language.
    pub languages: Vec<LanguageRow>,
    /// The activation of each layer in each language.
    pub activation_shares: Vec<ShareRow>,
    /// How far each config moves each kind of matrix.
    pub matrices: Vec<MatrixRow>,
    /// Where each config ends the grids of each layer.
    pub limits: Vec<LimitRow>,
    /// What each config costs where every layer is quantized.
    pub configs: Vec<ConfigRow>,
    /// What each config at each scope does to each language.
    pub sensitivity: Vec<SensitivityRow>,
    /// How unequally configs harm languages where every layer is quantized.
    pub disparity: Vec<DisparityRow>,
    /// How the effect of single layers changes with depth.
    pub trends: Vec<TrendRow>,
    /// How languages differ in that.
    pub leanings: Vec<LeaningRow>,
    /// What each config does to one layer alone, over the languages.
    pub depth: Vec<DepthRow>,
    /// Whether the effects of single layers add up.
    pub additivity: Vec<AdditivityRow>,
    /// Sets of layers left as they are beside others of their size.
    pub protection: Vec<ProtectionRow>,
    /// What the dtype of the computation and the engine change by themselves.
    pub floor: Vec<FloorRow>,
    /// Predictors against outcomes over languages.
    pub correlations: Vec<CorrelationRow>,
    /// The correlations at scope `all` with what is known of the languages held fixed, and over families.
    pub adjusted: Vec<AdjustedRow>,
    /// The same correlations, model by model.
    pub replication: Vec<ReplicationRow>,
    /// ΔNLL of single layers on what is known of layers and languages.
    pub regressions: Vec<RegressionRow>,
    /// How far the predictions for single tokens move.
    pub divergence: Vec<DivergenceRow>,
    /// What each model is worth by itself; no table of `analysis/`.
    #[serde(skip)]
    pub evaluations: Vec<Evaluation>,
}

impl Reducer {
    /// A reducer without rows.
    pub fn new(analysis: Analysis) -> Self {
        Self {
            analysis,
            claimed: Families::default(),
            engines: BTreeSet::new(),
            weights: layers::Weights::default(),
            parameters: configs::Parameters::default(),
            quantized: quantized::Quantized::default(),
            activations: activations::Activations::default(),
            documents: documents::Documents::default(),
            tokens: tokens::Tokens::default(),
        }
    }

    /// The same, which also judges the hypotheses of these tests.
    #[must_use]
    pub fn judging(self, claimed: Families) -> Self {
        Self { claimed, ..self }
    }

    /// The engine classes that made the rows.
    pub fn engines(&self) -> Vec<String> {
        self.engines.iter().cloned().collect()
    }

    fn note_engines(&mut self, rows: &[impl Measured]) {
        for rows in rows.chunk_by(|a, b| a.engine() == b.engine()) {
            self.engines.insert(rows[0].engine().to_owned());
        }
    }

    /// Takes rows of `weights`.
    pub fn push_weights(&mut self, rows: &[WeightRow]) {
        self.note_engines(rows);
        for row in rows {
            self.weights.push(row);
            self.parameters.push(row);
        }
    }

    /// Takes rows of `quantization`.
    pub fn push_quantization(&mut self, rows: &[QuantizationRow]) {
        self.note_engines(rows);
        rows.iter().for_each(|row| self.quantized.push(row));
    }

    /// Takes rows of `activations`.
    pub fn push_activations(&mut self, rows: &[ActivationRow]) {
        self.note_engines(rows);
        rows.iter().for_each(|row| self.activations.push(row));
    }

    /// Takes rows of `documents`.
    pub fn push_documents(&mut self, rows: &[DocumentRow]) {
        self.note_engines(rows);
        rows.iter().for_each(|row| self.documents.push(row));
    }

    /// Takes rows of `tokens`.
    pub fn push_tokens(&mut self, rows: &[TokenRow]) {
        self.note_engines(rows);
        rows.iter().for_each(|row| self.tokens.push(row));
    }

    /// The effects of single cells and of sums of them, from the rows of `weights`, `quantization` and `documents`.
    pub(crate) fn effects(self) -> Effects {
        let Self { analysis, weights, quantized, documents, .. } = self;
        Effects { analysis, scores: documents.finish(&weights), quantized }
    }

    /// The statistics over all rows pushed.
    pub fn finish(self) -> Summary {
        let (activations, scores) =
            (self.activations.finish(), self.documents.finish(&self.weights));
        let Self { analysis, claimed, weights, parameters, quantized, tokens, .. } = self;
        let floor = floor::rows(&scores);
        let mut sensitivity = sensitivity::rows(&scores, &floor, &analysis);
        families::correct(&mut sensitivity, &scores, &analysis);
        let sources = languages::Sources {
            weights: &weights,
            activations: &activations,
            scores: &scores,
            analysis: &analysis,
        };
        let languages = languages::rows(&sources);
        let configs = configs::Sources {
            scores: &scores,
            quantized: &quantized,
            parameters: &parameters,
            analysis: &analysis,
        };
        let (correlations, tested) = correlations::rows(&analysis, &languages, &sensitivity);
        let adjusted = adjusted::rows((&correlations, &tested), &analysis);
        let (layers, activation_shares) = (weights.layer_rows(), shares::rows(&activations));
        let regressions = regressions::Sources {
            cells: &sensitivity,
            layers: &layers,
            shares: &activation_shares,
            analysis: &analysis,
        };
        let (trends, leanings) = trends::rows(&scores, &analysis);
        Summary {
            hypotheses: hypotheses::rows(&claimed, (&languages, &sensitivity), &analysis),
            models: weights.model_rows(),
            regressions: regressions::rows(&regressions),
            layers,
            activation_shares,
            languages,
            matrices: quantized.matrix_rows(),
            limits: quantized.limit_rows(),
            configs: configs::rows(&configs),
            disparity: disparity::rows(&scores, &analysis),
            leanings: leanings::rows(&leanings, &analysis),
            trends,
            depth: depth::rows(&scores, &analysis),
            additivity: additivity::rows(&scores, &analysis),
            protection: protection::rows(&sensitivity),
            sensitivity,
            floor,
            divergence: divergence::rows(&scores, &tokens),
            evaluations: evaluations::all(&scores),
            replication: replication::rows(&correlations),
            adjusted,
            correlations,
            analysis,
        }
    }
}
