//! Rows of `quantization` → the table `matrices`, and what a config costs over the matrices of some components. Not what it does to the
//! model (`configs`).

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::QuantizationRow;
use babelquant_proto::{Components, Layer, Stack};

use super::layers::layer_of;
use super::limits;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::{LimitRow, MatrixRow};
use crate::statistics::ratio;

/// The rows by model, matrix and config.
#[derive(Debug, Default)]
pub(super) struct Quantized {
    models: BTreeMap<String, BTreeMap<Place, BTreeMap<String, QuantizationRow>>>,
}

/// A matrix: its layer (`None` outside the layers) and its name.
type Place = (Option<Layer>, String);

/// A matrix of a layer as the checkpoint has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredMatrix {
    /// Its layer.
    pub(crate) layer: Layer,
    /// Its name in the layer, without `.weight`.
    pub(crate) tensor: String,
    /// The components that its rows serve.
    pub(crate) serves: Components,
    /// True where all of them were asked for.
    pub(crate) whole: bool,
}

/// What a config costs over some weights: sums over rows in order. A sum is `None` where a row lacks the number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Weights.
    pub(super) weights: f64,
    /// Bits that they take.
    pub(super) bits: Option<f64>,
    /// Weights that stay as they are beside their quantized copy.
    pub(super) kept: f64,
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

    /// What `config` costs at every layer of `model`, over the matrices that serve `components`. Of a matrix of a layer that serves others
    /// too it counts the part of its weights that their number makes up; a table that does stays beside its quantized copy.
    pub(super) fn cost(
        &self,
        model: &str,
        components: &Components,
        config: &QuantConfig,
    ) -> Result<Cost, String> {
        self.cost_over((model, components), config, |_| true)
    }

    /// What `config` costs at the `wanted` places.
    fn cost_over(
        &self,
        (model, components): (&str, &Components),
        config: &QuantConfig,
        wanted: impl Fn(Option<Layer>) -> bool,
    ) -> Result<Cost, String> {
        let mut cost = Cost::nothing();
        let matrices = self.models.get(model).into_iter().flatten();
        for ((layer, tensor), rows) in matrices.filter(|((layer, _), _)| wanted(*layer)) {
            let known = rows.values().next().and_then(|row| row.components.parse().ok());
            let known: Components = known.ok_or_else(|| format!("{tensor} has unknown roles"))?;
            let held = known.iter().filter(|component| components.contains(*component)).count();
            let Some(config) = config.of_layer(*layer).filter(|_| held > 0) else { continue };
            let row = rows.get(&config.to_string());
            let row = row.ok_or_else(|| format!("no measure of {tensor} under {config}"))?;
            let share = held as f64 / known.iter().count() as f64;
            cost = match layer {
                Some(_) => cost.with(row, share),
                None => cost.with(row, 1.0).beside(if share < 1.0 { row.weights } else { 0 }),
            };
        }
        match cost.weights > 0.0 {
            true => Ok(cost),
            false => Err("no measure of a quantized matrix".to_owned()),
        }
    }

    /// The matrices of the layers of `model` that serve some of `components`, by layer and name.
    pub(super) fn matrices(&self, model: &str, components: &Components) -> Vec<StoredMatrix> {
        let matrices = self.models.get(model).into_iter().flatten();
        let served = matrices.filter_map(|((layer, tensor), rows)| {
            let serves: Components = rows.values().next()?.components.parse().ok()?;
            let whole = serves.iter().all(|component| components.contains(component));
            let layer = layer.filter(|_| serves.shares(components))?;
            Some(StoredMatrix { layer, tensor: tensor.clone(), serves, whole })
        });
        served.collect()
    }

    /// Weights and bits of one layer of `model` under `config`, counted as in `cost`.
    pub(super) fn layer_cost(
        &self,
        (model, components): (&str, &Components),
        layer: Layer,
        config: &QuantConfig,
    ) -> Result<(f64, f64), String> {
        let cost = self.cost_over((model, components), config, |place| place == Some(layer))?;
        let bits = cost.bits.ok_or_else(|| format!("{config} does not fit a matrix"))?;
        Ok((cost.weights, bits))
    }

    /// The table `matrices`.
    pub(super) fn matrix_rows(&self) -> Vec<MatrixRow> {
        self.models.iter().flat_map(|(model, matrices)| kinds(model, matrices)).collect()
    }

    /// The table `limits`.
    pub(super) fn limit_rows(&self) -> Vec<LimitRow> {
        let rows = self.models.values().flatten().flat_map(|(_, rows)| rows.values());
        limits::rows(rows)
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
        Self { weights: 0.0, bits: Some(0.0), kept: 0.0, error: Some(0.0), power: Some(0.0) }
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
            ..self
        }
    }

    fn beside(self, weights: u64) -> Self {
        Self { kept: self.kept + weights as f64, ..self }
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

#[cfg(test)]
mod tests {
    use super::super::example::quantization_row;
    use super::*;

    fn cost(rows: &[QuantizationRow], components: &str, config: &str) -> Result<Cost, String> {
        let mut quantized = Quantized::default();
        rows.iter().for_each(|row| quantized.push(row));
        quantized.cost("toy", &components.parse().unwrap(), &config.parse().unwrap())
    }

    #[test]
    fn a_matrix_of_several_roles_counts_in_parts_and_a_tied_table_once() {
        let row = |components: &str, layer: Option<u32>| QuantizationRow {
            stack: layer.map(|_| "dec".to_owned()),
            layer,
            tensor: components.to_owned(),
            components: components.to_owned(),
            weights: 90,
            bits_per_weight: Some(5.0),
            ..quantization_row()
        };
        let rows = [row("attn.q+attn.k+attn.v", Some(0)), row("embedding+head", None)];
        let check = |components: &str, weights: f64, kept: f64| {
            let cost = cost(&rows, components, "int4-channel").unwrap();
            assert_eq!((cost.weights, cost.kept, cost.bits), (weights, kept, Some(5.0 * weights)));
        };
        check("attn.q", 30.0, 0.0);
        check("attn.q+attn.v+head", 150.0, 90.0);
        check("embedding+head", 90.0, 0.0);
        check("linear+embedding+head", 180.0, 0.0);
        assert!(cost(&rows, "mlp", "int4-channel").is_err());
    }

    #[test]
    fn a_mixed_map_takes_the_rows_of_its_layers() {
        let row = |layer: u32, config: &str, bits: f64| QuantizationRow {
            layer: Some(layer),
            config: config.to_owned(),
            bits_per_weight: Some(bits),
            weights: 10 * u64::from(layer + 1),
            ..quantization_row()
        };
        let rows =
            [row(0, "int8-channel", 8.5), row(1, "nf4-block64", 4.5), row(1, "int8-channel", 8.5)];
        let mixed = cost(&rows, "mlp", "mixed(0=int8-channel;rest=nf4)").unwrap();
        assert_eq!((mixed.weights, mixed.bits), (30.0, Some(85.0 + 90.0)));
        let partly = cost(&rows, "mlp", "mixed(0=none;rest=nf4)").unwrap();
        assert_eq!(partly.bits_per_weight(), Some(4.5));
        assert!(
            cost(&rows, "mlp", "mixed(0=nf4;rest=nf4)").is_err_and(|error| error.contains("nf4"))
        );
        assert!(cost(&rows, "mlp", "mixed(rest=none)").is_err());
    }

    #[test]
    fn sums_over_layers_are_those_of_all_weights() {
        let mut quantized = Quantized::default();
        for (layer, weights, mse, sqnr) in [(0, 100, 1e-4, 20.0), (1, 300, 3e-4, 10.0)] {
            let row = QuantizationRow {
                layer: Some(layer),
                weights,
                mse: Some(mse),
                sqnr_db: Some(sqnr),
                ..quantization_row()
            };
            quantized.push(&row);
        }
        let row = quantized.matrix_rows().remove(0);
        let (error, power): (f64, f64) = (0.01 + 0.09, 0.01 * 100.0 + 0.09 * 10.0);
        assert_eq!((row.matrices, row.weights, row.reason), (2, 400, None));
        assert!((row.mse.unwrap() - error / 400.0).abs() < 1e-15);
        assert!((row.sqnr_db.unwrap() - 10.0 * (power / error).log10()).abs() < 1e-12);
    }
}
