//! Cells: the shard with a scope quantized, resumed from the boundary before its first quantized layer, or begun anew where the
//! embedding is quantized, scored beside the baseline. The config `none` takes the same way as any other.

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Component, Layer, Scope, Spec, UnitIndex};
use candle_core::Tensor;

use super::documents::{Outcome, rows};
use super::head::Finals;
use super::loaded::{Loaded, Start};
use super::shard::ShardStates;
use super::{Emit, EvalError, encoded};
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
    spec: &Spec,
    loaded: &mut Loaded,
    shard: &mut ShardStates,
    cells: &[Cell<'_>],
    emit: &mut Emit<'_>,
) -> Result<(), EvalError> {
    let own_head = |cell: &Cell<'_>| cell.scope.outside_layers().contains(Component::Head);
    let (own, shared): (Vec<_>, Vec<_>) = cells.iter().copied().partition(own_head);
    for together in [&shared[..]].into_iter().chain(own.chunks(1)).filter(|c| !c.is_empty()) {
        score(spec, loaded, shard, (together, emit))?;
    }
    Ok(())
}

/// Runs cells one after the other and scores them together.
fn score(
    spec: &Spec,
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
        Some(end.states.clone().map(finals))
    });
    let (base, scores) = shard.score(&loaded.transformer, spec, finals.collect())?;
    let mut scores = scores.iter();
    for Run { cell, layers, end } in &runs {
        let outcome = match end {
            Ok(_) => {
                Outcome::Scored(scores.next().expect("every cell that ran is scored in order"))
            }
            Err(reason) => Outcome::Unsupported(reason),
        };
        emit(cell.index, encoded(&rows(spec, shard, (cell, layers), (&base, outcome))));
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
    /// Its final states at scored positions, [positions, width]; `None` where nothing is scored.
    states: Option<Tensor>,
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
    if *cell.config == QuantConfig::F32 {
        let model = loaded.reference()?;
        let tables = model.tables().clone();
        let states = shard.pass(model, &tables).through(None, |_| ())?;
        return Ok(End { tables, states });
    }
    let start = loaded.start(cell.scope, layers)?;
    let Loaded { transformer, quantizer, .. } = &*loaded;
    let tables = quantizer.tables(transformer, &cell.scope.outside_layers(), cell.config)?;
    let states = states(loaded, shard, (cell, layers, start), &tables)?;
    // The lookup has been used: only the head is kept.
    let tables = loaded.transformer.tables().clone().with_head_of(tables);
    Ok(End { tables, states })
}

/// The cell's final states at scored positions. A layer is quantized once and run over all micro-batches.
fn states(
    loaded: &mut Loaded,
    shard: &ShardStates,
    (cell, layers, start): (Cell<'_>, &BTreeSet<Layer>, Start),
    tables: &Tables,
) -> Result<Option<Tensor>, EvalError> {
    let shape = loaded.transformer.architecture().shape;
    let (first, mut stream) = match start {
        Start::Embedding => (0, shard.pass(&loaded.transformer, tables).start(None)?),
        Start::Layer(layer) => (shape.position(layer), shard.boundary(shape.position(layer))),
        Start::Head => return Ok(shard.finals()),
    };
    for layer in shape.stacked_layers().skip(first as usize) {
        if shape.position(layer) > first {
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
    }
    shard.pass(&loaded.transformer, tables).finals(&stream, None)
}
