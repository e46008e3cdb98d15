//! What the study's configs do to the stored matrices of one layer: a row for each matrix and config. Not the measures (`quant`).

use babelquant_proto::quant::{Applied, QuantConfig};
use babelquant_proto::rows::QuantizationRow;
use babelquant_proto::{Components, Layer, Spec};

use super::error::EvalError;
use super::loaded::Loaded;
use crate::model::Matrix;
use crate::quant::{Distortion, Quantized};

/// The rows of a layer: matrix by matrix in the order of the model's table, each under every config that cells apply to it.
pub(super) fn rows(
    spec: &Spec,
    loaded: &mut Loaded,
    (model, layer): (usize, Layer),
) -> Result<Vec<QuantizationRow>, EvalError> {
    let mut rows = Vec::new();
    let (baseline, quantizer) = loaded.quantizing();
    for matrix in baseline.model.architecture().matrices(layer) {
        let roles = Components::of_roles(matrix.roles.iter().map(|(role, _)| *role));
        let configs = spec.models[model].configs_of(layer, &roles);
        if configs.is_empty() {
            continue;
        }
        let place = (layer, matrix);
        let stored = quantizer.matrix(baseline, place, Applied::Identity)?.weights;
        for config in configs {
            let row = blank(&spec.models[model].model.name, place, &config);
            rows.push(match quantizer.matrix(baseline, place, config.at(Some(layer))) {
                Ok(quantized) => filled(row, &stored, &quantized),
                Err(error) => {
                    let reason = Some(error.unsupported().ok_or(error)?);
                    QuantizationRow { reason, ..row }
                }
            });
        }
    }
    Ok(rows)
}

/// A row without numbers.
fn blank(model: &str, (layer, matrix): (Layer, &Matrix), config: &QuantConfig) -> QuantizationRow {
    let roles: Vec<&str> = matrix.roles.iter().map(|(role, _)| role.name()).collect();
    QuantizationRow {
        model: model.to_owned(),
        stack: Some(layer.stack.name().to_owned()),
        layer: Some(layer.index),
        tensor: matrix.name.to_owned(),
        components: roles.join("+"),
        config: config.to_string(),
        weights: (matrix.rows() * matrix.columns) as u64,
        bits_per_weight: None,
        mse: None,
        sqnr_db: None,
        max_error: None,
        codes_used: None,
        clipped: None,
        alpha_over_sigma: None,
        fallback: None,
        reason: None,
    }
}

/// The row with what the config did to the `stored` weights.
fn filled(row: QuantizationRow, stored: &[f32], quantized: &Quantized) -> QuantizationRow {
    let bits_per_weight = Some(quantized.bits_per_weight);
    let fallback = quantized.fallback.map(|fallback| fallback.to_string());
    let Some(distortion) = Distortion::of(stored, quantized) else {
        let reason = Some("the matrix has no weights".to_owned());
        return QuantizationRow { bits_per_weight, fallback, reason, ..row };
    };
    let Distortion { mse, sqnr_db, max_error, grids } = distortion;
    let mut reasons = Vec::new();
    if sqnr_db.is_none() {
        reasons.push("SQNR: no error, or no weight other than 0");
    }
    match grids {
        None => reasons.push("weights of one grid do not lie side by side, or are off it"),
        Some(grids) if grids.alpha_over_sigma.is_none() => reasons.push("σ of the matrix is 0"),
        Some(_) => {}
    }
    QuantizationRow {
        bits_per_weight,
        mse: Some(mse),
        sqnr_db,
        max_error: Some(max_error),
        codes_used: grids.map(|grids| grids.codes_used),
        clipped: grids.map(|grids| grids.clipped),
        alpha_over_sigma: grids.and_then(|grids| grids.alpha_over_sigma),
        fallback,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        ..row
    }
}
