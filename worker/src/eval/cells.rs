//! Cells: the shard with a scope quantized, resumed from the boundary before its first quantized layer, or begun anew where the
//! embedding is quantized, scored beside the baseline. The config `none` takes the same way as any other.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{encode_both, made_by};
use babelquant_proto::{Component, Drift, EngineClass, Layer, Scope, Spec, UnitIndex};
use candle_core::Tensor;

use super::documents::{Outcome, rows};
use super::head::Finals;
use super::loaded::{Loaded, Start};
use super::pass::Boundary;
use super::shard::ShardStates;
use super::{Emit, EvalError, tokens};
use crate::model::Tables;

/// One cell of a shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) index: UnitIndex,
    pub(super) model: usize,
    pub(super) scope: &'a Scope,
    pub(super) config: &'a QuantConfig,
}

/// Evaluates cells that share a shard and emits their rows. A cell with a head of its own is scored alone: only one such head is in
/// memory at a time.
pub(super) fn evaluate(
    (spec, engine): (&Spec, &EngineClass),
    loaded: &mut Loaded,
    shard: &mut ShardStates,
    cells: &[Cell<'_>],
    emit: &mut Emit<'_>,
) -> Result<(), EvalError> {
    let own_head = |cell: &Cell<'_>| cell.scope.outside_layers().contains(Component::Head);
    let (own, shared): (Vec<_>, Vec<_>) = cells.iter().copied().partition(own_head);
    for together in [&shared[..]].into_iter().chain(own.chunks(1)).filter(|c| !c.is_empty()) {
        score((spec, engine), loaded, shard, (together, emit))?;
    }
    Ok(())
}

/// Runs cells one after the other and scores them together.
fn score(
    (spec, engine): (&Spec, &EngineClass),
    loaded: &mut Loaded,
    shard: &mut ShardStates,
    (cells, emit): (&[Cell<'_>], &mut Emit<'_>),
) -> Result<(), EvalError> {
    let mut runs = Vec::with_capacity(cells.len());
    for &cell in cells {
        match run(loaded, shard, cell) {
            Ok(run) => runs.push(run),
            Err(error) => emit(cell.index, Err(error)),
        }
    }
    let finals = runs.iter().filter_map(|run| {
        let (model, end) = (loaded.model_of(run.cell.config), run.end.as_ref().ok()?);
        let finals = |states| Finals { model, tables: &end.tables, states };
        Some(end.states.finals.clone().map(finals))
    });
    let (base, scores) = shard.score(&loaded.transformer, spec, finals.collect())?;
    let mut scores = scores.iter();
    for Run { cell, layers, end } in &runs {
        let outcome = match end {
            Ok(end) => {
                let scores = scores.next().expect("every cell that ran is scored in order");
                Outcome::Scored(scores, &end.states)
            }
            Err(reason) => Outcome::Unsupported(reason),
        };
        let documents = rows(spec, shard, (cell, layers), (&base, outcome));
        let tokens = tokens::row(spec, shard, cell, (&base, outcome));
        let documents = made_by(engine, documents);
        emit(cell.index, Ok(encode_both(&documents, &made_by(engine, vec![tokens]))?));
    }
    Ok(())
}

/// A cell that ran to its end, or to a matrix that its config does not fit.
#[derive(Debug)]
struct Run<'a> {
    cell: Cell<'a>,
    /// The layers that its scope holds.
    layers: BTreeSet<Layer>,
    /// Where it came to, or the reason of its rows.
    end: Result<End, String>,
}

/// Where a cell came to.
#[derive(Debug)]
struct End {
    /// Where its head is found.
    tables: Tables,
    states: States,
}

/// What is left of the hidden states of a cell.
#[derive(Debug)]
pub(super) struct States {
    /// At scored positions after the final norm, [positions, width]; `None` where nothing is scored.
    finals: Option<Tensor>,
    /// How far they lie from the baseline's after the first layer that differs, by document.
    pub(super) next: Vec<Drift>,
    /// The same after the last layer.
    pub(super) last: Vec<Drift>,
}

fn run<'a>(loaded: &mut Loaded, shard: &ShardStates, cell: Cell<'a>) -> Result<Run<'a>, EvalError> {
    let layers = loaded.held(&cell.scope.layers)?;
    let end = match end(loaded, shard, (cell, &layers)) {
        Ok(end) => Ok(end),
        Err(error) => Err(error.unsupported().ok_or(error)?),
    };
    Ok(Run { cell, layers, end })
}

