//! Quantizes the gains of a layer's norms, each as a matrix of one row. Not the matrices of layers (`quantizer`), and no biases: nothing
//! quantizes them.

use babelquant_proto::Layer;
use babelquant_proto::quant::{Applied, Rule};

use super::error::EvalError;
use super::quantizer::{Known, Quantizer, UNQUANTIZED_BITS, uncalibrated};
use crate::model::{Lent, Replacement, Transformer};
use crate::quant::{MatrixShape, QuantError, Quantized};

impl Quantizer {
    /// The gains of every norm of the layer, quantized and dequantized.
    pub(super) fn gains(
        &mut self,
        model: &Transformer,
        layer: Layer,
        applied: Applied<'_>,
    ) -> Result<Vec<Replacement>, EvalError> {
        let norms = model.architecture().stack(layer.stack).names.norms();
        let replacement = |(place, name)| {
            let gain = self.gain(model, (layer, name), applied)?;
            Ok(Replacement::Gain { place, factor: model.factor(gain.weights)? })
        };
        norms.map(replacement).collect()
    }

    /// The gain of the norm `name` of the layer, quantized as it is stored: a family that adds 1 to it adds it afterwards.
    pub(super) fn gain(
        &mut self,
        model: &Transformer,
        (layer, name): (Layer, &'static str),
        applied: Applied<'_>,
    ) -> Result<Quantized, EvalError> {
        let architecture = model.architecture();
        let refused = |source| EvalError::Quant { layer, tensor: name, source };
        inert(applied).map_err(refused)?;
        let tensor = architecture.layer_name(layer, &format!("{name}.weight"));
        let lent = match applied {
            Applied::Identity | Applied::Weights(_) => {
                let values = self.checkpoint(model)?.require(&tensor)?.to_f32();
                Lent { values, bits_per_weight: UNQUANTIZED_BITS }
            }
            Applied::Checkpoint(other) => {
                self.others.gain(architecture, (layer, name, &tensor), other)?
            }
        };
        let shape = MatrixShape { rows: 1, columns: lent.values.len() };
        let group_kurtosis = self.group_kurtosis(model, layer, applied)?;
        let known = Known { group_kurtosis, inputs: None };
        self.quantized((lent, shape), applied, known).map_err(refused)
    }
}

/// Refuses what is done to a matrix by way of its inputs, or to the inputs: a gain multiplies each channel by itself, nothing is summed over
/// its inputs, and what it gives is rounded where the next matrix reads it.
fn inert(applied: Applied<'_>) -> Result<(), QuantError> {
    uncalibrated(applied)?;
    match applied {
        Applied::Weights(config)
            if config.input_bits.is_some() || matches!(config.rule, Rule::LlmInt8 { .. }) =>
        {
            let reason = "the inputs of norms are not rounded: use a config that rounds weights alone, or leave norm out";
            Err(QuantError::Unsupported { reason: reason.to_owned() })
        }
        Applied::Identity | Applied::Weights(_) | Applied::Checkpoint(_) => Ok(()),
    }
}
