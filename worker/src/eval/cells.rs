//! Cells: the shard with a scope quantized, resumed from the boundary before its first quantized layer, scored beside the
//! baseline. The config `none` takes the same way as any other.

use std::collections::BTreeSet;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Layer, Scope, Spec, UnitIndex};
use candle_core::Tensor;

use super::documents::{Outcome, rows};
use super::head::Finals;
use super::loaded::Loaded;
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
    let finals = runs.iter().filter_map(|run| {
        let model = loaded.model_of(run.cell.config);
        let states = run.states.as_ref().ok()?.clone();
        Some(states.map(|states| Finals { model, states }))
    });
    let (base, scores) = shard.score(&loaded.transformer, spec, finals.collect())?;
    let mut scores = scores.iter();
    for Run { cell, layers, states } in &runs {
        let outcome = match states {
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
    /// Its final states at scored positions, [positions, width], `None` where nothing is scored; or the reason of its rows.
    states: Result<Option<Tensor>, String>,
}

fn run<'a>(loaded: &mut Loaded, shard: &ShardStates, cell: Cell<'a>) -> Result<Run<'a>, EvalError> {
    let layers = loaded.held(&cell.scope.layers)?;
    let states = match finals_of(loaded, shard, (cell, &layers)) {
        Ok(states) => Ok(states),
        Err(error) => Err(error.unsupported().ok_or(error)?),
    };
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
