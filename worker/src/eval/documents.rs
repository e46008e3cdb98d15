//! The rows of a cell: what its scores come to, document by document, beside the baseline's. Not the scores (`head`).

use std::collections::BTreeSet;

use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{Layer, LayerSet, Spec};

use super::cells::Cell;
use super::head::Scores;
use super::position::Position;
use super::shard::ShardStates;

/// What became of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
    /// It was scored.
    Scored(&'a Scores),
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
        .map(|((document, scored), sums)| {
            let Quantized { nll_sum, kl_sum, top1_count, reason } = quantized(spec, outcome, sums);
            DocumentRow {
                model: model.name.clone(),
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
                nll_sum,
                base_nll_sum: sums.base_nll,
                kl_sum,
                top1_count,
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
        let Outcome::Scored(scores) = outcome else { continue };
        let other = &scores.positions[index];
        sums.nll += other.nll();
        sums.top1 += u64::from(base.top == other.top);
        if let Some(divergence) = &scores.divergence {
            sums.kl += divergence[index].kl(base, other);
        }
    }
    sums
}

/// The columns of the quantized model.
struct Quantized {
    nll_sum: Option<f64>,
    kl_sum: Option<f64>,
    top1_count: Option<u64>,
    reason: Option<String>,
}

fn quantized(spec: &Spec, outcome: Outcome<'_>, sums: Sums) -> Quantized {
    if let Outcome::Unsupported(reason) = outcome {
        let reason = Some(reason.to_owned());
        return Quantized { nll_sum: None, kl_sum: None, top1_count: None, reason };
    }
    let finite = |value: f64| value.is_finite().then_some(value);
    let (nll_sum, kl_sum) = (finite(sums.nll), finite(sums.kl).filter(|_| spec.metrics.kl));
    let reason = match (nll_sum, spec.metrics.kl) {
        (None, _) => Some("the quantized model's logits are not finite".to_owned()),
        (Some(_), false) => Some("kl was not measured".to_owned()),
        (Some(_), true) => None,
    };
    Quantized { nll_sum, kl_sum, top1_count: Some(sums.top1), reason }
}