fn end(
    loaded: &mut Loaded,
    shard: &ShardStates,
    (cell, layers): (Cell<'_>, &BTreeSet<Layer>),
) -> Result<End, EvalError> {
    let start = loaded.start(cell.scope, layers)?;
    if *cell.config == QuantConfig::F32 {
        return reference(loaded, shard, start);
    }
    let Loaded { transformer, quantizer, .. } = &mut *loaded;
    let tables = quantizer.tables(transformer, &cell.scope.outside_layers(), cell.config)?;
    let states = states(loaded, shard, (cell, layers, start), &tables)?;
    // The lookup has been used: only the head is kept.
    let tables = loaded.transformer.tables().clone().with_head_of(tables);
    Ok(End { tables, states })
}

/// The cell's states. A layer is quantized once and run over all micro-batches.
fn states(
    loaded: &mut Loaded,
    shard: &ShardStates,
    (cell, layers, start): (Cell<'_>, &BTreeSet<Layer>, Start),
    tables: &Tables,
) -> Result<States, EvalError> {
    let shape = loaded.transformer.architecture().shape;
    let (first, mut stream) = match start {
        Start::Embedding => (0, shard.pass(&loaded.transformer, tables).start(None)?),
        Start::Layer(layer) => (shape.position(layer), shard.boundary(shape.position(layer))),
        Start::Head => {
            let (finals, still) = (shard.finals(), shard.still()?);
            return Ok(States { finals, next: still.clone(), last: still });
        }
    };
    let (mut next, mut last) = (Vec::new(), Vec::new());
    for (position, layer) in (0..).zip(shape.stacked_layers()).skip(first as usize) {
        if position > first {
            shard.pass(&loaded.transformer, tables).enter(layer, &mut stream, None)?;
        }
        let block = match layers.contains(&layer) {
            true => {
                let (baseline, quantizer) = loaded.quantizing();
                quantizer.layer(baseline, layer, &cell.scope.components, cell.config)?
            }
            false => loaded.transformer.block(layer)?,
        };
        shard.pass(&loaded.transformer, tables).advance(&block, &mut stream, None)?;
        if position == first {
            next = shard.drift((layer, position), &stream.states)?;
        }
        if position + 1 == shape.depth() {
            last = match position == first {
                true => next.clone(),
                false => shard.drift((layer, position), &stream.states)?,
            };
        }
    }
    let finals = shard.pass(&loaded.transformer, tables).finals(&stream, None)?;
    Ok(States { finals, next, last })
}

/// The model in f32, as if it were quantized from `start` on.
fn reference(loaded: &mut Loaded, shard: &ShardStates, start: Start) -> Result<End, EvalError> {
    let shape = loaded.transformer.architecture().shape;
    let last = shape.depth().saturating_sub(1);
    let first = match start {
        Start::Embedding => 0,
        Start::Layer(layer) => shape.position(layer),
        Start::Head => last,
    };
    let mut seen = BTreeMap::new();
    let model = loaded.reference()?;
    let tables = model.tables().clone();
    let finals = shard.pass(model, &tables).through(None, |boundary, stream| {
        if let Boundary::After(layer) = boundary
            && [first, last].contains(&shape.position(layer))
        {
            seen.insert(shape.position(layer), (layer, stream.states.clone()));
        }
    })?;
    let drift = |position: u32| {
        let (layer, states) = &seen[&position];
        shard.drift((*layer, position), states)
    };
    let states = States { finals, next: drift(first)?, last: drift(last)? };
    Ok(End { tables, states })
}
