//! Languages → the table `languages`: size, baseline and predictors with their intervals. The weighted means stand in `predictors`.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::LN_2;

use babelquant_proto::rows::Point;

use super::activations::LanguageActivations;
use super::documents::{Document, LanguageScores, Size};
use super::layers::Weights;
use super::names::ByLanguage;
use super::predictors::{Profile, recipe};
use super::reasons::Reasons;
use super::tables::LanguageRow;
use crate::statistics::{Estimate, estimate, ratio};
use crate::study::{Analysis, Predictor};

/// Everything a language's row is made of.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// κ of the layers.
    pub(super) weights: &'a Weights,
    /// Activations.
    pub(super) activations: &'a ByLanguage<LanguageActivations>,
    /// Scores.
    pub(super) scores: &'a ByLanguage<LanguageScores>,
    /// Draws, confidence, number of outlier layers.
    pub(super) analysis: &'a Analysis,
}

/// The predictors of one language, and why some are undefined.
#[derive(Debug, Default)]
struct Found {
    predictors: BTreeMap<Predictor, Estimate>,
    reasons: Reasons,
}

/// The table: every (model, language) that has activations or scores.
pub(super) fn rows(sources: &Sources<'_>) -> Vec<LanguageRow> {
    let keys: BTreeSet<_> = sources.activations.keys().chain(sources.scores.keys()).collect();
    keys.into_iter().map(|key| sources.row(key)).collect()
}

impl Sources<'_> {
    fn row(&self, key: &(String, String)) -> LanguageRow {
        let mut found = Found::default();
        let baseline = self.scores.get(key).map(LanguageScores::baseline).unwrap_or_default();
        self.add_weighted_means(key, &mut found);
        self.add_text_ratios(key, &baseline, &mut found);
        let groups = self.scores.get(key).map(|scores| &scores.groups);
        let size: Size = baseline.iter().map(|(document, _)| &document.size).sum();
        let nll = baseline.iter().fold(0.0, |sum, (_, nll)| sum + nll);
        let of = |predictor| found.predictors.get(&predictor).copied().unwrap_or_default();
        LanguageRow {
            model: key.0.clone(),
            language: key.1.clone(),
            documents: baseline.len() as u64,
            groups: groups.map_or(0, |groups| groups.count() as u64),
            tokens: size.tokens,
            bytes: size.bytes,
            chars: size.chars,
            base_bits_per_byte: ratio(nll, size.bytes as f64 * LN_2),
            weighted_kurtosis_block_out: of(Predictor::WeightedKurtosisBlockOut).value,
            weighted_kurtosis_block_out_low: of(Predictor::WeightedKurtosisBlockOut).low(),
            weighted_kurtosis_block_out_high: of(Predictor::WeightedKurtosisBlockOut).high(),
            weighted_kurtosis_mlp_out: of(Predictor::WeightedKurtosisMlpOut).value,
            weighted_kurtosis_mlp_out_low: of(Predictor::WeightedKurtosisMlpOut).low(),
            weighted_kurtosis_mlp_out_high: of(Predictor::WeightedKurtosisMlpOut).high(),
            weighted_log_kurtosis_block_out: of(Predictor::WeightedLogKurtosisBlockOut).value,
            weighted_log_kurtosis_block_out_low: of(Predictor::WeightedLogKurtosisBlockOut).low(),
            weighted_log_kurtosis_block_out_high: of(Predictor::WeightedLogKurtosisBlockOut).high(),
            weighted_log_kurtosis_mlp_out: of(Predictor::WeightedLogKurtosisMlpOut).value,
            weighted_log_kurtosis_mlp_out_low: of(Predictor::WeightedLogKurtosisMlpOut).low(),
            weighted_log_kurtosis_mlp_out_high: of(Predictor::WeightedLogKurtosisMlpOut).high(),
            outlier_share_block_out: of(Predictor::OutlierShareBlockOut).value,
            outlier_share_block_out_low: of(Predictor::OutlierShareBlockOut).low(),
            outlier_share_block_out_high: of(Predictor::OutlierShareBlockOut).high(),
            outlier_share_mlp_out: of(Predictor::OutlierShareMlpOut).value,
            outlier_share_mlp_out_low: of(Predictor::OutlierShareMlpOut).low(),
            outlier_share_mlp_out_high: of(Predictor::OutlierShareMlpOut).high(),
            early_share_block_out: of(Predictor::EarlyShareBlockOut).value,
            early_share_block_out_low: of(Predictor::EarlyShareBlockOut).low(),
            early_share_block_out_high: of(Predictor::EarlyShareBlockOut).high(),
            early_share_mlp_out: of(Predictor::EarlyShareMlpOut).value,
            early_share_mlp_out_low: of(Predictor::EarlyShareMlpOut).low(),
            early_share_mlp_out_high: of(Predictor::EarlyShareMlpOut).high(),
            fertility: of(Predictor::Fertility).value,
            fertility_low: of(Predictor::Fertility).low(),
            fertility_high: of(Predictor::Fertility).high(),
            bytes_per_token: of(Predictor::BytesPerToken).value,
            bytes_per_token_low: of(Predictor::BytesPerToken).low(),
            bytes_per_token_high: of(Predictor::BytesPerToken).high(),
            reason: found.reasons.column(),
        }
    }

    /// The predictors made of activations.
    fn add_weighted_means(&self, key: &(String, String), found: &mut Found) {
        let Some(activations) = self.activations.get(key) else {
            return found.reasons.add("no activations");
        };
        let (groups, kurtosis) = (activations.groups(), self.weights.kurtosis(&key.0));
        let profile = |point| Profile::new(activations, point, &groups, self.analysis);
        let profiles = [Point::BlockOut, Point::MlpOut].map(|point| (point, profile(point)));
        let profiles = BTreeMap::from(profiles);
        for predictor in Predictor::ALL {
            let Some((point, factor)) = recipe(predictor) else { continue };
            match profiles[&point].weighted_mean(factor, &kurtosis, self.analysis) {
                Ok(estimate) => drop(found.predictors.insert(predictor, estimate)),
                Err(reason) => found.reasons.add(format!("{point}: {reason}")),
            }
        }
        if let Some(obstacle) = groups.obstacle(self.analysis) {
            found.reasons.add(obstacle);
        }
    }

    /// The predictors made of the text and its tokens.
    fn add_text_ratios(
        &self,
        key: &(String, String),
        baseline: &[(&Document, f64)],
        found: &mut Found,
    ) {
        let Some(scores) = self.scores.get(key) else {
            return found.reasons.add("no scored documents");
        };
        let column = |count: fn(&Size) -> u64| {
            let values = baseline.iter().filter_map(|(document, _)| {
                Some((scores.groups.of(document.number)?, count(&document.size) as f64))
            });
            scores.groups.column(values)
        };
        let columns =
            [column(|size| size.tokens), column(|size| size.chars), column(|size| size.bytes)];
        let draws = scores.groups.resampling(self.analysis).totals(&columns);
        let mut add = |predictor, above: usize, below: usize| {
            let sum = |index: usize| columns[index].iter().sum();
            let value = ratio(sum(above), sum(below));
            found.reasons.add_where(value.is_none(), || "no scored token".to_owned());
            let estimate =
                estimate(value, (&draws[above], &draws[below]), self.analysis.confidence);
            found.predictors.insert(predictor, estimate);
        };
        add(Predictor::Fertility, 0, 1);
        add(Predictor::BytesPerToken, 2, 0);
        if let Some(obstacle) = scores.groups.obstacle(self.analysis) {
            found.reasons.add(obstacle);
        }
    }
}
