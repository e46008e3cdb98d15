//! A model of the spec, found, verified and loaded: transformer, tokenizer, and the quantized layers that cells ask for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Components, Dtype, Layer, Role, Scope};
use candle_core::{DType, Device, Tensor};
use tracing::info;

use super::error::EvalError;
use super::weights::group_kurtosis;
use crate::corpus::Tokenizer;
use crate::model::{
    Block, Checkpoint, Matrix, ModelError, Replacement, Residence, Transformer, gather_rows,
};
use crate::quant::{MatrixShape, WeightContext, quantize};

/// A loaded model.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) transformer: Transformer,
    pub(super) tokenizer: Tokenizer,
    directory: PathBuf,
    /// The same model in f32, once somebody asked.
    reference: Option<Transformer>,
    /// Excess kurtosis of each layer's group, once somebody asked.
    kurtosis: BTreeMap<Layer, Option<f64>>,
}

impl Loaded {
    /// Loads the model in `directory`.
    pub(super) fn load(
        directory: &Path,
        device: &Device,
        dtype: Dtype,
        residence: Residence,
    ) -> Result<Self, EvalError> {
        let dtype = match dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::Bf16 => DType::BF16,
        };
        info!(directory = %directory.display(), ?residence, "loading the model");
        Ok(Self {
            transformer: Transformer::load(directory, (device, dtype), residence)?,
            tokenizer: Tokenizer::open(directory)?,
            directory: directory.to_owned(),
            reference: None,
            kurtosis: BTreeMap::new(),
        })
    }

    /// The model that computes cells of `config`.
    pub(super) fn model_of(&self, config: QuantConfig) -> &Transformer {
        match (config, &self.reference) {
            (QuantConfig::F32, Some(reference)) => reference,
            (QuantConfig::F32, None)
            | (QuantConfig::None | QuantConfig::Uniform(_) | QuantConfig::Named(_), _) => {
                &self.transformer
            }
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

    /// The layer with the components' weights quantized and dequantized.
    pub(super) fn quantized(
        &mut self,
        layer: Layer,
        components: &Components,
        config: QuantConfig,
    ) -> Result<Arc<Block>, EvalError> {
        let context = WeightContext { group_kurtosis: self.group_kurtosis(layer, config)? };
        let checkpoint = self.checkpoint()?;
        let quantizer = Quantizer { model: &self.transformer, checkpoint, config, context };
        let matrices = self.transformer.architecture().matrices(layer).iter();
        let replacements = matrices
            .map(|matrix| quantizer.replacements(layer, matrix, components))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.transformer.replaced(layer, replacements.into_iter().flatten().collect())?)
    }

    /// The checkpoint, mapped only while it is read: its pages would count as ours.
    fn checkpoint(&self) -> Result<Checkpoint, ModelError> {
        Checkpoint::open(&self.directory, self.transformer.architecture().names.prefixes)
    }

    /// The layer group's excess kurtosis, for the rules that ask for it.
    fn group_kurtosis(
        &mut self,
        layer: Layer,
        config: QuantConfig,
    ) -> Result<Option<f64>, EvalError> {
        let QuantConfig::Named(_) = config else { return Ok(None) };
        if let Some(&kurtosis) = self.kurtosis.get(&layer) {
            return Ok(kurtosis);
        }
        let kurtosis = group_kurtosis(&self.checkpoint()?, self.transformer.architecture(), layer);
        self.kurtosis.insert(layer, kurtosis);
        Ok(kurtosis)
    }
}

/// One config on its way to a layer.
struct Quantizer<'a> {
    model: &'a Transformer,
    checkpoint: Checkpoint,
    config: QuantConfig,
    context: WeightContext,
}

impl Quantizer<'_> {
    /// Quantizes the stored tensor, all of it, and takes the rows of the roles in scope; other rows keep their bits.
    fn replacements(
        &self,
        layer: Layer,
        matrix: &Matrix,
        components: &Components,
    ) -> Result<Vec<Replacement>, EvalError> {
        let roles = matrix.roles.iter().map(|(role, _)| *role);
        let roles: Vec<Role> = roles.filter(|&role| components.contains(role)).collect();
        if roles.is_empty() {
            return Ok(Vec::new());
        }
        let name = format!("{}.weight", self.model.architecture().layer_name(layer, matrix.name));
        let weights = matrix.in_use(self.checkpoint.require(&name)?.to_f32());
        let shape = MatrixShape { rows: matrix.rows(), columns: matrix.columns };
        let quantized = quantize(&weights, shape, self.config, &self.context)
            .map_err(|source| EvalError::Quant { layer, tensor: matrix.name, source })?;
        let replacement = |role: Role| {
            let weights = gather_rows(&quantized, matrix.columns, &matrix.role_rows(role));
            let shape = (weights.len() / matrix.columns, matrix.columns);
            let weight = Tensor::from_vec(weights, shape, self.model.device())
                .and_then(|weight| weight.to_dtype(self.model.dtype()))
                .map_err(ModelError::from)?;
            Ok(Replacement { role, weight })
        };
        roles.into_iter().map(replacement).collect()
    }
}
