//! The row of a cell in `tokens`: how the scores of its single tokens are spread, beside the baseline's. Not their sums by document
//! (`documents`).

use babelquant_proto::rows::TokenRow;
use babelquant_proto::{Histogram, Spec};

use super::cells::Cell;
use super::documents::Outcome;
use super::head::Scores;
use super::position::Position;
use super::shard::ShardStates;

/// Sums and extremes of values of single tokens.
#[derive(Debug)]
struct Spread {
    sum: f64,
    squares: f64,
    quartics: f64,
    min: f64,
    max: f64,
}

impl Default for Spread {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { sum: 0.0, squares: 0.0, quartics: 0.0, min, max }
    }
}

impl Spread {
    fn push(&mut self, value: f64) {
        let square = value * value;
        self.sum += value;
        self.squares += square;
        self.quartics += square * square;
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
    }
}

/// The row of a cell over the scored tokens of a shard.
pub(super) fn row(
    spec: &Spec,
    shard: &ShardStates,
    cell: &Cell<'_>,
    (base, outcome): (&[Position], Outcome<'_>),
) -> TokenRow {
    let id = shard.text.id;
    let keys = TokenRow {
        model: spec.models[cell.model].model.name.clone(),
        language: spec.corpus[id.language as usize].language.to_string(),
        shard: id.shard,
        scope: cell.scope.layers.to_string(),
        components: cell.scope.components.to_string(),
        config: cell.config.to_string(),
        tokens: base.len() as u64,
        base_nll_square_sum: base.iter().map(|position| position.nll().powi(2)).sum(),
        ..TokenRow::default()
    };
    match outcome {
        Outcome::Scored(scores, _) => scored(keys, base, scores),
        Outcome::Unsupported(reason) => TokenRow { reason: Some(reason.to_owned()), ..keys },
    }
}

/// The columns of the quantized model.
fn scored(keys: TokenRow, base: &[Position], scores: &Scores) -> TokenRow {
    let (mut squares, mut products) = (0.0, 0.0);
    let [mut gain, mut kl] = [Spread::default(), Spread::default()];
    let [mut falls, mut rises, mut divergences] = [(); 3].map(|()| Histogram::default());
    for (index, (base, other)) in base.iter().zip(&scores.positions).enumerate() {
        let [b, q] = [base, other].map(Position::nll);
        squares += q * q;
        products += q * b;
        let dp = (-q).exp() - (-b).exp();
        gain.push(dp);
        match dp < 0.0 {
            true => falls.push(-dp),
            false => rises.push(dp),
        }
        if let Some(divergence) = &scores.divergence {
            let divergence = divergence[index].kl(base, other);
            kl.push(divergence);
            divergences.push(divergence);
        }
    }
    let finite = |value: f64| value.is_finite().then_some(value);
    if !squares.is_finite() {
        let reason = Some("the quantized model's logits are not finite".to_owned());
        return TokenRow { reason, ..keys };
    }
    let has_kl = scores.divergence.is_some() && kl.squares.is_finite();
    let mut reasons = Vec::new();
    if base.is_empty() {
        reasons.push("no scored token");
    }
    if !has_kl {
        reasons.push("kl was not measured");
    }
    TokenRow {
        nll_square_sum: Some(squares),
        nll_product_sum: Some(products),
        kl_square_sum: has_kl.then_some(kl.squares),
        kl_min: finite(kl.min).filter(|_| has_kl),
        kl_max: finite(kl.max).filter(|_| has_kl),
        kl_counts: has_kl.then(|| divergences.into_counts()),
        dp_sum: Some(gain.sum),
        dp_square_sum: Some(gain.squares),
        dp_quartic_sum: Some(gain.quartics),
        dp_min: finite(gain.min),
        dp_max: finite(gain.max),
        dp_fall_counts: Some(falls.into_counts()),
        dp_rise_counts: Some(rises.into_counts()),
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        ..keys
    }
}
