//! Cells → the table `sensitivity`: paired differences, their ratios and their bootstrap intervals.

use std::f64::consts::LN_2;

use babelquant_proto::{Drift, LayerSet, Layers};

use super::documents::{Cell, LanguageScores, Score};
use super::draws;
use super::drift::{cosine, square_error};
use super::floor;
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::tables::{FloorRow, SensitivityRow};
use super::verdicts::Verdict;
use crate::statistics::{Estimate, estimate, ratio, standard_error};
use crate::study::Analysis;

/// Columns of a cell that are resampled.
const COLUMNS: usize = 9;

/// The table, without the corrections for families of cells.
pub(super) fn rows(
    languages: &ByLanguage<LanguageScores>,
    floors: &[FloorRow],
    analysis: &Analysis,
) -> Vec<SensitivityRow> {
    let mut rows = Vec::new();
    let floors = floor::largest(floors);
    for ((model, language), scores) in languages {
        let resampling = scores.groups.resampling(analysis);
        let floor = floors.get(&(model.as_str(), language.as_str())).copied();
        let of = Cells { model, language, scores, floor, analysis };
        let draw = |columns: &[Vec<f64>]| resampling.totals(columns);
        draws::for_each(
            &scores.cells,
            |cell| of.columns(cell),
            draw,
            |cell, columns, draws| {
                rows.push(of.row(cell, &of.estimates(cell, columns, draws)));
            },
        );
    }
    rows
}

/// What the cells of one (model, language) share.
#[derive(Debug)]
struct Cells<'a> {
    model: &'a str,
    language: &'a str,
    scores: &'a LanguageScores,
    floor: Option<f64>,
    analysis: &'a Analysis,
}

/// The statistics of a cell that have an interval.
#[derive(Debug)]
struct Estimates {
    delta_nll: Estimate,
    delta_nll_se: Option<f64>,
    verdict: Verdict,
    delta_bits_per_byte: Estimate,
    relative_perplexity: Estimate,
    kl: Estimate,
    top1_agreement: Estimate,
    next_relative_error: Estimate,
    last_relative_error: Estimate,
}

