//! What the study's configs do to the stored matrices of one layer: a row for each matrix and config. Not the measures (`quant`).

use babelquant_proto::quant::{Applied, QuantConfig};
use babelquant_proto::rows::QuantizationRow;
use babelquant_proto::{Component, Components, Layer, ModelPart, Spec};

use super::error::EvalError;
use super::loaded::Loaded;
use super::tables::stored_tables;
use crate::quant::{Distortion, Quantized};

/// A stored matrix.
struct Place {
    /// Its layer; `None` outside the layers.
    layer: Option<Layer>,
    /// Its name in the layer, without `.weight`.
    tensor: String,
    /// What its rows serve, in stored order.
    components: Vec<Component>,
}

/// The rows of a layer, or (`None`) of the tables outside the layers: matrix by matrix in the order of the model's table, then the norms,
/// each under every config that cells apply to it.
pub(super) fn rows(
    spec: &Spec,
    loaded: &mut Loaded,
    (model, layer): (usize, Option<Layer>),
) -> Result<Vec<QuantizationRow>, EvalError> {
    let part = &spec.models[model];
    let (on, quantizer) = loaded.quantizing();
    let architecture = on.model.architecture();
    let mut rows = Vec::new();
    let Some(in_layer) = layer else {
        for (tensor, components) in stored_tables(architecture) {
            let tensor = tensor.strip_suffix(".weight").unwrap_or(tensor).to_owned();
            let components: Vec<Component> = components.iter().collect();
            let first = components[0];
            let place = Place { layer, tensor, components };
            let apply = |applied: Applied<'_>| quantizer.stored_table(on.model, first, applied);
            rows.extend(of_matrix(part, &place, apply)?);
        }
        return Ok(rows);
    };
    for matrix in architecture.matrices(in_layer) {
        let components = matrix.roles.iter().map(|&(role, _)| role.into()).collect();
        let place = Place { layer, tensor: matrix.name.to_owned(), components };
        let apply = |applied: Applied<'_>| quantizer.matrix(on, (in_layer, matrix), applied);
        rows.extend(of_matrix(part, &place, apply)?);
    }
    for (_, norm) in architecture.stack(in_layer.stack).names.norms() {
        let place = Place { layer, tensor: norm.to_owned(), components: vec![Component::Norm] };
        let apply = |applied: Applied<'_>| quantizer.gain(on.model, (in_layer, norm), applied);
        rows.extend(of_matrix(part, &place, apply)?);
    }
    Ok(rows)
}

/// A row for each config that cells apply to the matrix.
fn of_matrix(
    part: &ModelPart,
    place: &Place,
    mut apply: impl FnMut(Applied<'_>) -> Result<Quantized, EvalError>,
) -> Result<Vec<QuantizationRow>, EvalError> {
    let components: Components = place.components.iter().copied().collect();
    let configs = part.configs_of(place.layer, &components);
    if configs.is_empty() {
        return Ok(Vec::new());
    }
    let stored = apply(Applied::Identity)?.weights;
    let row = |config: &QuantConfig| {
        let row = blank((&part.model.name, place), config, stored.len());
        match apply(config.at(place.layer)) {
            Ok(quantized) => Ok(filled(row, &stored, &quantized)),
            Err(error) => {
                let reason = Some(error.unsupported().ok_or(error)?);
                Ok(QuantizationRow { reason, ..row })
            }
        }
    };
    configs.iter().map(row).collect()
}

/// A row without numbers.
fn blank((model, place): (&str, &Place), config: &QuantConfig, weights: usize) -> QuantizationRow {
    let components: Vec<&str> = place.components.iter().map(|component| component.name()).collect();
    QuantizationRow {
        model: model.to_owned(),
        engine: String::new(),
        stack: place.layer.map(|layer| layer.stack.name().to_owned()),
        layer: place.layer.map(|layer| layer.index),
        tensor: place.tensor.clone(),
        components: components.join("+"),
        config: config.to_string(),
        weights: weights as u64,
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
