//! Measures of quantized matrices against NumPy: `tests/reference/make_distortion.py`; then their edges.

use super::matrix::{moments, weights};
use super::*;

const SHAPE: MatrixShape = MatrixShape { rows: 24, columns: 192 };

fn quantized(weights: &[f32], config: &str) -> Quantized {
    let inputs = moments();
    let context = WeightContext { group_kurtosis: None, inputs: Some(&inputs), seed: 1 };
    quantize(weights, SHAPE, &parse(config), &context).unwrap()
}

#[test]
fn measures_are_those_of_numpy() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/quant/distortion.json");
    let goldens: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let weights = weights();
    for golden in goldens.as_array().unwrap() {
        let config = golden["config"].as_str().unwrap();
        let found = Distortion::of(&weights, &quantized(&weights, config)).unwrap();
        let grids = found.grids.unwrap();
        for (name, found) in [
            ("mse", Some(found.mse)),
            ("sqnr_db", found.sqnr_db),
            ("max_error", Some(found.max_error)),
            ("codes_used", Some(grids.codes_used)),
            ("clipped", Some(grids.clipped)),
            ("alpha_over_sigma", grids.alpha_over_sigma),
        ] {
            let (found, expected) = (found.unwrap(), golden[name].as_f64().unwrap());
            let close = (found - expected).abs() <= 1e-6 * expected.abs().max(1e-6);
            assert!(close, "{config} {name}: {found} {expected}");
        }
    }
}

#[test]
fn threads_change_no_bit_of_a_long_group() {
    let weights = matrix();
    let quantized = run_whole(&weights, "int4-asym-tensor-sigma3");
    let pools = [1, 3].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    let [one, three] = pools.map(|pool| pool.install(|| Distortion::of(&weights, &quantized)));
    assert!(one == three && one.unwrap().grids.unwrap().clipped > 0.0);
    let short = run_whole(&weights, "int4-asym-group32");
    let used = Distortion::of(&weights, &short).unwrap().grids.unwrap();
    assert!(used.clipped == 0.0 && used.codes_used < 1.0 && used.codes_used > 0.3);
}

fn run_whole(weights: &[f32], config: &str) -> Quantized {
    let shape = MatrixShape { rows: weights.len() / 96, columns: 96 };
    let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
    quantize(weights, shape, &parse(config), &context).unwrap()
}

#[test]
fn divided_inputs_are_divided_before_weights_are_compared() {
    let weights = weights();
    let smooth = quantized(&weights, "smooth0.5-int8-channel-a8@eng");
    let divisor = smooth.input_divisor.clone().unwrap();
    let by_input = |f: fn(f32, f32) -> f32, values: &[f32]| -> Vec<f32> {
        values
            .iter()
            .zip(divisor.iter().cycle())
            .map(|(&value, &divisor)| f(value, divisor))
            .collect()
    };
    let found = Distortion::of(&weights, &smooth).unwrap();
    let used = Quantized {
        weights: by_input(|q, d| q / d, &smooth.weights),
        groups: None,
        input_divisor: None,
        ..smooth.clone()
    };
    let plain = Distortion::of(&weights, &used).unwrap();
    assert_eq!(
        (found.mse, found.max_error, found.sqnr_db),
        (plain.mse, plain.max_error, plain.sqnr_db)
    );
    let scaled = by_input(|w, d| w * d, &weights);
    let rounded = Quantized { input_divisor: None, ..smooth };
    assert_eq!(found.grids, Distortion::of(&scaled, &rounded).unwrap().grids);
}

#[test]
fn what_is_undefined_is_absent() {
    let exact = |weights: &[f32]| Quantized::of(weights.to_vec(), 32.0);
    assert_eq!(Distortion::of(&[], &exact(&[])), None);
    let none = Distortion::of(&[1.0, -2.0], &exact(&[1.0, -2.0])).unwrap();
    assert_eq!((none.mse, none.sqnr_db, none.max_error, none.grids), (0.0, None, 0.0, None));
    let zeros = run_whole(&[0.0; 96], "int4-channel");
    let zeros = Distortion::of(&[0.0; 96], &zeros).unwrap();
    let grids = zeros.grids.unwrap();
    assert_eq!((zeros.sqnr_db, grids.alpha_over_sigma, grids.clipped), (None, None, 0.0));
    assert_eq!(grids.codes_used, 1.0 / 15.0);
    for config in ["rotate-int4-channel", "keep1-int4-channel", "awq-int4-channel@eng"] {
        let weights = weights();
        assert_eq!(Distortion::of(&weights, &quantized(&weights, config)).unwrap().grids, None);
    }
}
