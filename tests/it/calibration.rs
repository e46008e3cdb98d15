//! Configs that round inputs or calibrate, on golden models against hooks in `transformers` (`tests/reference/make_calibration.py`).

use babelquant_proto::{Batch, Calibration};
use serde_json::Value;

use crate::cases::{evaluate, golden_cell, spec};
use crate::golden::{folder, json, numbers};

/// By how much all documents' scores may be off, as a share of what the config changes. Activations that differ in their last bits
/// come to another code here and there, which moves a score by much more than those bits.
const SHARE_MAX: f64 = 0.05;
/// Documents of which no input came to another code agree as closely as without rounding.
const NLL: f64 = 2e-6;

/// How many documents of all agree to the last digits, and the share of the effect that the others are off by.
fn compare(golden: &Value, cell: usize, nll: &[f64]) -> (usize, f64) {
    let base = numbers(&golden["base_nll"]);
    let expected = numbers(&golden["cells"][cell]["nll"]);
    let exact = nll.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() <= NLL * b.abs()).count();
    let off: f64 = nll.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum();
    let effect: f64 = expected.iter().zip(&base).map(|(a, b)| (a - b).abs()).sum();
    assert!(effect > 0.0);
    (exact, off / effect)
}

#[test]
fn rounded_inputs_score_as_with_hooks_in_transformers() {
    let (mut cells, mut documents, mut exact) = (0, 0, 0);
    for name in ["four_heads_f32", "gpt2", "llama_linear", "mt5"] {
        let golden = json(&folder().join("calibration").join(format!("{name}.json")));
        let case = folder().join(golden["case"].as_str().unwrap());
        let (mut spec, text) = spec(&case, &json(&case.join("expected.json")));
        let texts = text.documents.iter().map(|document| document.text.clone()).collect();
        spec.calibration = vec![Calibration { set: "mix".parse().unwrap(), texts }];
        // Every window is a batch of its own, so that its outliers are its own.
        spec.batch = Batch { tokens: 1, ..spec.batch };
        spec.models[0].cells =
            golden["cells"].as_array().unwrap().iter().map(golden_cell).collect();
        let names: Vec<String> = spec.models[0]
            .cells
            .iter()
            .map(|(scope, config)| format!("{scope} {config}"))
            .collect();
        for (number, rows) in evaluate(&case, (spec, text)).iter().enumerate() {
            let nll: Vec<f64> = rows.iter().map(|row| row.nll_sum.unwrap()).collect();
            let (same, share) = compare(&golden, number, &nll);
            assert!(share < SHARE_MAX, "{name} {}: {share}", names[number]);
            (cells, documents, exact) = (cells + 1, documents + nll.len(), exact + same);
        }
    }
    assert!(cells >= 28, "{cells}");
    assert!(4 * exact >= 3 * documents, "{exact} of {documents} documents agree");
}
