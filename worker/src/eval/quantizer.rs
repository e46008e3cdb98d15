//! Quantizes the layers of a model: brings each stored matrix to its rule with all that the rule needs to know. Not the rules
//! (`quant`), and not what becomes of the layer (`cells`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use babelquant_proto::quant::{Applied, QuantConfig, Rule, WeightConfig};
use babelquant_proto::{Component, Components, Layer, Role, Spec};
use candle_core::Tensor;

use super::calibration::{Calibrator, MomentStore};
use super::error::EvalError;
use super::find::Places;
use super::loaded::Baseline;
use super::others::Others;
use super::weights::group_kurtosis;
use crate::model::{
    Block, Checkpoint, Input, Lent, Matrix, ModelError, Reading, Replacement, Rounding,
    Transformer, gather_rows,
};
use crate::quant::{InputMoments, MatrixShape, QuantError, Quantized, WeightContext, quantize};

/// Bits of a weight that nothing was done to: results are those of 32-bit floats, whatever the checkpoint stores.
pub(super) const UNQUANTIZED_BITS: f64 = 32.0;

/// Quantizes layers of one model.
#[derive(Debug)]
pub(super) struct Quantizer {
    directory: PathBuf,
    spec: Arc<Spec>,
    /// Excess kurtosis of each layer's group, once somebody asked.
    kurtosis: BTreeMap<Layer, Option<f64>>,
    calibrator: Calibrator,
    pub(super) others: Others,
}

/// What is known of weights beside their values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Excess kurtosis of their group, for the rules that ask for it.
    pub(super) group_kurtosis: Option<f64>,
    /// Moments of their inputs, for calibrated rules.
    pub(super) inputs: Option<&'a InputMoments>,
}

/// Moments of what a layer's matrices read, where the config asks for them.
type Moments = BTreeMap<Input, Arc<InputMoments>>;

impl Quantizer {
    /// Quantizes layers of model `model` of `spec`, which lies in `directory`; other checkpoints of it are looked for in `places`,
    /// `store` keeps what calibration costs.
    pub(super) fn new(
        directory: &Path,
        (spec, model): (&Arc<Spec>, usize),
        (places, store): (&Places, MomentStore),
    ) -> Self {
        let others = Others::new(directory, places, &spec.models[model].checkpoints);
        let (directory, spec) = (directory.to_owned(), Arc::clone(spec));
        let calibrator = Calibrator::new(&spec, model, store);
        Self { directory, spec, kurtosis: BTreeMap::new(), calibrator, others }
    }

    /// The layer with the components' weights quantized and dequantized.
    pub(super) fn layer(
        &mut self,
        on: Baseline<'_>,
        layer: Layer,
        components: &Components,
        config: &QuantConfig,
    ) -> Result<Arc<Block>, EvalError> {
        let in_scope = |matrix: &Matrix| -> Vec<Role> {
            let roles = matrix.roles.iter().map(|(role, _)| *role);
            roles.filter(|&role| components.contains(role)).collect()
        };
        let matrices = on.model.architecture().matrices(layer).iter();
        let matrices = matrices.map(|matrix| (matrix, in_scope(matrix)));
        let matrices: Vec<_> = matrices.filter(|(_, roles)| !roles.is_empty()).collect();
        let applied = config.at(Some(layer));
        // First, because they refuse what the matrices would be calibrated for.
        let mut replacements = match components.contains(Component::Norm) {
            true => self.gains(on.model, layer, applied)?,
            false => Vec::new(),
        };
        let inputs = matrices.iter().flat_map(|(_, roles)| roles).map(|&role| Input::of(role));
        let moments = self.moments(on, (layer, inputs.collect()), applied)?;
        for (matrix, roles) in matrices {
            let quantized = self.matrix_on(on.model, (layer, matrix), applied, &moments)?;
            for role in roles {
                replacements.push(Replacement::Matrix {
                    role,
                    weight: weight(on.model, matrix, role, &quantized)?,
                    reading: reading(on.model, applied, &quantized)?,
                });
            }
        }
        Ok(on.model.replaced(layer, replacements)?)
    }

    /// A stored matrix, quantized: all of it, whichever of its roles are in scope.
    pub(super) fn matrix(
        &mut self,
        on: Baseline<'_>,
        (layer, matrix): (Layer, &Matrix),
        applied: Applied<'_>,
    ) -> Result<Quantized, EvalError> {
        let inputs = matrix.roles.iter().map(|&(role, _)| Input::of(role)).collect();
        let moments = self.moments(on, (layer, inputs), applied)?;
        self.matrix_on(on.model, (layer, matrix), applied, &moments)
    }

    /// What matrices of a layer read, where the config asks for it.
    fn moments(
        &mut self,
        on: Baseline<'_>,
        (layer, inputs): (Layer, BTreeSet<Input>),
        applied: Applied<'_>,
    ) -> Result<Moments, EvalError> {
        match applied {
            Applied::Identity | Applied::Checkpoint(_) => Ok(Moments::new()),
            Applied::Weights(config) => match &config.calibration {
                Some(set) => self.calibrator.moments(on, (set, layer), &inputs),
                None => Ok(Moments::new()),
            },
        }
    }

