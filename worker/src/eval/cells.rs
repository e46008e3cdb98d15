//! Cells: the shard with a scope quantized, resumed from the boundary before its first quantized layer, scored beside the
//! baseline. The config `none` takes the same way as any other.

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{Layer, LayerSet, Scope, Spec, UnitIndex};
use candle_core::Tensor;

use super::head::{Finals, Scores};
use super::loaded::Loaded;
use super::position::Position;
use super::shard::ShardStates;
use super::{Emit, EvalError, encoded};

/// One cell of a shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) index: UnitIndex,
    pub(super) model: usize,
    pub(super) scope: &'a Scope,
    pub(super) config: &'a QuantConfig,
}

/// Evaluates cells that share a shard and emits their rows.
pub(super) fn evaluate(
    spec: &Spec,
    loaded: &mut Loaded,
    shard: &mut ShardStates,
    cells: &[Cell<'_>],
    emit: &mut Emit<'_>,
) -> Result<(), EvalError> {
    let mut runs = Vec::with_capacity(cells.len());
    for &cell in cells {
        match run(loaded, shard, cell) {
            Ok(run) => runs.push(run),
            Err(error) => emit(cell.index, Err(error)),
        }
    }
    let finals = runs.iter().map(|run| {
        let model = loaded.model_of(run.cell.config);
        run.states.clone().map(|states| Finals { model, states })
    });
    let (base, scores) = shard.score(&loaded.transformer, spec, finals.collect())?;
    for (run, scores) in runs.iter().zip(scores) {
        emit(run.cell.index, encoded(&rows(spec, shard, run, (&base, &scores))));
    }
    Ok(())
}

/// A cell that ran to its end.
#[derive(Debug)]
struct Run<'a> {
    cell: Cell<'a>,
    /// The layers that its scope holds.
    layers: BTreeSet<Layer>,
    /// Its final states at scored positions, [positions, width]; `None` where nothing is scored.
    states: Option<Tensor>,
}

fn run<'a>(loaded: &mut Loaded, shard: &ShardStates, cell: Cell<'a>) -> Result<Run<'a>, EvalError> {
    let layers = loaded.held(&cell.scope.layers)?;
    let states = finals_of(loaded, shard, (cell, &layers))?;
    Ok(Run { cell, layers, states })
}

/// The cell's final states at scored positions. A layer is quantized once and run over all micro-batches.
fn finals_of(
    loaded: &mut Loaded,
    shard: &ShardStates,
    (cell, layers): (Cell<'_>, &BTreeSet<Layer>),
) -> Result<Option<Tensor>, EvalError> {
    if *cell.config == QuantConfig::F32 {
        return shard.pass(loaded.reference()?).through(None, |_| ());
    }
    let shape = loaded.transformer.architecture().shape;
    let first = shape.position(loaded.first_layer(cell.scope, layers)?);
    let mut stream = shard.boundary(first);
    for layer in shape.stacked_layers().skip(first as usize) {
        if shape.position(layer) > first {
            shard.pass(&loaded.transformer).enter(layer, &mut stream, None)?;
        }
        let block = match layers.contains(&layer) {
            true => {
                let (baseline, quantizer) = loaded.quantizing();
                quantizer.layer(baseline, layer, &cell.scope.components, cell.config)?
            }
            false => loaded.transformer.block(layer)?,
        };
        shard.pass(&loaded.transformer).advance(&block, &mut stream, None)?;
    }
    shard.pass(&loaded.transformer).finals(&stream, None)
}

/// Sums of one document over its scored positions.
#[derive(Debug, Clone, Copy, Default)]
struct DocumentSums {
    nll: f64,
    base_nll: f64,
    kl: f64,
    top1: u64,
}

fn rows(
    spec: &Spec,
    shard: &ShardStates,
    Run { cell, layers, .. }: &Run<'_>,
    (base, scores): (&[Position], &Scores),
) -> Vec<DocumentRow> {
    let layers = LayerSet::from(layers.clone()).to_string();
    let mut sums = vec![DocumentSums::default(); shard.tokens.documents.len()];
    let places = shard.tokens.batches.iter().flat_map(|batch| &batch.scored);
    for (index, place) in places.enumerate() {
        let (base, other) = (&base[index], &scores.positions[index]);
        let sums = &mut sums[place.document];
        sums.nll += other.nll();
        sums.base_nll += base.nll();
        sums.top1 += u64::from(base.top == other.top);
        if let Some(divergence) = &scores.divergence {
            sums.kl += divergence[index].kl(base, other);
        }
    }
    let id = shard.text.id;
    let language = &spec.corpus[id.language as usize].language;
    let documents = shard.text.documents.iter().zip(&shard.tokens.documents).zip(sums);
    documents
        .map(|((document, scored), sums)| {
            let finite = |value: f64| value.is_finite().then_some(value);
            let (nll_sum, kl_sum) = (finite(sums.nll), finite(sums.kl).filter(|_| spec.metrics.kl));
            let reason = match (nll_sum, spec.metrics.kl) {
                (None, _) => Some("the quantized model's logits are not finite".to_owned()),
                (Some(_), false) => Some("kl was not measured".to_owned()),
                (Some(_), true) => None,
            };
            DocumentRow {
                model: spec.models[cell.model].model.name.clone(),
                language: language.to_string(),
                shard: id.shard,
                document: document.index,
                document_id: document.id.clone(),
                group: document.group.clone(),
                scope: cell.scope.layers.to_string(),
                layers: layers.clone(),
                components: cell.scope.components.to_string(),
                config: cell.config.to_string(),
                protocol: spec.models[cell.model].model.protocol.to_string(),
                tokens: scored.scored_tokens,
                bytes: scored.scored_bytes,
                chars: scored.scored_chars,
                nll_sum,
                base_nll_sum: sums.base_nll,
                kl_sum,
                top1_count: sums.top1,
                reason,
            }
        })
        .collect()
}
