//! A model of the spec, found, verified and loaded: transformer, tokenizer, and who quantizes its layers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Dtype, Layer, Scope, Spec};
use candle_core::{DType, Device};
use tracing::info;

use super::error::EvalError;
use super::quantizer::Quantizer;
use crate::corpus::Tokenizer;
use crate::model::{Residence, Transformer};

/// A loaded model.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) transformer: Transformer,
    pub(super) tokenizer: Tokenizer,
    pub(super) quantizer: Quantizer,
    directory: PathBuf,
    /// The same model in f32, once somebody asked.
    reference: Option<Transformer>,
}

impl Loaded {
    /// Loads model `model` of `spec` from `directory`.
    pub(super) fn load(
        directory: &Path,
        (spec, model): (&Arc<Spec>, usize),
        device: &Device,
        residence: Residence,
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
            quantizer: Quantizer::new(directory, spec, model),
            reference: None,
        })
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

    /// The first layer that the scope quantizes.
    pub(super) fn first_layer(&self, scope: &Scope) -> Result<Layer, EvalError> {
        let architecture = self.transformer.architecture();
        let touched = |layer: &Layer| {
            let mut roles = scope.components.roles();
            scope.layers.contains(*layer)
                && roles.any(|role| architecture.has_role(layer.stack, role))
        };
        architecture.shape.stacked_layers().find(touched).ok_or_else(|| EvalError::EmptyScope {
            scope: scope.layers.to_string(),
            components: scope.components.to_string(),
        })
    }
}