impl Cells<'_> {
    /// Sums by group: δ = NLL − baseline NLL, tokens, bytes, KL, top-1, error and size of hidden states at both boundaries. An
    /// undefined number counts as 0: its cell has no value.
    fn columns(&self, cell: &Cell) -> [Vec<f64>; COLUMNS] {
        [
            self.scores.deltas(cell),
            self.scores.tokens(cell),
            self.scores.bytes(cell),
            self.scores.column(cell, |score, _| score.kl.unwrap_or(0.0)),
            self.scores.column(cell, |score, _| top1(score).unwrap_or(0.0)),
            self.scores.column(cell, |score, _| score.next.map_or(0.0, |drift| drift.error)),
            self.scores.column(cell, |score, _| score.next.map_or(0.0, |drift| drift.base)),
            self.scores.column(cell, |score, _| score.last.map_or(0.0, |drift| drift.error)),
            self.scores.column(cell, |score, _| score.last.map_or(0.0, |drift| drift.base)),
        ]
    }

    /// Every value is the ratio of sums over documents in order; `columns` and `draws` give standard error and intervals.
    fn estimates(
        &self,
        cell: &Cell,
        columns: &[Vec<f64>; COLUMNS],
        draws: &[Vec<f64>; COLUMNS],
    ) -> Estimates {
        let [delta_draws, token_draws, byte_draws, kl_draws, top1_draws, of_states @ ..] = draws;
        let [next_error, next_base, last_error, last_base] = of_states;
        let size = self.scores.size(cell);
        let per_token = |sum: Option<f64>| ratio(sum?, size.tokens as f64);
        let of = |value, above, below| estimate(value, (above, below), self.analysis.confidence);
        let difference = self.scores.delta(cell);
        let per_byte = difference.and_then(|sum| ratio(sum, size.bytes as f64));
        let delta_nll = of(per_token(difference), delta_draws, token_draws);
        let delta_nll_se = standard_error(delta_nll.value, &columns[0], &columns[1]);
        let tested = (delta_nll.value, delta_nll_se);
        let [next, last] = self.drifts(cell).map(|drift| square_error(drift?));
        Estimates {
            delta_nll,
            delta_nll_se,
            verdict: Verdict::of(cell, tested, self.groups(cell), self.analysis),
            delta_bits_per_byte: of(per_byte, delta_draws, byte_draws).map(|nats| nats / LN_2),
            relative_perplexity: delta_nll.map(f64::exp_m1),
            kl: of(per_token(self.defined_sum(cell, |score| score.kl)), kl_draws, token_draws),
            top1_agreement: of(per_token(self.defined_sum(cell, top1)), top1_draws, token_draws),
            next_relative_error: of(next, next_error, next_base).map(f64::sqrt),
            last_relative_error: of(last, last_error, last_base).map(f64::sqrt),
        }
    }

    fn row(&self, cell: &Cell, estimates: &Estimates) -> SensitivityRow {
        let layer = cell.scope.value.as_ref().and_then(Layers::single);
        let size = self.scores.size(cell);
        let nll = self.defined_sum(cell, |score| score.nll);
        let base_nll = self.scores.sum(cell, |score, _| score.base_nll);
        let [next_cosine, last_cosine] = self.drifts(cell).map(|drift| cosine(drift?));
        SensitivityRow {
            model: self.model.to_owned(),
            language: self.language.to_owned(),
            scope: cell.scope.text.clone(),
            layers: cell.layers.as_ref().ok().map(|set| LayerSet::from(set.clone()).to_string()),
            components: cell.components.clone(),
            config: cell.config.text.clone(),
            stack: layer.map(|layer| layer.stack.name().to_owned()),
            layer: layer.map(|layer| layer.index),
            documents: cell.scores.len() as u64,
            groups: self.groups(cell),
            tokens: size.tokens,
            bytes: size.bytes,
            chars: size.chars,
            base_nll_per_token: ratio(base_nll, size.tokens as f64),
            nll_per_token: nll.and_then(|nll| ratio(nll, size.tokens as f64)),
            floor: self.floor,
            margin: self.analysis.margin,
            next_cosine,
            last_cosine,
            reason: self.reasons(cell, estimates).column(),
            ..estimates.columns()
        }
    }

    fn reasons(&self, cell: &Cell, estimates: &Estimates) -> Reasons {
        let mut reasons = Reasons::default();
        let undefined = |value: fn(&Score) -> Option<f64>| {
            cell.scores.iter().filter(|score| value(score).is_none()).count()
        };
        let (documents, nll, kl) =
            (cell.scores.len(), undefined(|score| score.nll), undefined(|score| score.kl));
        if let Some(reason) = &cell.unsupported {
            reasons.add(reason.as_str());
            return reasons;
        }
        cell.layers.as_ref().err().into_iter().for_each(|&reason| reasons.add(reason));
        reasons.add_where(self.scores.size(cell).tokens == 0, || "no scored token".to_owned());
        reasons
            .add_where(nll > 0, || format!("NLL of {nll} of {documents} documents is not finite"));
        reasons.add_where(kl == documents, || "KL was not measured".to_owned());
        let some = (1..documents).contains(&kl);
        reasons.add_where(some, || format!("KL of {kl} of {documents} documents is not finite"));
        let states =
            cell.scores.iter().filter(|score| score.next.is_none() || score.last.is_none());
        let states = states.count();
        reasons.add_where(states > 0, || {
            format!("hidden states of {states} of {documents} documents are not finite")
        });
        let Estimates { delta_nll, relative_perplexity, verdict, .. } = estimates;
        let undamaged = delta_nll.value.is_some() && verdict.worst_share.is_none();
        reasons.add_where(undamaged, || "no document lost likelihood".to_owned());
        let overflow = relative_perplexity.interval.is_none() && delta_nll.interval.is_some();
        reasons.add_where(overflow, || "exp(ΔNLL) leaves the range of f64".to_owned());
        if let Some(obstacle) = self.scores.groups.obstacle(self.analysis) {
            reasons.add(obstacle);
        }
        reasons
    }

    /// Sum of a value over the documents; `None` where one has none, and where nobody knows which layers were quantized.
    fn defined_sum(&self, cell: &Cell, value: fn(&Score) -> Option<f64>) -> Option<f64> {
        let defined = cell.layers.is_ok() && cell.scores.iter().all(|score| value(score).is_some());
        defined.then(|| self.scores.sum(cell, |score, _| value(score).unwrap_or(0.0)))
    }

    /// Sums over the hidden states of all documents, after the first quantized layer and after the last one.
    fn drifts(&self, cell: &Cell) -> [Option<Drift>; 2] {
        let sum = |drift: fn(&Score) -> Option<Drift>| {
            let drifts = cell.scores.iter().map(drift);
            let drifts = drifts.filter(|_| cell.layers.is_ok());
            drifts.reduce(|sum, drift| Some(sum? + drift?))?
        };
        [sum(|score| score.next), sum(|score| score.last)]
    }

    fn groups(&self, cell: &Cell) -> u64 {
        let members = self.scores.column(cell, |_, _| 1.0);
        members.iter().filter(|&&members| members > 0.0).count() as u64
    }
}

impl Estimates {
    /// The row's columns for these, the others empty.
    fn columns(&self) -> SensitivityRow {
        let Verdict { p, near_lossless_p, near_lossless, worst_share } = self.verdict;
        SensitivityRow {
            delta_nll: self.delta_nll.value,
            delta_nll_low: self.delta_nll.low(),
            delta_nll_high: self.delta_nll.high(),
            delta_nll_se: self.delta_nll_se,
            delta_nll_p: p,
            near_lossless_p,
            near_lossless,
            worst_share,
            delta_bits_per_byte: self.delta_bits_per_byte.value,
            delta_bits_per_byte_low: self.delta_bits_per_byte.low(),
            delta_bits_per_byte_high: self.delta_bits_per_byte.high(),
            relative_perplexity: self.relative_perplexity.value,
            relative_perplexity_low: self.relative_perplexity.low(),
            relative_perplexity_high: self.relative_perplexity.high(),
            kl: self.kl.value,
            kl_low: self.kl.low(),
            kl_high: self.kl.high(),
            top1_agreement: self.top1_agreement.value,
            top1_agreement_low: self.top1_agreement.low(),
            top1_agreement_high: self.top1_agreement.high(),
            next_relative_error: self.next_relative_error.value,
            next_relative_error_low: self.next_relative_error.low(),
            next_relative_error_high: self.next_relative_error.high(),
            last_relative_error: self.last_relative_error.value,
            last_relative_error_low: self.last_relative_error.low(),
            last_relative_error_high: self.last_relative_error.high(),
            ..SensitivityRow::default()
        }
    }
}

/// Tokens of a document that both models rank first.
fn top1(score: &Score) -> Option<f64> {
    score.top1.map(|tokens| tokens as f64)
}
