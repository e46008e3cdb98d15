//! Cells: the shard with a scope quantized, resumed from the boundary before its first quantized layer, scored beside the
//! baseline. The config `none` takes the same way as any other.

use std::collections::{BTreeMap, BTreeSet};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Layer, Scope, Spec, UnitIndex};
use candle_core::Tensor;

use super::documents::{Outcome, rows};
use super::drift::Drift;
use super::head::Finals;
use super::loaded::Loaded;
use super::pass::Boundary;
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
        let finals = run.states.as_ref().ok()?.finals.clone();
        Some(finals.map(|states| Finals { model, states }))
    });
    let (base, scores) = shard.score(&loaded.transformer, spec, finals.collect())?;
    let mut scores = scores.iter();
    for Run { cell, layers, states } in &runs {
        let outcome = match states {
            Ok(states) => {
                let scores = scores.next().expect("every cell that ran is scored in order");
                Outcome::Scored(scores, states)
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
    /// Its states, or the reason of its rows.
    states: Result<States, String>,
}

/// What is left of the hidden states of a cell.
#[derive(Debug)]
pub(super) struct States {
    /// At scored positions after the final norm, [positions, width]; `None` where nothing is scored.
    finals: Option<Tensor>,
    /// How far they lie from the baseline's after the first quantized layer, by document.
    pub(super) next: Vec<Drift>,
    /// The same after the last layer.
    pub(super) last: Vec<Drift>,
}

fn run<'a>(loaded: &mut Loaded, shard: &ShardStates, cell: Cell<'a>) -> Result<Run<'a>, EvalError> {
    let layers = loaded.held(&cell.scope.layers)?;
    let states = match states_of(loaded, shard, (cell, &layers)) {
        Ok(states) => Ok(states),
        Err(error) => Err(error.unsupported().ok_or(error)?),
    };
    Ok(Run { cell, layers, states })
}

/// The cell's states. A layer is quantized once and run over all micro-batches.
fn states_of(
    loaded: &mut Loaded,
    shard: &ShardStates,
    (cell, layers): (Cell<'_>, &BTreeSet<Layer>),
) -> Result<States, EvalError> {
    let shape = loaded.transformer.architecture().shape;
    let first_layer = loaded.first_layer(cell.scope, layers)?;
    if *cell.config == QuantConfig::F32 {
        return reference_states(loaded, shard, first_layer);
    }
    let first = shape.position(first_layer);
    let mut stream = shard.boundary(first);
    let mut next = Vec::new();
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
        if layer == first_layer {
            next = shard.drift((layer, first), &stream.states)?;
        }
    }
    let finals = shard.pass(&loaded.transformer).finals(&stream, None)?;
    let last = match shape.stacked_layers().next_back() {
        Some(layer) if layer != first_layer => {
            shard.drift((layer, shape.position(layer)), &stream.states)?
        }
        Some(_) | None => next.clone(),
    };
    Ok(States { finals, next, last })
}

/// The states of the model in f32, as if it were quantized from `first_layer` on.
fn reference_states(
    loaded: &mut Loaded,
    shard: &ShardStates,
    first_layer: Layer,
) -> Result<States, EvalError> {
    let shape = loaded.transformer.architecture().shape;
    let last_layer = shape.stacked_layers().next_back().unwrap_or(first_layer);
    let mut seen = BTreeMap::new();
    let finals = shard.pass(loaded.reference()?).through(None, |boundary, stream| {
        let ends = [first_layer, last_layer];
        if let Some(&layer) = ends.iter().find(|&&layer| boundary == Boundary::After(layer)) {
            seen.insert(layer, stream.states.clone());
        }
    })?;
    let drift = |layer| shard.drift((layer, shape.position(layer)), &seen[&layer]);
    Ok(States { finals, next: drift(first_layer)?, last: drift(last_layer)? })
}
