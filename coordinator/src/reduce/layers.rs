//! The `mlp` group of every layer → the tables `layers` and `models`, and κ by layer for the predictors.

use std::collections::BTreeMap;

use babelquant_proto::rows::WeightRow;
use babelquant_proto::{Layer, Moments, Stack};

use super::reasons::Reasons;
use super::tables::{LayerRow, ModelRow};

/// The `mlp` groups by model and layer.
#[derive(Debug, Default)]
pub(super) struct Weights {
    models: BTreeMap<String, BTreeMap<Layer, WeightRow>>,
}

impl Weights {
    /// Takes the row if it is a layer's `mlp` group.
    pub(super) fn push(&mut self, row: &WeightRow) {
        let layer =
            row.stack.as_deref().zip(row.layer).and_then(|(stack, index)| layer_of(stack, index));
        if let (Some(layer), "group", "mlp") = (layer, row.kind.as_str(), row.name.as_str()) {
            self.models.entry(row.model.clone()).or_default().insert(layer, row.clone());
        }
    }

    /// κ by layer; empty for a model without rows, `None` where a layer's κ is undefined.
    pub(super) fn kurtosis(&self, model: &str) -> BTreeMap<Layer, Option<f64>> {
        let groups = self.models.get(model).into_iter().flatten();
        groups.map(|(&layer, row)| (layer, row.kurtosis)).collect()
    }

    /// The table `layers`.
    pub(super) fn layer_rows(&self) -> Vec<LayerRow> {
        let groups = self.models.values().flatten();
        groups.map(|(layer, row)| layer_row(*layer, row)).collect()
    }

    /// The table `models`.
    pub(super) fn model_rows(&self) -> Vec<ModelRow> {
        self.models.iter().map(|(model, groups)| model_row(model, groups)).collect()
    }
}

/// The layer of a row's columns; `None` for a stack of another name.
pub(super) fn layer_of(stack: &str, index: u32) -> Option<Layer> {
    let stack = [Stack::Enc, Stack::Dec].into_iter().find(|candidate| candidate.name() == stack)?;
    Some(Layer { stack, index })
}

fn layer_row(layer: Layer, row: &WeightRow) -> LayerRow {
    LayerRow {
        model: row.model.clone(),
        stack: layer.stack.name().to_owned(),
        layer: layer.index,
        parameters: row.count,
        kurtosis: row.kurtosis,
        std: row.std,
        outliers_3std_percent: row.outliers_3std_percent,
        max_abs: row.max_abs,
        l_kurtosis: row.l_kurtosis,
        note: row.kurtosis.map(|kurtosis| note(kurtosis).to_owned()),
        reason: row.reason.clone(),
    }
}

/// Reading of an excess kurtosis. With these bounds the earlier study's outlier layers {5, 21, 22} of BLOOM-560M are extreme, its high layers
/// {4, 6, 7, 23} high; 100 is also the bound of `phase1-kurtosis-int4`.
pub(super) fn note(kurtosis: f64) -> &'static str {
    match kurtosis {
        extreme if extreme > 100.0 => "extreme",
        high if high >= 30.0 => "high",
        moderate if moderate >= 3.0 => "moderate",
        _ => "near-Gaussian",
    }
}

fn model_row(model: &str, groups: &BTreeMap<Layer, WeightRow>) -> ModelRow {
    let mut reasons = Reasons::default();
    let kurtosis: Option<Vec<f64>> = groups.values().map(|row| row.kurtosis).collect();
    reasons.add_where(kurtosis.is_none(), || "a layer's kurtosis is undefined".to_owned());
    let fold = |pick: fn(f64, f64) -> f64| kurtosis.as_ref()?.iter().copied().reduce(pick);
    let pooled_std = pooled(groups).and_then(|moments| moments.std());
    reasons.add_where(pooled_std.is_none(), || "a layer has no finite weights".to_owned());
    ModelRow {
        model: model.to_owned(),
        layers: groups.len() as u64,
        parameters: groups.values().map(|row| row.count).sum(),
        pooled_std,
        mean_kurtosis: fold(|a, b| a + b).map(|sum| sum / groups.len() as f64),
        min_kurtosis: fold(f64::min),
        max_kurtosis: fold(f64::max),
        reason: reasons.column(),
    }
}

/// The second moments of all groups together; higher ones are not in the rows.
fn pooled(groups: &BTreeMap<Layer, WeightRow>) -> Option<Moments> {
    groups.values().try_fold(Moments::default(), |pooled, row| {
        let (mean, std) = row.mean.zip(row.std)?;
        let m2 = std * std * row.count as f64;
        Some(pooled.merge(Moments { count: row.count, mean, m2, m3: 0.0, m4: 0.0 }))
    })
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_aggregate_pools_weights_not_layers() {
        let (a, b) = (Moments::of(&[1.0, 2.0, 6.0]), Moments::of(&[-4.0, 0.0]));
        let mut weights = Weights::default();
        for (layer, moments) in [(1, a), (0, b)] {
            weights.push(&example::weight_row("m", layer, moments));
        }
        let row = weights.model_rows().remove(0);
        assert_eq!((row.layers, row.parameters, row.reason), (2, 5, None));
        let expected = Moments::of(&[1.0, 2.0, 6.0, -4.0, 0.0]).std().unwrap();
        assert!((row.pooled_std.unwrap() - expected).abs() < 1e-12);
        assert_eq!(row.min_kurtosis, b.kurtosis());
        let mean = (a.kurtosis().unwrap() + b.kurtosis().unwrap()) / 2.0;
        assert!((row.mean_kurtosis.unwrap() - mean).abs() < 1e-12);
    }

    #[test]
    fn layers_are_noted_and_ordered() {
        let mut weights = Weights::default();
        for (layer, kurtosis) in [(10, 164.3), (2, 2.64), (4, 76.28), (0, 8.13)] {
            let mut row = example::weight_row("m", layer, Moments::of(&[1.0, 2.0]));
            row.kurtosis = Some(kurtosis);
            weights.push(&row);
            weights.push(&WeightRow { kind: "tensor".to_owned(), ..row });
        }
        let rows = weights.layer_rows();
        let notes: Vec<_> =
            rows.iter().map(|row| (row.layer, row.note.as_deref().unwrap())).collect();
        assert_eq!(notes, [(0, "moderate"), (2, "near-Gaussian"), (4, "high"), (10, "extreme")]);
        assert_eq!(weights.kurtosis("m").len(), 4);
        assert!(weights.kurtosis("other").is_empty());
    }
}
