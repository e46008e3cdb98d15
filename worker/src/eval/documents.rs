//! The rows of a cell: what its scores come to, document by document, beside the baseline's. Not the scores (`head`).

use std::collections::BTreeSet;

use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{Drift, Layer, LayerSet, Spec};

use super::cells::{Cell, States};
use super::head::Scores;
use super::position::Position;
use super::shard::ShardStates;

/// What became of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
    /// It was scored, with these states.
    Scored(&'a Scores, &'a States),
    /// Its config does not fit a matrix of the scope, for this reason.
    Unsupported(&'a str),
}

/// Sums of one document over its scored positions.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    base_nll: f64,
    nll: f64,
    kl: f64,
    top1: u64,
}

/// A row for each document of the shard, in order, of a cell whose scope holds these layers.
pub(super) fn rows(
    spec: &Spec,
    shard: &ShardStates,
    (cell, layers): (&Cell<'_>, &BTreeSet<Layer>),
    (base, outcome): (&[Position], Outcome<'_>),
) -> Vec<DocumentRow> {
    let layers = LayerSet::from(layers.clone()).to_string();
    let id = shard.text.id;
    let language = &spec.corpus[id.language as usize].language;
    let model = &spec.models[cell.model].model;
    let sums = sums(shard, base, outcome);
    let documents = shard.text.documents.iter().zip(&shard.tokens.documents).zip(sums);
    documents
        .enumerate()
        .map(|(number, ((document, scored), sums))| {
            let Quantized { nll_sum, kl_sum, top1_count, next, last, reason } =
                quantized(spec, outcome, (number, sums));
            DocumentRow {
                model: model.name.clone(),
                engine: String::new(),
                language: language.to_string(),
                shard: id.shard,
                document: document.index,
                document_id: document.id.clone(),
                group: document.group.clone(),
                scope: cell.scope.layers.to_string(),
                layers: layers.clone(),
                components: cell.scope.components.to_string(),
                config: cell.config.to_string(),
                protocol: model.protocol.to_string(),
                tokens: scored.scored_tokens,
                bytes: scored.scored_bytes,
                chars: scored.scored_chars,
                words: scored.scored_words,
                nll_sum,
                base_nll_sum: sums.base_nll,
                kl_sum,
                top1_count,
                next_error_sum: next.map(|drift| drift.error),
                next_base_sum: next.map(|drift| drift.base),
                next_product_sum: next.map(|drift| drift.product),
                last_error_sum: last.map(|drift| drift.error),
                last_base_sum: last.map(|drift| drift.base),
                last_product_sum: last.map(|drift| drift.product),
                reason,
            }
        })
        .collect()
}

/// The sums of each document; those of the quantized model stay 0 where there is none.
fn sums(shard: &ShardStates, base: &[Position], outcome: Outcome<'_>) -> Vec<Sums> {
    let mut sums = vec![Sums::default(); shard.tokens.documents.len()];
    let places = shard.tokens.batches.iter().flat_map(|batch| &batch.scored);
    for (index, (place, base)) in places.zip(base).enumerate() {
        let sums = &mut sums[place.document];
        sums.base_nll += base.nll();
        let Outcome::Scored(scores, _) = outcome else { continue };
        let other = &scores.positions[index];
        sums.nll += other.nll();
        sums.top1 += u64::from(base.top == other.top);
        if let Some(divergence) = &scores.divergence {
            sums.kl += divergence[index].kl(base, other);
        }
    }
    sums
}

/// The columns of the quantized model; no number where there is none.
#[derive(Debug, Default)]
struct Quantized {
    nll_sum: Option<f64>,
    kl_sum: Option<f64>,
    top1_count: Option<u64>,
    next: Option<Drift>,
    last: Option<Drift>,
    reason: Option<String>,
}

/// The columns of document `number`.
fn quantized(spec: &Spec, outcome: Outcome<'_>, (number, sums): (usize, Sums)) -> Quantized {
    let states = match outcome {
        Outcome::Scored(_, states) => states,
        Outcome::Unsupported(reason) => {
            return Quantized { reason: Some(reason.to_owned()), ..Quantized::default() };
        }
    };
    let finite = |value: f64| value.is_finite().then_some(value);
    let [next, last] = [&states.next, &states.last].map(|drifts| drifts[number].finite());
    let (nll_sum, kl_sum) = (finite(sums.nll), finite(sums.kl).filter(|_| spec.metrics.kl));
    let mut reasons = Vec::new();
    match (nll_sum, spec.metrics.kl) {
        (None, _) => reasons.push("the quantized model's logits are not finite"),
        (Some(_), false) => reasons.push("kl was not measured"),
        (Some(_), true) => {}
    }
    if next.is_none() || last.is_none() {
        reasons.push("the quantized model's hidden states are not finite");
    }
    let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
    Quantized { nll_sum, kl_sum, top1_count: Some(sums.top1), next, last, reason }
}
