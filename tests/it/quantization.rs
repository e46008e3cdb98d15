//! The rows on quantized matrices: which there are, for every family, and what they say.

use std::path::{Path, PathBuf};

use babelquant_proto::rows::{QuantizationRow, decode};
use babelquant_proto::{Components, Spec, UnitIndex};
use babelquant_worker::eval::{Evaluator, Places};
use candle_core::Device;
use serde_json::Value;

use crate::cases::{cases, cell, engine, spec};
use crate::golden::{close, json};

/// The spec of a golden case with these (layers, components, config) cells.
pub(crate) fn with_cells(case: &Path, cells: &[(&str, &str, &str)]) -> Spec {
    let (mut spec, _) = spec(case, &json(&case.join("expected.json")));
    let cells = cells.iter().map(|(layers, components, config)| cell(layers, components, config));
    spec.models[0].cells = cells.collect();
    spec
}

/// Rows of every layer, in order.
fn rows(case: &Path, spec: Spec) -> Vec<QuantizationRow> {
    rows_in(vec![case.to_owned()], spec)
}

/// The same, with the model in one of the directories.
pub(crate) fn rows_in(directories: Vec<PathBuf>, spec: Spec) -> Vec<QuantizationRow> {
    let units: Vec<UnitIndex> = spec.quantization_units().map(UnitIndex).collect();
    let places = Places { directories, hub: None };
    let mut evaluator = Evaluator::new(spec, places, (Device::Cpu, engine()));
    let mut rows = Vec::new();
    for unit in units {
        let mut emit = |_, ipc: Result<bytes::Bytes, _>| {
            rows.extend(decode::<QuantizationRow>(&ipc.unwrap()).unwrap());
        };
        evaluator.compute(&[unit], None, &mut emit).unwrap();
    }
    rows
}

#[test]
fn every_matrix_of_every_family_has_a_row_for_each_config_that_touches_it() {
    for case in cases() {
        let cells = [
            ("all", "mlp", "none"),
            ("all", "linear", "int4-channel"),
            ("all", "mlp", "int8-channel"),
            ("all", "linear", "int8-channel"),
            ("all", "mlp", "candle-q4k"),
        ];
        let spec = with_cells(&case, &cells);
        let depth = spec.models[0].model.shape.depth() as usize;
        let rows = rows(&case, spec);
        assert!(rows.len() >= depth * 10, "{}", case.display());
        for matrix in
            rows.chunk_by(|a, b| (a.layer, &a.stack, &a.tensor) == (b.layer, &b.stack, &b.tensor))
        {
            let configs: Vec<&str> = matrix.iter().map(|row| row.config.as_str()).collect();
            let expected: &[&str] = match matrix[0].components.contains("mlp") {
                true => &["int4-channel", "int8-channel", "candle-q4k"],
                false => &["int4-channel", "int8-channel"],
            };
            assert_eq!(configs, expected, "{} {}", case.display(), matrix[0].tensor);
            let [four, eight] = [&matrix[0], &matrix[1]];
            assert!(four.mse > eight.mse && four.sqnr_db < eight.sqnr_db && four.weights > 0);
            assert!(eight.sqnr_db.unwrap() > 30.0 && eight.clipped == Some(0.0));
            assert!(four.bits_per_weight.unwrap() > 4.0 && four.codes_used.unwrap() > 0.3);
            for unfit in &matrix[2..] {
                let reason = unfit.reason.as_deref().unwrap();
                assert!(
                    reason.starts_with(&format!("unsupported: {}: blocks", unfit.tensor)),
                    "{reason}"
                );
                assert_eq!((unfit.mse, unfit.bits_per_weight), (None, None));
            }
        }
    }
}

fn is_number(word: &str) -> bool {
    word.parse::<u32>().is_ok()
}

/// The row of the matrix with this name in the checkpoint, or of the table that serves as `embedding` or `head`.
fn named<'a>(rows: &'a [QuantizationRow], name: &str, config: &str) -> &'a QuantizationRow {
    // The first number of a name is that of the layer.
    let layer = name.split('.').find_map(|word| word.parse().ok());
    let is_row = |row: &&QuantizationRow| {
        let in_encoder = row.stack.as_deref() == Some("enc");
        if row.config != config || row.layer != layer {
            return false;
        }
        row.layer.is_none() && row.components.split('+').any(|component| component == name)
            || name.ends_with(&format!("{}.weight", row.tensor))
                && name.starts_with("encoder") == in_encoder
    };
    rows.iter().find(is_row).unwrap_or_else(|| panic!("no row of {name} under {config}"))
}

