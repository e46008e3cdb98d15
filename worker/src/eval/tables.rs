//! Quantizes the tables outside the layers: the lookup of tokens and the head, [vocabulary, width] each, a row for every entry. Not
//! the matrices of layers (`quantizer`).

use babelquant_proto::quant::{Applied, QuantConfig, Rule, WeightConfig};
use babelquant_proto::{Component, Components};
use candle_core::Tensor;

use super::error::EvalError;
use super::quantizer::{Known, Quantizer, UNQUANTIZED_BITS, reading, uncalibrated};
use super::weights::kurtosis;
use crate::model::{Architecture, Lent, ModelError, Reading, StoredTensor, Tables, Transformer};
use crate::quant::{self, MatrixShape};

impl Quantizer {
    /// The model's tables, those of `components` quantized and dequantized. A head that shares the lookup's weights is quantized
    /// from them, whether the lookup is or not; the lookup never sees what becomes of it.
    pub(super) fn tables(
        &mut self,
        model: &Transformer,
        components: &Components,
        config: &QuantConfig,
    ) -> Result<Tables, EvalError> {
        let applied = config.at(None);
        let tied = model.architecture().head.name.is_none();
        let mut tables = model.tables().clone();
        let mut lookup = None;
        if components.contains(Component::Embedding) {
            let table = self.table(model, Component::Embedding, applied)?;
            tables = tables.with_embedding(table.weights.clone());
            lookup = Some(table).filter(|_| tied);
        }
        if components.contains(Component::Head) {
            let Quantized { weights, reading } = match lookup {
                Some(lookup) => lookup,
                None => self.table(model, Component::Head, applied)?,
            };
            tables = tables.with_head(weights, reading);
        }
        Ok(tables)
    }

    fn table(
        &mut self,
        model: &Transformer,
        component: Component,
        applied: Applied<'_>,
    ) -> Result<Quantized, EvalError> {
        let quantized = self.stored_table(model, component, applied)?;
        let reading = reading(model, applied, &quantized)?;
        let columns = model.architecture().shape.hidden as usize;
        let shape = (quantized.weights.len() / columns, columns);
        let weights = Tensor::from_vec(quantized.weights, shape, model.device());
        let weights = weights.and_then(|table| table.to_dtype(model.dtype()));
        Ok(Quantized { weights: weights.map_err(ModelError::from)?, reading })
    }

    /// The stored table of a component, quantized.
    pub(super) fn stored_table(
        &mut self,
        model: &Transformer,
        component: Component,
        applied: Applied<'_>,
    ) -> Result<quant::Quantized, EvalError> {
        let checkpoint = self.checkpoint(model)?;
        let architecture = model.architecture();
        let name = tensor(architecture, component);
        let stored = checkpoint.require(name)?;
        let own = Lent { values: stored.to_f32(), bits_per_weight: UNQUANTIZED_BITS };
        let columns = architecture.shape.hidden as usize;
        let shape = MatrixShape { rows: own.values.len() / columns, columns };
        let refused = |source| EvalError::Table { table: component.name(), source };
        let lent = match applied {
            Applied::Identity | Applied::Weights(_) => own,
            Applied::Checkpoint(other) => {
                self.others.table(architecture, (component, name), own, other)?
            }
        };
        let known = Known { group_kurtosis: group_kurtosis(&stored, applied), inputs: None };
        uncalibrated(applied)
            .and_then(|()| self.quantized((lent, shape), applied, known))
            .map_err(refused)
    }
}

/// The stored tables by tensor with the components that each serves: a head that shares the lookup's weights is one with it.
pub(super) fn stored_tables(architecture: &Architecture) -> Vec<(&'static str, Components)> {
    let [lookup, head] = [Component::Embedding, Component::Head];
    let [of_lookup, of_head] = [lookup, head].map(|component| tensor(architecture, component));
    match of_lookup == of_head {
        true => vec![(of_lookup, [lookup, head].into_iter().collect())],
        false => [(of_lookup, lookup), (of_head, head)]
            .map(|(tensor, component)| (tensor, [component].into_iter().collect()))
            .into(),
    }
}

/// The tensor of a component outside the layers.
fn tensor(architecture: &Architecture, component: Component) -> &'static str {
    let embedding = architecture.names.embedding;
    match component {
        Component::Head => architecture.head.name.unwrap_or(embedding),
        Component::Embedding | Component::Matrix(_) | Component::Norm => embedding,
    }
}

/// A table, on the model's device in its dtype, and how a head reads its inputs; a lookup has none.
struct Quantized {
    weights: Tensor,
    reading: Reading,
}

/// Excess kurtosis for the rules that ask for their group's: a table is a group of its own.
fn group_kurtosis(stored: &StoredTensor<'_>, applied: Applied<'_>) -> Option<f64> {
    match applied {
        Applied::Weights(WeightConfig { rule: Rule::Named(_), .. }) => kurtosis(stored),
        Applied::Identity | Applied::Weights(_) | Applied::Checkpoint(_) => None,
    }
}
