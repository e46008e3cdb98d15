//! Rules on a matrix against bitsandbytes, ml_dtypes, gguf and NumPy transcriptions: `tests/reference/make_quant.py`.

use super::*;
use crate::quant::matrices::quadratic_form;

const ROWS: usize = 24;
const COLUMNS: usize = 192;
const TOKENS: usize = 256;

/// The matrix of the maker.
pub(super) fn weights() -> Vec<f32> {
    let mut generator = Generator { state: 2024 };
    let mut weights: Vec<f32> = (0..ROWS * COLUMNS).map(|_| generator.heavy() as f32).collect();
    for column in 0..COLUMNS {
        weights[COLUMNS + column] = 0.0;
        weights[3 * COLUMNS + column] = (column % 7) as f32 * 1e-42;
        weights[4 * COLUMNS + column] = (column as f32 % 31.0 - 15.0) / 2.0;
    }
    weights[2 * COLUMNS + 77] = 8.0;
    weights
}

/// The moments of the maker's inputs: exact, because the inputs are multiples of 1/64.
pub(super) fn moments() -> InputMoments {
    let mut generator = Generator { state: 99 };
    let drawn: Vec<f64> =
        (0..TOKENS * COLUMNS).map(|_| (generator.gaussish() * 4096.0).round_ties_even()).collect();
    let input = |token: usize, column: usize| {
        let at = |column: usize| drawn[token * COLUMNS + column];
        let before = if column > 0 { (at(column - 1) / 2.0).round_ties_even() } else { 0.0 };
        match column {
            5 => 0.0,
            9 => (at(9) + before) * 16.0 / 64.0,
            _ => (at(column) + before) / 64.0,
        }
    };
    let over_tokens = |f: &dyn Fn(usize) -> f64| (0..TOKENS).map(f).sum::<f64>() / TOKENS as f64;
    let pair = |index: usize| {
        let (a, b) = (index / COLUMNS, index % COLUMNS);
        over_tokens(&|token| input(token, a) * input(token, b)) as f32
    };
    let largest =
        |column| (0..TOKENS).map(|token| input(token, column).abs()).fold(0.0, f64::max) as f32;
    InputMoments {
        tokens: TOKENS as u64,
        second: (0..COLUMNS * COLUMNS).map(pair).collect(),
        mean_abs: (0..COLUMNS)
            .map(|column| over_tokens(&|token| input(token, column).abs()) as f32)
            .collect(),
        max_abs: (0..COLUMNS).map(largest).collect(),
    }
}

fn quantized(
    weights: &[f32],
    config: &str,
    inputs: &InputMoments,
) -> Result<Quantized, QuantError> {
    let shape = MatrixShape { rows: weights.len() / COLUMNS, columns: COLUMNS };
    let context = WeightContext { group_kurtosis: None, inputs: Some(inputs), seed: 1 };
    quantize(weights, shape, &parse(config), &context)
}

/// The mean square of the outputs' error.
fn output_error(weights: &[f32], config: &str, inputs: &InputMoments) -> f64 {
    let values = quantized(weights, config, inputs).unwrap().weights;
    let difference: Vec<f32> = weights.iter().zip(&values).map(|(w, q)| w - q).collect();
    quadratic_form(&difference, &inputs.second, COLUMNS)
}

