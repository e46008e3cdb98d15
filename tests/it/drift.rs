//! How far hidden states drift: the sums of a cell's rows against a model that was quantized in its files and run from the start.

use std::collections::BTreeMap;
use std::path::Path;

use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{Stack, Windows};
use babelquant_worker::model::{NoTap, Residence, Transformer};
use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use crate::cases::{cases, cell, evaluate, spec};
use crate::golden::{close, json, numbers};
use crate::planted::planted;

/// The states after every layer over these tokens.
fn states(directory: &Path, ids: &[u32]) -> Vec<Vec<f32>> {
    let model = Transformer::load(directory, (&Device::Cpu, DType::F32), Residence::Whole).unwrap();
    let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let mut x = model.embed(model.tables(), Stack::Dec, &ids, &mut NoTap).unwrap();
    let layers = model.architecture().shape.stacked_layers();
    let after = layers.map(|layer| {
        x = model.block(layer).unwrap().forward(&x, None, &mut NoTap).unwrap();
        x.flatten_all().unwrap().to_vec1().unwrap()
    });
    after.collect()
}

/// Each row to 15 levels, ±7 steps of a seventh of its largest magnitude.
fn int4_channel(weights: &Tensor) -> Tensor {
    let round = |row: Vec<f32>| -> Vec<f32> {
        let scale = row.iter().fold(0.0_f32, |max, w| max.max(w.abs())) / 7.0;
        row.into_iter().map(|w| (w / scale).round_ties_even().clamp(-7.0, 7.0) * scale).collect()
    };
    let rows: Vec<Vec<f32>> = weights.to_vec2().unwrap().into_iter().map(round).collect();
    Tensor::new(rows, &Device::Cpu).unwrap()
}

/// A copy of a BLOOM case with the MLP of these layers quantized.
fn quantized_copy(case: &Path, layers: &[usize]) -> tempfile::TempDir {
    let is_quantized =
        |name: &str| layers.iter().any(|layer| name.contains(&format!("h.{layer}.mlp.dense_")));
    let quantize = |tensors: &mut BTreeMap<String, Tensor>| {
        let matrices = tensors.iter_mut().filter(|(_, tensor)| tensor.rank() == 2);
        let matrices = matrices.filter(|(name, _)| is_quantized(name));
        matrices.for_each(|(_, tensor)| *tensor = int4_channel(tensor));
    };
    planted(case, quantize, |_| ())
}

/// Σ (x − b)², Σ b², Σ x·b.
fn sums(base: &[f32], other: &[f32]) -> [f64; 3] {
    let pairs = base.iter().zip(other).map(|(&b, &x)| (f64::from(b), f64::from(x)));
    pairs.fold([0.0; 3], |[error, square, product], (b, x)| {
        [error + (x - b) * (x - b), square + b * b, product + x * b]
    })
}

fn of_row(row: &DocumentRow) -> [[f64; 3]; 2] {
    let next = [row.next_error_sum, row.next_base_sum, row.next_product_sum];
    let last = [row.last_error_sum, row.last_base_sum, row.last_product_sum];
    [next, last].map(|sums| sums.map(Option::unwrap))
}

#[test]
fn drift_is_that_of_a_model_quantized_in_its_files() {
    let case = cases().into_iter().find(|case| case.ends_with("bloom/four_heads_f32")).unwrap();
    let expected = json(&case.join("expected.json"));
    let mut spec = spec(&case, &expected);
    // One window a document, and one of several: each token counts once.
    for windows in [(64, 32), (24, 12)] {
        spec.0.windows = Windows { tokens: windows.0, stride: windows.1 };
        for (layers, quantized) in
            [("only(1)", [1].as_slice()), ("all", &[0, 1, 2]), ("suffix(1)", &[2])]
        {
            spec.0.models[0].cells = [cell(layers, "mlp", "int4-channel")].into();
            let rows = evaluate(&case, spec.clone()).remove(0);
            let copy = quantized_copy(&case, quantized);
            let documents = expected["documents"].as_array().unwrap();
            for (row, document) in rows.iter().zip(documents) {
                check((row, windows.0), document, (&case, copy.path()), quantized[0]);
            }
        }
    }
}

fn check(
    (row, window): (&DocumentRow, u32),
    document: &Value,
    (case, copy): (&Path, &Path),
    first: usize,
) {
    let ids: Vec<u32> = numbers(&document["token_ids"]).into_iter().map(|id| id as u32).collect();
    if ids.len() < 2 || ids.len() > 64 {
        return;
    }
    let (base, other) = (states(case, &ids), states(copy, &ids));
    for (found, place) in of_row(row).iter().zip([first, base.len() - 1]) {
        let expected = sums(&base[place], &other[place]);
        if ids.len() as u32 <= window {
            found.iter().zip(expected).for_each(|(a, b)| close(*a, b, 1e-5, 1e-9));
        } else {
            // With shorter contexts states differ, but there are as many of them.
            close(found[1], expected[1], 0.2, 0.0);
        }
    }
}