    /// As `matrix`, where the moments are known.
    fn matrix_on(
        &mut self,
        model: &Transformer,
        (layer, matrix): (Layer, &Matrix),
        applied: Applied<'_>,
        moments: &Moments,
    ) -> Result<Quantized, EvalError> {
        let lent = match applied {
            Applied::Identity | Applied::Weights(_) => self.own(model, (layer, matrix))?,
            Applied::Checkpoint(name) => {
                self.others.matrix(model.architecture(), (layer, matrix), name)?
            }
        };
        let shape = MatrixShape { rows: matrix.rows(), columns: matrix.columns };
        let inputs = matrix.roles.first().and_then(|&(role, _)| moments.get(&Input::of(role)));
        let known = Known {
            group_kurtosis: self.group_kurtosis(model, layer, applied)?,
            inputs: inputs.map(|moments| &**moments),
        };
        let quantized = self.quantized((lent, shape), applied, known);
        quantized.map_err(|source| EvalError::Quant { layer, tensor: matrix.name, source })
    }

    /// A matrix as the model's own checkpoint has it.
    fn own(
        &self,
        model: &Transformer,
        (layer, matrix): (Layer, &Matrix),
    ) -> Result<Lent, ModelError> {
        let checkpoint = self.checkpoint(model)?;
        let name = model.architecture().weight_name(layer, matrix);
        let values = matrix.in_use(checkpoint.require(&name)?.to_f32());
        Ok(Lent { values, bits_per_weight: UNQUANTIZED_BITS })
    }

    /// What is left of weights [out, in] by what is applied to them; with those of another checkpoint nothing more is done.
    pub(super) fn quantized(
        &self,
        (Lent { values, bits_per_weight }, shape): (Lent, MatrixShape),
        applied: Applied<'_>,
        Known { group_kurtosis, inputs }: Known<'_>,
    ) -> Result<Quantized, QuantError> {
        match applied {
            Applied::Identity | Applied::Checkpoint(_) => {
                Ok(Quantized::of(values, bits_per_weight))
            }
            Applied::Weights(config) => {
                let context = WeightContext { group_kurtosis, inputs, seed: self.spec.seed };
                quantize(&values, shape, config, &context)
            }
        }
    }

    /// The checkpoint, mapped only while it is read: its pages would count as ours.
    pub(super) fn checkpoint(&self, model: &Transformer) -> Result<Checkpoint, ModelError> {
        Checkpoint::open(&self.directory, model.architecture().names.prefixes)
    }

    /// The layer group's excess kurtosis, for the rules that ask for it.
    pub(super) fn group_kurtosis(
        &mut self,
        model: &Transformer,
        layer: Layer,
        applied: Applied<'_>,
    ) -> Result<Option<f64>, EvalError> {
        let Applied::Weights(WeightConfig { rule: Rule::Named(_), .. }) = applied else {
            return Ok(None);
        };
        if let Some(&kurtosis) = self.kurtosis.get(&layer) {
            return Ok(kurtosis);
        }
        let kurtosis = group_kurtosis(&self.checkpoint(model)?, model.architecture(), layer);
        self.kurtosis.insert(layer, kurtosis);
        Ok(kurtosis)
    }
}

/// The rows of one role, on the model's device; other rows keep their bits.
fn weight(
    model: &Transformer,
    matrix: &Matrix,
    role: Role,
    quantized: &Quantized,
) -> Result<Tensor, ModelError> {
    let weights = gather_rows(&quantized.weights, matrix.columns, &matrix.role_rows(role));
    let shape = (weights.len() / matrix.columns, matrix.columns);
    Ok(Tensor::from_vec(weights, shape, model.device())?.to_dtype(model.dtype())?)
}

/// How the matrix reads its inputs.
pub(super) fn reading(
    model: &Transformer,
    applied: Applied<'_>,
    quantized: &Quantized,
) -> Result<Reading, ModelError> {
    let divisor = quantized.input_divisor.as_deref();
    let divisor = divisor.map(|divisor| Tensor::from_slice(divisor, divisor.len(), model.device()));
    let rounding = match applied {
        Applied::Identity | Applied::Checkpoint(_) => Rounding::None,
        Applied::Weights(WeightConfig { rule: Rule::LlmInt8 { threshold }, .. }) => {
            Rounding::Outliers { threshold: threshold.value() as f32 }
        }
        Applied::Weights(config) => config
            .input_bits
            .map_or(Rounding::None, |bits| Rounding::PerToken { top: (1 << (bits.get() - 1)) - 1 }),
    };
    Ok(Reading { divisor: divisor.transpose()?, rounding })
}

/// Refuses a rule that needs the moments of inputs where none are known.
pub(super) fn uncalibrated(applied: Applied<'_>) -> Result<(), QuantError> {
    let reason = "the inputs of embedding, head and norms are not calibrated: use a rule without calibration, or leave the component \
                  out";
    match applied {
        Applied::Weights(config) if config.calibration.is_some() => {
            Err(QuantError::Unsupported { reason: reason.to_owned() })
        }
        Applied::Identity | Applied::Weights(_) | Applied::Checkpoint(_) => Ok(()),
    }
}
