//! Scores of documents and of their tokens → the table `divergence`: what llama.cpp's perplexity tool says of two models, by its formulas
//! (`perplexity.cpp`, `--kl-divergence`). Errors over documents are `sensitivity`'s.

use babelquant_proto::histogram::{Bucket, quantile};

use super::documents::{Cell, LanguageScores};
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::tables::DivergenceRow;
use super::tokens::{Counts, Moments, Tokens};
use crate::statistics::ratio;

/// A mean over tokens and its standard error.
#[derive(Debug, Clone, Copy)]
struct Mean {
    value: f64,
    /// `None` below two tokens.
    se: Option<f64>,
}

impl Mean {
    /// Of n values with these sums of them and of their squares: √((Σv²/n − v̄²)/(n−1)).
    fn of(sum: f64, squares: f64, n: f64) -> Option<Self> {
        let value = ratio(sum, n)?;
        let variance = (squares / n - value * value).max(0.0);
        Some(Self { value, se: ratio(variance, n - 1.0).filter(|_| n > 1.0).map(f64::sqrt) })
    }
}

/// The table: every cell of which rows of `tokens` are there, in the order of cells.
pub(super) fn rows(languages: &ByLanguage<LanguageScores>, tokens: &Tokens) -> Vec<DivergenceRow> {
    let of_language = |((model, language), scores): (&(String, String), &LanguageScores)| {
        let row = |cell: &Cell| {
            let of_tokens = tokens.of((model, language), cell)?;
            Some(row((model, language), (scores, cell), of_tokens))
        };
        scores.cells.iter().filter_map(row).collect::<Vec<_>>()
    };
    languages.iter().flat_map(of_language).collect()
}

/// Where the quantiles of KL and of Δp lie, as llama.cpp prints them.
const KL_QUANTILES: [f64; 9] = [0.999, 0.99, 0.95, 0.9, 0.5, 0.1, 0.05, 0.01, 0.001];
const DP_QUANTILES: [f64; 11] = [0.999, 0.99, 0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001];

fn row(
    (model, language): (&str, &str),
    (scores, cell): (&LanguageScores, &Cell),
    (moments, counts): (Moments, &Counts),
) -> DivergenceRow {
    let tokens = scores.size(cell).tokens;
    let keys = DivergenceRow {
        model: model.to_owned(),
        language: language.to_owned(),
        scope: cell.scope.text.clone(),
        components: cell.components.clone(),
        config: cell.config.text.clone(),
        tokens,
        reason: reason(cell, tokens, &moments),
        ..DivergenceRow::default()
    };
    let row = with_perplexities(keys, (scores, cell), &moments);
    with_probabilities(with_kl(row, cell, (&moments, counts)), cell, (&moments, counts))
}

fn reason(cell: &Cell, tokens: u64, moments: &Moments) -> Option<String> {
    let mut reasons = Reasons::default();
    if let Some(reason) = &cell.unsupported {
        reasons.add(reason.as_str());
        return reasons.column();
    }
    reasons.add_where(tokens == 0, || "no scored token".to_owned());
    reasons.add_where(tokens == 1, || "one scored token: no standard error".to_owned());
    match (moments.squares, moments.kl_squares) {
        (None, _) => reasons.add("NLL of a document is not finite"),
        (Some(_), None) => reasons.add("KL was not measured or is not finite"),
        (Some(_), Some(_)) => {}
    }
    reasons.column()
}

/// Perplexities e^ā and e^b̄ of mean NLL ā and b̄, and how they compare. The error of a difference or a ratio counts that both are of the same
/// tokens, by the covariance of the means (Σab/n − ā·b̄)/(n−1).
fn with_perplexities(
    row: DivergenceRow,
    (scores, cell): (&LanguageScores, &Cell),
    moments: &Moments,
) -> DivergenceRow {
    let n = row.tokens as f64;
    let base_sum = scores.sum(cell, |score, _| score.base_nll);
    let base = Mean::of(base_sum, moments.base_squares, n);
    let sum: Option<f64> = cell.scores.iter().map(|score| score.nll).sum();
    let own = sum.zip(moments.squares).and_then(|(sum, squares)| Mean::of(sum, squares, n));
    let perplexity =
        |of: Option<Mean>| of.map(|of| of.value.exp()).filter(|value| value.is_finite());
    let error = |of: Option<Mean>| perplexity(of).zip(of?.se).map(|(value, se)| value * se);
    let row = DivergenceRow {
        base_ppl: perplexity(base),
        base_ppl_token_se: error(base),
        ppl: perplexity(own),
        ppl_token_se: error(own),
        ..row
    };
    let Some(((base, own), products)) = base.zip(own).zip(moments.products) else { return row };
    let covariance = ratio(products / n - own.value * base.value, n - 1.0).filter(|_| n > 1.0);
    let difference = own.value - base.value;
    // The error of s·a − t·b, for errors of a and b.
    let of_both = |s: f64, t: f64| {
        let (own, base, covariance) = (own.se? * s, base.se? * t, covariance? * s * t);
        Some((own * own + base * base - 2.0 * covariance).max(0.0).sqrt())
    };
    let difference_se = of_both(1.0, 1.0);
    let ppl_ratio = Some(difference.exp()).filter(|ratio| ratio.is_finite());
    let both = row.ppl.zip(row.base_ppl);
    DivergenceRow {
        nll_correlation: (|| ratio(covariance?, own.se? * base.se?))(),
        delta_nll: Some(difference),
        delta_nll_token_se: difference_se,
        ppl_ratio,
        ppl_ratio_token_se: ppl_ratio.zip(difference_se).map(|(ratio, se)| ratio * se),
        ppl_difference: both.map(|(own, base)| own - base),
        ppl_difference_token_se: both.and_then(|(own, base)| of_both(own, base)),
        ..row
    }
}

