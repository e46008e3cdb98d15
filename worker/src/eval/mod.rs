//! Evaluation: units → rows. The one room that names both the model and its quantization.

mod activations;
mod calibration;
mod cells;
mod clipping;
mod documents;
mod drift;
mod error;
mod find;
mod head;
mod loaded;
mod memory;
mod norms;
mod others;
mod pass;
mod position;
mod quantization;
mod quantizer;
mod shard;
mod tables;
mod tile;
mod tokens;
mod weights;

use std::path::PathBuf;
use std::sync::Arc;

use babelquant_proto::rows::{Measured, QuantizationRow, encode, made_by};
use babelquant_proto::{EngineClass, Layer, ShardText, Spec, Unit, UnitIndex};
use bytes::Bytes;

use self::activations::ActivationTap;
use self::calibration::MomentStore;
use self::loaded::Loaded;
use self::memory::{Budget, Needs};
use self::pass::Watch;
use self::shard::ShardStates;
use crate::cache::Cache;
use crate::model::{Architecture, Checkpoint};

pub use clipping::clipping_rows;
pub use error::EvalError;
pub use find::Places;
pub use others::{Remainder, check_checkpoint};
pub use weights::{check, parameters, weight_rows};

/// Computes units of one spec; keeps the model and the shard that it needed last.
#[derive(Debug)]
pub struct Evaluator {
    spec: Arc<Spec>,
    places: Places,
    device: candle_core::Device,
    /// What makes the numbers: every row names it.
    engine: EngineClass,
    budget: Budget,
    store: MomentStore,
    directories: Vec<Option<PathBuf>>,
    loaded: Option<(usize, Loaded)>,
    shard: Option<ShardStates>,
}

/// Receives each unit's rows as they are sent, or why there are none, as soon as they are known.
pub(crate) type Emit<'a> = dyn FnMut(UnitIndex, Result<Bytes, EvalError>) + 'a;

impl Evaluator {
    /// An evaluator that looks for models in `places` and computes on a device of this engine class.
    pub fn new(
        spec: Spec,
        places: Places,
        (device, engine): (candle_core::Device, EngineClass),
    ) -> Self {
        let directories = vec![None; spec.models.len()];
        let spec = Arc::new(spec);
        let budget = Budget::default();
        let store = MomentStore::default();
        let (loaded, shard) = (None, None);
        Self { spec, places, device, engine, budget, store, directories, loaded, shard }
    }

    /// Keeps what calibration costs in `cache`, for workers of the same engine class.
    #[must_use]
    pub fn with_cache(self, cache: Cache) -> Self {
        Self { store: MomentStore::in_cache(cache, self.engine.clone()), ..self }
    }

    /// Refuses units whose estimate exceeds `allowed` bytes, and reads a model layer by layer that would not fit into `allowed`, or
    /// else into a `device` with so many bytes.
    #[must_use]
    pub fn with_memory(self, allowed: Option<u64>, device: Option<u64>) -> Self {
        Self { budget: Budget { allowed, device }, ..self }
    }

    /// Drops what is kept, as after a failure.
    pub(crate) fn forget(&mut self) {
        self.loaded = None;
        self.shard = None;
    }

    /// Computes units of one lane; every unit that is not emitted fails with the returned error.
    ///
    /// # Errors
    /// The model or the shard cannot be prepared.
    pub fn compute(
        &mut self,
        units: &[UnitIndex],
        text: Option<&ShardText>,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let spec = Arc::clone(&self.spec);
        let mut cells = Vec::new();
        let mut baseline = None;
        for &index in units {
            match spec.unit(index).ok_or(EvalError::NoSuchUnit(index))? {
                Unit::Weights { model, layer } => emit(index, self.weights(model, layer)),
                Unit::Quantization { model, layer } => {
                    emit(index, self.quantization(model, layer));
                }
                Unit::Baseline { model, .. } => baseline = Some((index, model)),
                Unit::Cell { model, scope, config, .. } => {
                    cells.push(cells::Cell { index, model, scope, config });
                }
            }
        }
        let model = baseline.map(|(_, model)| model).or(cells.first().map(|cell| cell.model));
        let Some(model) = model else { return Ok(()) };
        let text = text.ok_or(EvalError::NoSuchUnit(units[0]))?;
        self.load(model)?;
        self.prepare(model, text, baseline.map(|(index, _)| index), emit)?;
        let (Some((_, loaded)), Some(shard)) = (&mut self.loaded, &mut self.shard) else {
            return Ok(());
        };
        cells::evaluate((&spec, &self.engine), loaded, shard, &cells, emit)
    }