#[test]
fn errors_are_those_of_an_independent_quantizer() {
    let mut compared = 0;
    for case in cases() {
        let expected = json(&case.join("expected.json"));
        let rows = rows(&case, spec(&case, &expected).0);
        for cell in expected["cells"].as_array().unwrap() {
            let text = |key: &str| cell[key].as_str().unwrap();
            let components: Components = text("components").parse().unwrap();
            // The table is one of the layers' matrices: the embedding and the head have no rows.
            let of_layers = |(name, _): &(&String, &Value)| name.split('.').any(is_number);
            for (name, mse) in cell["weight_mse"].as_object().unwrap().iter().filter(of_layers) {
                let row = named(&rows, name, text("config"));
                let roles: Components = row.components.parse().unwrap();
                // Of a matrix that is partly out of scope the golden file knows the error of the other part only.
                let whole = roles.iter().all(|role| components.contains(role));
                if whole || row.layer.is_none() {
                    close(row.mse.unwrap(), mse.as_f64().unwrap(), 1e-9, 0.0);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn tables_outside_the_layers_have_rows_where_a_scope_holds_them_and_a_shared_one_has_one() {
    let mut tied = 0;
    for case in cases() {
        let cells = [
            ("all", "mlp.up+head", "int4-channel"),
            ("all-but(0)", "embedding", "nf4"),
            ("only(0)", "head", "int8-channel"),
        ];
        let with = with_cells(&case, &cells);
        let depth = u64::from(with.models[0].model.shape.depth());
        assert_eq!(with.models[0].quantization_units(), depth + 1);
        assert_eq!(with_cells(&case, &cells[2..]).models[0].quantization_units(), depth);
        let rows = rows(&case, with);
        let rows = rows.iter().filter(|row| row.layer.is_none());
        let found: Vec<_> = rows.map(|row| (&*row.components, &*row.config)).collect();
        match found[0].0 {
            "embedding+head" => {
                let both = [("embedding+head", "int4-channel"), ("embedding+head", "nf4-block64")];
                assert_eq!(found, both, "{}", case.display());
                tied += 1;
            }
            _ => assert_eq!(found, [("embedding", "nf4-block64"), ("head", "int4-channel")]),
        }
    }
    assert!(tied > 5 && tied < cases().len(), "{tied}");
}

#[test]
fn a_scope_that_the_weights_decide_may_hold_any_layer() {
    let case = cases().into_iter().find(|case| case.ends_with("bloom/four_heads_f32")).unwrap();
    let rows = rows(&case, with_cells(&case, &[("top(1,kurtosis)", "mlp.up", "int4-channel")]));
    let layers: Vec<_> = rows.iter().map(|row| row.layer.unwrap()).collect();
    assert_eq!(layers, [0, 1, 2]);
}

#[test]
fn mixed_maps_are_spelled_layer_by_layer_and_layers_out_of_scope_have_no_row() {
    let case = cases().into_iter().find(|case| case.ends_with("bloom/six_heads_f16_sharded"));
    let cells = [
        ("only(0)", "mlp", "none"),
        ("only(0,2)", "mlp", "mixed(0=nf4;1=int2-channel;rest=int8-channel)"),
        ("only(2)", "attn.q", "int8-channel"),
    ];
    let case = case.unwrap();
    let rows = rows(&case, with_cells(&case, &cells));
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.layer.unwrap(), row.tensor.as_str(), row.config.as_str()))
        .collect();
    let expected = [
        (0, "mlp.dense_h_to_4h", "nf4-block64"),
        (0, "mlp.dense_4h_to_h", "nf4-block64"),
        (2, "self_attention.query_key_value", "int8-channel"),
        (2, "mlp.dense_h_to_4h", "int8-channel"),
        (2, "mlp.dense_4h_to_h", "int8-channel"),
    ];
    assert_eq!(found, expected);
    assert_eq!(rows[2].components, "attn.q+attn.k+attn.v");
    assert_eq!(with_cells(&case, &cells[..1]).quantization_units().count(), 0);
}
