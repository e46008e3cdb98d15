//! What the matrices of a model read over a calibration set, as moments: from the baseline's forward pass, never from a quantized
//! one, so that they belong to model, set and layer alone. Not the rules that need them (`quant`).
//!
//! The moments of one layer are held at a time: those of a matrix of 16,384 columns take a gibibyte.

mod store;
mod sums;
mod tap;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use babelquant_proto::quant::CalibrationSet;
use babelquant_proto::{Document, Layer, Spec};
use tracing::debug;

pub(super) use self::store::MomentStore;
use self::tap::InputTap;
use super::error::EvalError;
use super::loaded::Baseline;
use super::pass::{Pass, Stream};
use super::shard::tokenized;
use crate::corpus::TokenizedShard;
use crate::model::Input;
use crate::quant::InputMoments;

/// Gives moments of one model.
#[derive(Debug)]
pub(super) struct Calibrator {
    spec: Arc<Spec>,
    model: usize,
    store: MomentStore,
    /// The forward pass that ran last.
    running: Option<Running>,
    held: Option<Held>,
}

/// The moments of one layer over one set.
#[derive(Debug)]
struct Held {
    set: CalibrationSet,
    layer: Layer,
    moments: BTreeMap<Input, Arc<InputMoments>>,
}

/// A forward pass over a set that stands before a layer.
#[derive(Debug)]
struct Running {
    set: CalibrationSet,
    tokens: TokenizedShard,
    layer: Layer,
    before: Stream,
    /// The stream after the layer, once that was run.
    after: Option<Stream>,
}

impl Calibrator {
    /// Moments of model `model` of `spec`.
    pub(super) fn new(spec: &Arc<Spec>, model: usize, store: MomentStore) -> Self {
        Self { spec: Arc::clone(spec), model, store, running: None, held: None }
    }

    /// The moments of what matrices of `layer` read over `set`: of each of the `wanted` inputs.
    pub(super) fn moments(
        &mut self,
        on: Baseline<'_>,
        (set, layer): (&CalibrationSet, Layer),
        wanted: &BTreeSet<Input>,
    ) -> Result<BTreeMap<Input, Arc<InputMoments>>, EvalError> {
        let mut held = match self.held.take() {
            Some(held) if held.set == *set && held.layer == layer => held,
            Some(_) | None => Held { set: set.clone(), layer, moments: BTreeMap::new() },
        };
        let spec = Arc::clone(&self.spec);
        let of = (&*spec, self.model, texts(&spec, set));
        let mut missing = BTreeSet::new();
        for &input in wanted {
            if let Entry::Vacant(vacant) = held.moments.entry(input) {
                match self.store.get(of, (layer, input)) {
                    Some(moments) => {
                        vacant.insert(Arc::new(moments));
                    }
                    None => {
                        missing.insert(input);
                    }
                }
            }
        }
        if !missing.is_empty() {
            for (input, moments) in self.computed(on, (set, layer), missing)? {
                self.store.put(of, (layer, input), &moments);
                held.moments.insert(input, moments);
            }
        }
        let wanted = held.moments.iter().filter(|(input, _)| wanted.contains(input));
        let wanted = wanted.map(|(&input, moments)| (input, Arc::clone(moments))).collect();
        self.held = Some(held);
        Ok(wanted)
    }

    /// Runs the baseline to `layer` and looks at its inputs.
    fn computed(
        &mut self,
        on: Baseline<'_>,
        (set, layer): (&CalibrationSet, Layer),
        wanted: BTreeSet<Input>,
    ) -> Result<Vec<(Input, Arc<InputMoments>)>, EvalError> {
        let shape = on.model.architecture().shape;
        let usable = |running: &Running| {
            running.set == *set && shape.position(running.layer) <= shape.position(layer)
        };
        let mut running = match self.running.take().filter(usable) {
            Some(running) => running,
            None => self.start(on, set)?,
        };
        debug!(%set, %layer, from = %running.layer, "calibrating");
        let first = shape.position(running.layer) as usize + 1;
        for next in shape.stacked_layers().skip(first) {
            if shape.position(next) > shape.position(layer) {
                break;
            }
            running.advance_to(on, next)?;
        }
        let mut tap = InputTap::new(wanted);
        running.run(on, Some(&mut tap))?;
        self.running = Some(running);
        tap.finish().map_err(|input| EvalError::Calibration { set: set.clone(), layer, input })
    }

    /// The pass before the model's first layer.
    fn start(&self, on: Baseline<'_>, set: &CalibrationSet) -> Result<Running, EvalError> {
        let document = |(index, text): (u32, &String)| {
            let id = format!("{} of calibration set {set}", index + 1);
            Document { index, group: id.clone(), id, text: text.clone() }
        };
        let documents: Vec<Document> = (0..).zip(texts(&self.spec, set)).map(document).collect();
        let tokens = tokenized(&documents, (&self.spec, self.model), on)?;
        let pass = Pass { model: on.model, tables: on.model.tables(), tokens: &tokens };
        let layer = on.model.architecture().shape.stacked_layers().next();
        let layer = layer.unwrap_or(Layer::dec(0));
        let mut before = pass.start(None)?;
        pass.enter(layer, &mut before, None)?;
        Ok(Running { set: set.clone(), tokens, layer, before, after: None })
    }
}

/// The text of a set; none where the spec does not hold it.
fn texts<'a>(spec: &'a Spec, set: &CalibrationSet) -> &'a [String] {
    let calibration = spec.calibration.iter().find(|calibration| calibration.set == *set);
    calibration.map_or(&[], |calibration| &calibration.texts)
}

impl Running {
    /// Runs the layer under the eyes of `tap`; the pass goes on standing before it.
    fn run(&mut self, on: Baseline<'_>, tap: Option<&mut InputTap>) -> Result<(), EvalError> {
        let pass = Pass { model: on.model, tables: on.model.tables(), tokens: &self.tokens };
        let mut after = self.before.clone();
        let block = on.model.block(self.layer)?;
        match tap {
            Some(tap) => pass.advance(&block, &mut after, Some(tap))?,
            None => pass.advance(&block, &mut after, None)?,
        }
        self.after = Some(after);
        Ok(())
    }

    /// Stands before `next`, the layer behind this one.
    fn advance_to(&mut self, on: Baseline<'_>, next: Layer) -> Result<(), EvalError> {
        if self.after.is_none() {
            self.run(on, None)?;
        }
        if let Some(mut after) = self.after.take() {
            Pass { model: on.model, tables: on.model.tables(), tokens: &self.tokens }
                .enter(next, &mut after, None)?;
            self.before = after;
        }
        self.layer = next;
        Ok(())
    }
}
