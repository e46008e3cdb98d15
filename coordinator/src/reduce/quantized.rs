//! Rows of `quantization` → the table `matrices`, and what a config costs over the matrices of some components. Not what it does to the
//! model (`configs`).

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::QuantizationRow;
use babelquant_proto::{Components, Layer, Stack};

use super::layers::layer_of;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::MatrixRow;
use crate::statistics::ratio;

/// The rows by model, matrix and config.
#[derive(Debug, Default)]
pub(super) struct Quantized {
    models: BTreeMap<String, BTreeMap<Place, BTreeMap<String, QuantizationRow>>>,
}

/// A matrix: its layer (`None` outside the layers) and its name.
type Place = (Option<Layer>, String);

/// What a config costs over some weights: sums over rows in order. A sum is `None` where a row lacks the number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Weights.
    pub(super) weights: f64,
    /// Bits that they take.
    pub(super) bits: Option<f64>,
    error: Option<f64>,
    power: Option<f64>,
}

impl Quantized {
    /// Takes a row.
    pub(super) fn push(&mut self, row: &QuantizationRow) {
        let layer = row.stack.as_deref().zip(row.layer);
        let place = (layer.and_then(|(stack, index)| layer_of(stack, index)), row.tensor.clone());
        let matrices = self.models.entry(row.model.clone()).or_default();
        matrices.entry(place).or_default().insert(row.config.clone(), row.clone());
    }

    /// What `config` costs at every layer of `model`, over the matrices that hold roles of `components`. Of a matrix that holds other roles
    /// too it counts the part of its weights that the number of roles makes up.
    pub(super) fn cost(
        &self,
        model: &str,
        components: &Components,
        config: &QuantConfig,
    ) -> Result<Cost, String> {
        let mut cost = Cost::nothing();
        for ((layer, tensor), rows) in self.models.get(model).into_iter().flatten() {
            let roles = rows.values().next().and_then(|row| row.components.parse().ok());
            let roles: Components = roles.ok_or_else(|| format!("{tensor} has unknown roles"))?;
            let held = roles.roles().filter(|role| components.contains(*role)).count();
            let Some(config) = config.of_layer(*layer).filter(|_| held > 0) else { continue };
            let row = rows.get(&config.to_string());
            let row = row.ok_or_else(|| format!("no measure of {tensor} under {config}"))?;
            cost = cost.with(row, held as f64 / roles.roles().count() as f64);
        }
        match cost.weights > 0.0 {
            true => Ok(cost),
            false => Err("no measure of a quantized matrix".to_owned()),
        }
    }

    /// The table `matrices`.
    pub(super) fn matrix_rows(&self) -> Vec<MatrixRow> {
        self.models.iter().flat_map(|(model, matrices)| kinds(model, matrices)).collect()
    }
}

/// The matrices of a model by stack, kind and config.
fn kinds(
    model: &str,
    matrices: &BTreeMap<Place, BTreeMap<String, QuantizationRow>>,
) -> Vec<MatrixRow> {
    type Kind = (Option<Stack>, Spelled<Components>, Spelled<QuantConfig>);
    let mut kinds: BTreeMap<Kind, Vec<&QuantizationRow>> = BTreeMap::new();
    for ((layer, _), rows) in matrices {
        for row in rows.values() {
            let stack = layer.map(|layer| layer.stack);
            let kind = (stack, Spelled::new(&row.components), Spelled::new(&row.config));
            kinds.entry(kind).or_default().push(row);
        }
    }
    kinds
        .into_iter()
        .map(|((stack, kind, config), rows)| {
            let cost = rows.iter().fold(Cost::nothing(), |cost, row| cost.with(row, 1.0));
            let mut reasons = Reasons::default();
            let undefined = cost.bits.is_none() || cost.error.is_none() || cost.sqnr_db().is_none();
            let of_rows = rows.iter().filter_map(|row| row.reason.as_deref()).filter(|_| undefined);
            of_rows.for_each(|reason| reasons.add(reason));
            MatrixRow {
                model: model.to_owned(),
                stack: stack.map(|stack| stack.name().to_owned()),
                components: kind.text,
                config: config.text,
                matrices: rows.len() as u64,
                weights: cost.weights as u64,
                bits_per_weight: cost.bits_per_weight(),
                mse: cost.error.and_then(|error| ratio(error, cost.weights)),
                sqnr_db: cost.sqnr_db(),
                reason: reasons.column(),
            }
        })
        .collect()
}

impl Cost {
    fn nothing() -> Self {
        Self { weights: 0.0, bits: Some(0.0), error: Some(0.0), power: Some(0.0) }
    }

    /// With `share` of a row's weights. Σ stored² is what MSE and SQNR leave of it.
    fn with(self, row: &QuantizationRow, share: f64) -> Self {
        let weights = row.weights as f64 * share;
        let add = |sum: Option<f64>, mean: Option<f64>| Some(sum? + mean? * weights);
        let power = row.mse.zip(row.sqnr_db).map(|(mse, sqnr)| mse * 10_f64.powf(sqnr / 10.0));
        Self {
            weights: self.weights + weights,
            bits: add(self.bits, row.bits_per_weight),
            error: add(self.error, row.mse),
            power: add(self.power, power),
        }
    }

    /// Σ bits / Σ weights.
    pub(super) fn bits_per_weight(self) -> Option<f64> {
        ratio(self.bits?, self.weights)
    }

    /// 10·log10(Σ stored² / Σ (quantized − stored)²).
    pub(super) fn sqnr_db(self) -> Option<f64> {
        let ratio = ratio(self.power?, self.error?).filter(|&ratio| ratio > 0.0)?;
        Some(10.0 * ratio.log10())
    }
}
