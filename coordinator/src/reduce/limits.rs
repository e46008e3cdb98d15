//! Rows of `quantization` → the table `limits`: where each config ends the grids of each layer, over its matrices. What a grid's end costs
//! stands in `matrices`, rules compared on the weights alone in `clipping`.

use std::collections::BTreeMap;

use babelquant_proto::Layer;
use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::QuantizationRow;

use super::layers::layer_of;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::LimitRow;
use crate::statistics::ratio;

/// The table; matrices outside the layers have no place in it.
pub(super) fn rows<'a>(quantized: impl Iterator<Item = &'a QuantizationRow>) -> Vec<LimitRow> {
    let mut layers: BTreeMap<(&str, Spelled<QuantConfig>, Layer), Vec<&QuantizationRow>> =
        BTreeMap::new();
    for row in quantized {
        let place = row.stack.as_deref().zip(row.layer);
        let Some(layer) = place.and_then(|(stack, index)| layer_of(stack, index)) else { continue };
        let key = (row.model.as_str(), Spelled::new(&row.config), layer);
        layers.entry(key).or_default().push(row);
    }
    let row = |((model, config, layer), matrices): ((&str, Spelled<_>, Layer), Vec<_>)| {
        let mut reasons = Reasons::default();
        let alpha_over_sigma = mean(&matrices, |row| row.alpha_over_sigma);
        let clipped = mean(&matrices, |row| row.clipped);
        if alpha_over_sigma.is_none() || clipped.is_none() {
            let of_rows = matrices.iter().filter_map(|row| row.reason.as_deref());
            of_rows.for_each(|reason| reasons.add(reason));
            reasons.add_where(reasons.is_empty(), || "the grid has no limits".to_owned());
        }
        LimitRow {
            model: model.to_owned(),
            stack: layer.stack.name().to_owned(),
            layer: layer.index,
            config: config.text,
            matrices: matrices.len() as u64,
            weights: matrices.iter().map(|row| row.weights).sum(),
            alpha_over_sigma,
            clipped,
            reason: reasons.column(),
        }
    };
    layers.into_iter().map(row).collect()
}

/// Σ weights·number / Σ weights; `None` where a matrix lacks it.
fn mean(matrices: &[&QuantizationRow], number: fn(&QuantizationRow) -> Option<f64>) -> Option<f64> {
    let parts = matrices.iter().map(|row| Some(row.weights as f64 * number(row)?));
    let weights = matrices.iter().map(|row| row.weights as f64).sum();
    ratio(parts.sum::<Option<f64>>()?, weights)
}

#[cfg(test)]
mod tests {
    use super::super::example::quantization_row;
    use super::*;

    #[test]
    fn matrices_count_by_their_weights() {
        let row = |layer: Option<u32>, weights: u64, alpha: Option<f64>| QuantizationRow {
            stack: layer.map(|_| "dec".to_owned()),
            layer,
            weights,
            alpha_over_sigma: alpha,
            clipped: Some(0.5),
            ..quantization_row()
        };
        let quantized = [
            row(Some(10), 100, Some(2.0)),
            row(Some(10), 300, Some(4.0)),
            row(Some(2), 10, Some(3.0)),
            row(Some(2), 10, None),
            row(None, 10, Some(9.0)),
        ];
        let found = rows(quantized.iter());
        let [second, tenth] = &found[..] else { panic!("two layers: {found:?}") };
        assert_eq!((tenth.layer, tenth.matrices, tenth.weights), (10, 2, 400));
        assert_eq!((tenth.alpha_over_sigma, tenth.clipped), (Some(3.5), Some(0.5)));
        assert_eq!((second.alpha_over_sigma, second.clipped), (None, Some(0.5)));
        assert_eq!(second.reason.as_deref(), Some("the grid has no limits"));
    }
}
