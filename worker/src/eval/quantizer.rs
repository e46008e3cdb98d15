//! Quantizes the layers of a model: brings each stored matrix to its rule with all that the rule needs to know. Not the rules
//! (`quant`), and not what becomes of the layer (`cells`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use babelquant_proto::quant::{Applied, QuantConfig, Rule, WeightConfig};
use babelquant_proto::{Components, Layer, Role, Spec};
use candle_core::Tensor;

use super::error::EvalError;
use super::weights::group_kurtosis;
use crate::model::{Block, Checkpoint, Matrix, ModelError, Replacement, Transformer, gather_rows};
use crate::quant::{MatrixShape, QuantError, Quantized, WeightContext, quantize};

/// Quantizes layers of one model.
#[derive(Debug)]
pub(super) struct Quantizer {
    directory: PathBuf,
    spec: Arc<Spec>,
    model: usize,
    /// Excess kurtosis of each layer's group, once somebody asked.
    kurtosis: BTreeMap<Layer, Option<f64>>,
}

impl Quantizer {
    /// Quantizes layers of model `model` of `spec`, which lies in `directory`.
    pub(super) fn new(directory: &Path, spec: &Arc<Spec>, model: usize) -> Self {
        let (directory, spec) = (directory.to_owned(), Arc::clone(spec));
        Self { directory, spec, model, kurtosis: BTreeMap::new() }
    }

    /// The layer with the components' weights quantized and dequantized.
    pub(super) fn layer(
        &mut self,
        model: &Transformer,
        layer: Layer,
        components: &Components,
        config: &QuantConfig,
    ) -> Result<Arc<Block>, EvalError> {
        let mut replacements = Vec::new();
        for matrix in model.architecture().matrices(layer) {
            let roles = matrix.roles.iter().map(|(role, _)| *role);
            let roles: Vec<Role> = roles.filter(|&role| components.contains(role)).collect();
            if roles.is_empty() {
                continue;
            }
            let quantized = self.matrix(model, (layer, matrix), config.at(Some(layer)))?;
            for role in roles {
                replacements.push(replacement(model, matrix, role, &quantized)?);
            }
        }
        Ok(model.replaced(layer, replacements)?)
    }

    /// A stored matrix, quantized: all of it, whichever of its roles are in scope.
    pub(super) fn matrix(
        &mut self,
        model: &Transformer,
        (layer, matrix): (Layer, &Matrix),
        applied: Applied<'_>,
    ) -> Result<Quantized, EvalError> {
        let checkpoint = self.checkpoint(model)?;
        let name = format!("{}.weight", model.architecture().layer_name(layer, matrix.name));
        let weights = matrix.in_use(checkpoint.require(&name)?.to_f32());
        let shape = MatrixShape { rows: matrix.rows(), columns: matrix.columns };
        let quantized = match applied {
            Applied::Identity => {
                Ok(Quantized { weights, bits_per_weight: 32.0, groups: None, input_divisor: None })
            }
            Applied::Weights(config) => {
                let group_kurtosis = self.group_kurtosis(model, layer, config)?;
                let context = WeightContext { group_kurtosis, inputs: None, seed: self.spec.seed };
                quantize(&weights, shape, config, &context)
            }
            Applied::Checkpoint(name) => {
                let model = &self.spec.models[self.model].model.name;
                let reason = format!("no checkpoint {name} of model {model}");
                Err(QuantError::Unsupported { reason })
            }
        };
        quantized.map_err(|source| EvalError::Quant { layer, tensor: matrix.name, source })
    }

    /// The checkpoint, mapped only while it is read: its pages would count as ours.
    fn checkpoint(&self, model: &Transformer) -> Result<Checkpoint, ModelError> {
        Checkpoint::open(&self.directory, model.architecture().names.prefixes)
    }

    /// The layer group's excess kurtosis, for the rules that ask for it.
    fn group_kurtosis(
        &mut self,
        model: &Transformer,
        layer: Layer,
        config: &WeightConfig,
    ) -> Result<Option<f64>, EvalError> {
        let Rule::Named(_) = config.rule else { return Ok(None) };
        if let Some(&kurtosis) = self.kurtosis.get(&layer) {
            return Ok(kurtosis);
        }
        let kurtosis = group_kurtosis(&self.checkpoint(model)?, model.architecture(), layer);
        self.kurtosis.insert(layer, kurtosis);
        Ok(kurtosis)
    }
}

/// The rows of one role, on the model's device; other rows keep their bits.
fn replacement(
    model: &Transformer,
    matrix: &Matrix,
    role: Role,
    quantized: &Quantized,
) -> Result<Replacement, EvalError> {
    let weights = gather_rows(&quantized.weights, matrix.columns, &matrix.role_rows(role));
    let shape = (weights.len() / matrix.columns, matrix.columns);
    let weight = Tensor::from_vec(weights, shape, model.device())
        .and_then(|weight| weight.to_dtype(model.dtype()))
        .map_err(ModelError::from)?;
    Ok(Replacement { role, weight })
}