#[test]
fn rules_are_those_of_their_reference_implementations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/quant/matrix.json");
    let goldens: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (weights, inputs) = (weights(), moments());
    let mut wrong = Vec::new();
    for golden in goldens.as_array().unwrap() {
        let config = golden["config"].as_str().unwrap();
        let values = match quantized(&weights, config, &inputs) {
            Ok(quantized) => quantized.weights,
            Err(error) => {
                wrong.push(format!("{config}: {error}"));
                continue;
            }
        };
        if let Some(hash) = golden["f32_sha256"].as_str() {
            if sha256(&values) != hash {
                wrong.push(format!("{config}: another hash"));
            }
            continue;
        }
        let sample: Vec<f32> = serde_json::from_value(golden["every_37th"].clone()).unwrap();
        let far = sample.iter().zip(values.iter().step_by(37)).filter(|(expected, found)| {
            (*expected - *found).abs() > 1e-5 * expected.abs().max(1e-3)
        });
        let far = far.count();
        let error = golden["output_error"].as_f64().map_or(1.0, |expected| {
            let difference: Vec<f32> = weights.iter().zip(&values).map(|(w, q)| w - q).collect();
            quadratic_form(&difference, &inputs.second, COLUMNS) / expected
        });
        if far > 0 || (error - 1.0).abs() > 1e-3 {
            wrong.push(format!("{config}: {far} of {} values, error × {error}", sample.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn calibrated_rules_beat_rounding_to_nearest() {
    let (weights, inputs) = (weights(), moments());
    for grid in ["int3-asym-group64", "int4-group32", "int4-channel", "int4-tensor"] {
        let error = |config: &str| output_error(&weights, config, &inputs);
        let nearest = error(grid);
        for (rule, share) in [("gptq", 0.9), ("gptq-actorder", 0.9), ("awq", 1.0)] {
            let found = error(&format!("{rule}-{grid}@eng"));
            assert!(found <= share * nearest, "{rule} {grid}: {found} of {nearest}");
        }
    }
}

#[test]
fn threads_change_no_bit_and_scales_carry_over() {
    let (weights, inputs) = (weights().repeat(7), moments());
    let twice: Vec<f32> = weights.iter().map(|weight| 2.0 * weight).collect();
    let pools = [1, 3].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for config in [
        "gptq-int4-group64@eng",
        "gptq-actorder-int3-asym-channel@eng",
        "rotate-int4-channel",
        "keep1-int4-channel",
        "int4-group32-mse",
        "int4-channel-octav",
        "int4-tensor-percentile99",
        "int3-asym-channel-aciq-auto",
        "nf4-block64-double",
        "mxfp4",
        "nvfp4",
        "ternary-channel",
        "candle-q4_0",
    ] {
        let run = |weights: &[f32]| quantized(weights, config, &inputs).unwrap().weights;
        let [one, three] = [0, 1].map(|pool| pools[pool].install(|| run(&weights)));
        assert!(one == three, "{config}");
        let scaled = run(&twice);
        let far = |(a, b): (&f32, &f32)| (a - 2.0 * b).abs() > 1e-6 * a.abs().max(1e-30);
        let normal = |index: usize| index / COLUMNS % ROWS != 3;
        let pairs = scaled.iter().zip(&one).enumerate();
        let count = pairs.filter(|(index, pair)| normal(*index) && far(*pair)).count();
        assert_eq!(count, 0, "{config}");
    }
}

#[test]
fn moments_that_say_little_are_no_failure() {
    let weights = weights();
    let mut inputs = moments();
    // One token: every pair of columns is collinear.
    inputs.second = (0..COLUMNS * COLUMNS)
        .map(|index| ((index / COLUMNS) as f32).sin() * ((index % COLUMNS) as f32).sin())
        .collect();
    for config in ["gptq-int4-group64@eng", "awq-int4-group64@eng", "rotate-gptq-int4-channel@eng"]
    {
        let values = quantized(&weights, config, &inputs).unwrap().weights;
        assert!(values.iter().all(|value| value.is_finite()), "{config}");
    }
    inputs.second.fill(0.0);
    let values = quantized(&weights, "gptq-int4-channel@eng", &inputs).unwrap().weights;
    assert!(values.iter().all(|&value| value == 0.0));
    let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
    let shape = MatrixShape { rows: ROWS, columns: COLUMNS };
    let missing = quantize(&weights, shape, &parse("awq-int4-channel@eng"), &context);
    assert!(missing.unwrap_err().to_string().contains("calibration set"));
}

#[test]
fn every_rule_refuses_what_is_not_finite() {
    let inputs = moments();
    for config in [
        "nf4",
        "fp8-e4m3-tensor",
        "fp8-e5m2-channel",
        "mxfp4",
        "mxint8-even",
        "nvfp4",
        "ternary-channel",
        "binary-channel",
        "candle-q4_0",
        "gptq-int4-channel@eng",
        "awq-int4-channel@eng",
        "hqq-int4-group64",
        "smooth0.5-int8-channel@eng",
        "llm-int8",
        "rotate-int4-channel",
        "keep1-int4-channel",
        "int4-tensor-octav",
        "int4-channel-mse",
        "int4-tensor-aciq-auto",
    ] {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut weights = weights();
            weights[7 * COLUMNS + 3] = bad;
            let outcome = quantized(&weights, config, &inputs);
            assert!(outcome.is_err(), "{config} {bad}: {outcome:?}");
        }
    }
}
