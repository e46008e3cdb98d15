//! Other dtypes than f32: every family computes in them, `none` still changes nothing, and the config `f32` measures their noise.

use std::path::Path;

use babelquant_proto::Dtype;
use babelquant_proto::rows::DocumentRow;

use crate::cases::{cases, cell, evaluate, spec};
use crate::golden::{close, json};

/// Rows of `none` and of `f32` for every document, in this dtype.
fn rows(case: &Path, dtype: Dtype) -> [Vec<DocumentRow>; 2] {
    let expected = json(&case.join("expected.json"));
    let mut spec = spec(case, &expected);
    spec.0.dtype = dtype;
    spec.0.models[0].cells = ["none", "f32"].map(|config| cell("all", "mlp", config)).into();
    evaluate(case, spec).try_into().unwrap()
}

#[test]
fn the_config_f32_is_the_model_in_f32_and_its_distance_the_noise_of_the_dtype() {
    for case in cases() {
        let expected = json(&case.join("expected.json"));
        let documents = expected["documents"].as_array().unwrap();
        for (dtype, noise_max) in [(Dtype::Bf16, 0.05), (Dtype::F16, 0.01)] {
            let [none, reference] = rows(&case, dtype);
            let mut noise: f64 = 0.0;
            for ((none, reference), document) in none.iter().zip(&reference).zip(documents) {
                assert_eq!(none.nll_sum, Some(none.base_nll_sum), "{}", case.display());
                assert_eq!((none.kl_sum, none.top1_count), (Some(0.0), Some(none.tokens)));
                close(reference.nll_sum.unwrap(), document["nll"].as_f64().unwrap(), 1e-6, 0.0);
                let tokens = reference.tokens.max(1) as f64;
                let moved = (reference.nll_sum.unwrap() - reference.base_nll_sum).abs() / tokens;
                noise = noise.max(moved);
            }
            assert!(noise > 0.0 && noise < noise_max, "{}: {dtype:?} {noise}", case.display());
        }
    }
}

#[test]
fn in_f32_the_config_f32_is_the_baseline() {
    for case in cases() {
        let [_, reference] = rows(&case, Dtype::F32);
        let moved = |row: &DocumentRow| row.nll_sum != Some(row.base_nll_sum);
        assert!(!reference.iter().any(moved), "{}", case.display());
    }
}