    fn directory(&mut self, model: usize) -> Result<PathBuf, EvalError> {
        if let Some(directory) = &self.directories[model] {
            return Ok(directory.clone());
        }
        let directory = self.places.find(&self.spec.models[model].model)?;
        self.directories[model] = Some(directory.clone());
        Ok(directory)
    }

    fn weights(&mut self, model: usize, layer: Option<Layer>) -> Result<Bytes, EvalError> {
        let directory = self.directory(model)?;
        let architecture = Architecture::read(&directory)?;
        let checkpoint = Checkpoint::open(&directory, architecture.names.prefixes)?;
        let name = &self.spec.models[model].model.name;
        self.encoded(weights::rows(&checkpoint, &architecture, (name, layer)))
    }

    fn quantization(&mut self, model: usize, layer: Option<Layer>) -> Result<Bytes, EvalError> {
        self.load(model)?;
        let Some((_, loaded)) = &mut self.loaded else {
            return self.encoded::<QuantizationRow>(Vec::new());
        };
        let rows = quantization::rows(&self.spec, loaded, (model, layer))?;
        self.encoded(rows)
    }

    fn load(&mut self, model: usize) -> Result<(), EvalError> {
        if self.loaded.as_ref().is_some_and(|(loaded, _)| *loaded == model) {
            return Ok(());
        }
        self.forget();
        let directory = self.directory(model)?;
        let needs = Needs::of(&self.spec, model, &Architecture::read(&directory)?);
        let residence = needs.residence(&self.spec, self.budget)?;
        let (of, around) = ((&self.spec, model), (&self.places, self.store.clone()));
        let loaded = Loaded::load(&directory, of, &self.device, residence, around)?;
        self.loaded = Some((model, loaded));
        Ok(())
    }

    /// Makes the shard's states current; emits the activation rows if the baseline unit asks for them.
    fn prepare(
        &mut self,
        model: usize,
        text: &ShardText,
        baseline: Option<UnitIndex>,
        emit: &mut Emit<'_>,
    ) -> Result<(), EvalError> {
        let current = |shard: &ShardStates| shard.model == model && shard.text.id == text.id;
        if baseline.is_none() && self.shard.as_ref().is_some_and(current) {
            return Ok(());
        }
        let Some((_, loaded)) = &self.loaded else { return Ok(()) };
        self.shard = None;
        let transformer = &loaded.transformer;
        let needs = Needs::of(&self.spec, model, transformer.architecture());
        needs.check(text, self.budget, transformer.residence())?;
        let mut tap = baseline.map(|_| ActivationTap::default());
        let watcher = tap.as_mut().map(|tap| tap as &mut (dyn Watch + 'static));
        let shard = ShardStates::run((model, loaded), text, &self.spec, watcher)?;
        if let (Some(index), Some(tap)) = (baseline, tap) {
            emit(index, self.encoded(tap.into_rows(&self.spec, model, text)));
        }
        self.shard = Some(shard);
        Ok(())
    }

    /// Rows as they are sent.
    fn encoded<R: Measured>(&self, rows: Vec<R>) -> Result<Bytes, EvalError> {
        Ok(encode(&made_by(&self.engine, rows))?)
    }
}