fn with_kl(
    row: DivergenceRow,
    cell: &Cell,
    (moments, counts): (&Moments, &Counts),
) -> DivergenceRow {
    let sum: Option<f64> = cell.scores.iter().map(|score| score.kl).sum();
    let mean = sum.zip(moments.kl_squares);
    let mean = mean.and_then(|(sum, squares)| Mean::of(sum, squares, row.tokens as f64));
    let ends = moments.kl_ends.filter(|_| moments.kl_squares.is_some());
    let at = |p| ends.and_then(|ends| quantile(counts.kl.buckets(), ends, p));
    let [kl_p99_9, kl_p99, kl_p95, kl_p90, kl_median, kl_p10, kl_p5, kl_p1, kl_p0_1] =
        KL_QUANTILES.map(at);
    DivergenceRow {
        kl: mean.map(|mean| mean.value),
        kl_token_se: mean.and_then(|mean| mean.se),
        kl_max: ends.map(|(_, max)| max),
        kl_p99_9,
        kl_p99,
        kl_p95,
        kl_p90,
        kl_median,
        kl_p10,
        kl_p5,
        kl_p1,
        kl_p0_1,
        kl_min: ends.map(|(min, _)| min),
        ..row
    }
}

/// Δp and the tokens that both models rank first. The error of r = √m of a mean m is half of m's over r; that of a share p is √(p(1−p)/(n−1)).
fn with_probabilities(
    row: DivergenceRow,
    cell: &Cell,
    (moments, counts): (&Moments, &Counts),
) -> DivergenceRow {
    let n = row.tokens as f64;
    let mean = |sum: Option<f64>, squares: Option<f64>| Mean::of(sum?, squares?, n);
    let dp = mean(moments.dp, moments.dp_squares);
    let square = mean(moments.dp_squares, moments.dp_quartics);
    let ends = moments.dp_ends.filter(|_| moments.dp.is_some());
    let from_zero = |bucket: Bucket| Bucket { low: bucket.low.max(0.0), ..bucket };
    let falls = counts.falls.buckets().rev().map(|bucket| from_zero(bucket).mirrored());
    let buckets = falls.chain(counts.rises.buckets().map(from_zero));
    let at = |p| ends.and_then(|ends| quantile(buckets.clone(), ends, p));
    let [
        dp_p99_9,
        dp_p99,
        dp_p95,
        dp_p90,
        dp_p75,
        dp_median,
        dp_p25,
        dp_p10,
        dp_p5,
        dp_p1,
        dp_p0_1,
    ] = DP_QUANTILES.map(at);
    let dp_rms = square.map(|square| square.value.sqrt());
    let same: Option<u64> = cell.scores.iter().map(|score| score.top1).sum();
    let top1_agreement = same.and_then(|same| ratio(same as f64, n));
    let variance = top1_agreement.and_then(|p| ratio(p * (1.0 - p), n - 1.0)).filter(|_| n > 1.0);
    DivergenceRow {
        dp: dp.map(|dp| dp.value),
        dp_token_se: dp.and_then(|dp| dp.se),
        dp_max: ends.map(|(_, max)| max),
        dp_p99_9,
        dp_p99,
        dp_p95,
        dp_p90,
        dp_p75,
        dp_median,
        dp_p25,
        dp_p10,
        dp_p5,
        dp_p1,
        dp_p0_1,
        dp_min: ends.map(|(min, _)| min),
        dp_rms,
        dp_rms_token_se: dp_rms
            .zip(square.and_then(|square| square.se))
            .and_then(|(rms, se)| ratio(0.5 * se, rms)),
        top1_agreement,
        top1_agreement_token_se: variance.map(f64::sqrt),
        ..row
    }
}

#[cfg(test)]
mod tests;
