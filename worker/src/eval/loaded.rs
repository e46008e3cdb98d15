//! A model of the spec, found, verified and loaded: transformer, tokenizer, and who quantizes its layers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Component, Dtype, Layer, Layers, Scope, Spec};
use candle_core::{DType, Device};
use tracing::info;

use super::calibration::MomentStore;
use super::error::EvalError;
use super::find::Places;
use super::quantizer::Quantizer;
use super::weights::ranking;
use crate::corpus::Tokenizer;
use crate::model::{Checkpoint, Residence, Transformer};

/// The model as it is, and how it reads text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baseline<'a> {
    pub(super) model: &'a Transformer,
    pub(super) tokenizer: &'a Tokenizer,
}

/// A loaded model.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) transformer: Transformer,
    pub(super) tokenizer: Tokenizer,
    pub(super) quantizer: Quantizer,
    directory: PathBuf,
    /// The same model in f32, once somebody asked.
    reference: Option<Transformer>,
    /// Its layers by falling kurtosis, once somebody asked.
    ranking: Option<Vec<Layer>>,
}

impl Loaded {
    /// Loads model `model` of `spec` from `directory`.
    pub(super) fn load(
        directory: &Path,
        (spec, model): (&Arc<Spec>, usize),
        device: &Device,
        residence: Residence,
        around: (&Places, MomentStore),
    ) -> Result<Self, EvalError> {
        let dtype = match spec.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::Bf16 => DType::BF16,
        };
        info!(directory = %directory.display(), ?residence, "loading the model");
        Ok(Self {
            transformer: Transformer::load(directory, (device, dtype), residence)?,
            tokenizer: Tokenizer::open(directory)?,
            directory: directory.to_owned(),
            quantizer: Quantizer::new(directory, (spec, model), around),
            reference: None,
            ranking: None,
        })
    }

    /// The model as it is.
    pub(super) fn baseline(&self) -> Baseline<'_> {
        Baseline { model: &self.transformer, tokenizer: &self.tokenizer }
    }

    /// The model as it is, and who quantizes its layers.
    pub(super) fn quantizing(&mut self) -> (Baseline<'_>, &mut Quantizer) {
        let Self { transformer, tokenizer, quantizer, .. } = self;
        (Baseline { model: transformer, tokenizer }, quantizer)
    }

    /// The model that computes cells of `config`.
    pub(super) fn model_of(&self, config: &QuantConfig) -> &Transformer {
        match (config, &self.reference) {
            (QuantConfig::F32, Some(reference)) => reference,
            (QuantConfig::F32, None)
            | (
                QuantConfig::None
                | QuantConfig::Weights(_)
                | QuantConfig::Mixed(_)
                | QuantConfig::Checkpoint(_),
                _,
            ) => &self.transformer,
        }
    }

    /// The model in f32, layer by layer: it is used once a shard and must not take memory beside the other.
    pub(super) fn reference(&mut self) -> Result<&Transformer, EvalError> {
        let reference = match self.reference.take() {
            Some(reference) => reference,
            None => {
                let on = (self.transformer.device(), DType::F32);
                Transformer::load(&self.directory, on, Residence::Streamed)?
            }
        };
        Ok(self.reference.insert(reference))
    }

    /// The layers that a scope holds. Kurtosis is a function of the checkpoint alone: every worker finds the same layers.
    pub(super) fn held(&mut self, layers: &Layers) -> Result<BTreeSet<Layer>, EvalError> {
        let shape = self.transformer.architecture().shape;
        layers.resolve(&shape, || self.ranking())
    }

    /// The layers by falling kurtosis, as the weight statistics have it.
    fn ranking(&mut self) -> Result<Vec<Layer>, EvalError> {
        if let Some(ranking) = &self.ranking {
            return Ok(ranking.clone());
        }
        let architecture = self.transformer.architecture();
        let checkpoint = Checkpoint::open(&self.directory, architecture.names.prefixes)?;
        let ranking = ranking(&checkpoint, architecture);
        Ok(self.ranking.insert(ranking).clone())
    }

    /// Where a cell leaves the baseline's way; `layers` are those that the scope holds.
    pub(super) fn start(
        &self,
        scope: &Scope,
        layers: &BTreeSet<Layer>,
    ) -> Result<Start, EvalError> {
        let outside = scope.outside_layers();
        if outside.contains(Component::Embedding) {
            return Ok(Start::Embedding);
        }
        let architecture = self.transformer.architecture();
        let touched = |layer: &Layer| {
            let mut roles = scope.components.roles();
            let has_role = roles.any(|role| architecture.has_role(layer.stack, role));
            layers.contains(layer) && (has_role || scope.components.contains(Component::Norm))
        };
        match architecture.shape.stacked_layers().find(touched) {
            Some(layer) => Ok(Start::Layer(layer)),
            None if outside.contains(Component::Head) => Ok(Start::Head),
            None => Err(EvalError::EmptyScope {
                scope: scope.layers.to_string(),
                components: scope.components.to_string(),
            }),
        }
    }
}

/// Where a cell leaves the baseline's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At the lookup of the first stack: nothing of the baseline is left.
    Embedding,
    /// Before this layer, the first that is quantized.
    Layer(Layer),
    /// After the last layer.
    Head,
}
