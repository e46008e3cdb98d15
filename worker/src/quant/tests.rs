//! Quantization against its goldens, its definition and its edges.

mod distortion;
mod edges;
pub(super) mod heavy42;
mod matrix;
mod properties;

use babelquant_proto::quant::{Clip, Granularity, Grid, QuantConfig, Symmetry, Uniform};
use sha2::{Digest, Sha256};

use super::*;
use crate::statistics::golden::{self, Generator};

fn run(weights: &[f32], columns: usize, config: &str) -> Result<Vec<f32>, QuantError> {
    let shape = MatrixShape { rows: weights.len() / columns, columns };
    let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
    Ok(quantize(weights, shape, &parse(config), &context)?.weights)
}

fn parse(config: &str) -> WeightConfig {
    match config.parse().unwrap() {
        QuantConfig::Weights(config) => config,
        other => panic!("{other} is no rule for weights"),
    }
}

fn sha256(values: &[f32]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|value| (value + 0.0).to_le_bytes()).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Weights of a little more than one task, in rows of 96.
fn matrix() -> Vec<f32> {
    let mut generator = Generator { state: 9 };
    (0..96 * 700).map(|_| (generator.heavy() + 0.01) as f32).collect()
}

/// The definition, one weight after the other.
fn by_definition(weights: &[f32], columns: usize, config: Uniform) -> Vec<f32> {
    let length = match config.granularity {
        Granularity::Tensor => weights.len(),
        Granularity::Channel => columns,
        Granularity::Group(length) => length.get() as usize,
    };
    weights.chunks(length).flat_map(|group| group_by_definition(group, config)).collect()
}

fn group_by_definition(group: &[f32], config: Uniform) -> Vec<f32> {
    let limit = match config.clip {
        Clip::AbsMax => f32::INFINITY,
        Clip::Sigma(k) => {
            let n = group.len() as f64;
            let mean = group.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
            let square = group.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / n;
            (k.value() * square.sqrt()) as f32
        }
        other => panic!("{other:?} has tests of its own"),
    };
    let low = group.iter().fold(0.0, |low: f32, &w| low.min(w)).max(-limit);
    let high = group.iter().fold(0.0, |high: f32, &w| high.max(w)).min(limit);
    let levels = 2_f32.powi(config.bits.get().into());
    let symmetric = |w: &f32| {
        let top = levels / 2.0 - 1.0;
        let scale = if low == 0.0 && high == 0.0 { 1.0 } else { high.max(-low) / top };
        (w / scale).round_ties_even().max(-top).min(top) * scale
    };
    let asymmetric = |w: &f32| {
        let (low, high) = if low == high { (-1.0, 1.0) } else { (low, high) };
        let scale = (high - low) / (levels - 1.0);
        let zero = (-low / scale).round_ties_even();
        scale * (((w / scale).round_ties_even() + zero).max(0.0).min(levels - 1.0) - zero)
    };
    match config.symmetry {
        Symmetry::Symmetric => group.iter().map(symmetric).collect(),
        Symmetry::Asymmetric => group.iter().map(asymmetric).collect(),
    }
}

#[test]
fn golden_values_are_exact() {
    let file = golden::file();
    for golden in file["quantizers"].as_array().unwrap() {
        let config = golden["config"].as_str().unwrap();
        let weights: Vec<f32> = match golden["input"].as_str().unwrap() {
            "edges" => serde_json::from_value(file["quantizer_inputs"]["edges"].clone()).unwrap(),
            name => golden::weights(&file, name),
        };
        let values = run(&weights, weights.len(), config).unwrap();
        let square =
            |(value, weight): (&f32, &f32)| (f64::from(*value) - f64::from(*weight)).powi(2);
        let mse = values.iter().zip(&weights).map(square).sum::<f64>() / values.len() as f64;
        let expected = golden["mse"].as_f64().unwrap();
        assert!((mse - expected).abs() <= 1e-12 * expected, "{config} {mse} {expected}");
        assert_eq!(sha256(&values), golden["f32_sha256"].as_str().unwrap(), "{config}");
    }
}

#[test]
fn every_config_is_its_definition_for_any_number_of_threads() {
    let weights = matrix();
    let pools: Vec<_> =
        [1, 3].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap()).into();
    for bits in 2..=8 {
        for (symmetry, granularity) in
            [("", "tensor"), ("-asym", "channel"), ("", "group48"), ("-asym", "group32")]
        {
            for clip in ["", "-sigma2.5"] {
                let config = format!("int{bits}{symmetry}-{granularity}{clip}");
                let Rule::Nearest(Grid::Uniform(uniform)) = parse(&config).rule else {
                    panic!("{config}")
                };
                let expected = by_definition(&weights, 96, uniform);
                for pool in &pools {
                    let values = pool.install(|| run(&weights, 96, &config)).unwrap();
                    assert!(values == expected, "{config}");
                }
            }
        }
    }
}

#[test]
fn ties_go_to_even_and_signs_stay() {
    let weights = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 7.0, -7.0];
    let values = run(&weights, 8, "int4-channel").unwrap();
    assert_eq!(values, [0.0, 2.0, 2.0, -0.0, -2.0, -2.0, 7.0, -7.0]);
    assert!(values[3].is_sign_negative());
}

#[test]
fn degenerate_groups_have_finite_values() {
    for config in
        ["int4-group4", "int4-asym-group4", "int8-group4-sigma3", "int2-asym-group4-sigma0.5"]
    {
        assert_eq!(run(&[0.0; 8], 8, config), Ok(vec![0.0; 8]), "{config}");
        let tiny = [1e-45, 0.0, -1e-45, 0.0, 3e-39, 0.0, 0.0, 0.0];
        assert!(run(&tiny, 8, config).unwrap().iter().all(|value| value.abs() < 1e-38), "{config}");
    }
    assert_eq!(run(&[], 8, "int4-channel"), Ok(vec![]));
    assert_eq!(run(&[], 8, "int4-tensor-sigma2"), Ok(vec![]));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let check = |weights: &[f32], config, expected: &str| {
        assert_eq!(run(weights, weights.len(), config).unwrap_err().to_string(), expected);
    };
    check(&[0.5; 6], "int4-group4", "unsupported: 4 does not divide a row of 6 weights");
    check(&[0.5; 6], "int4-group8", "unsupported: 8 does not divide a row of 6 weights");
    for config in ["int4-tensor", "int3-asym-group2", "int4-channel-sigma3", "phase1-kurtosis-int4"]
    {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            check(&[0.5, bad], config, "a weight is NaN or infinite");
        }
    }
    let error = run(&[f32::MAX, f32::MIN], 2, "int4-asym-tensor").unwrap_err();
    assert!(error.to_string().ends_with("overflows f32"), "{error}");
}

#[test]
fn phase1_is_the_grid_that_its_group_asks_for() {
    let weights = matrix();
    let shape = MatrixShape { rows: 700, columns: 96 };
    for (group_kurtosis, same) in
        [(None, "int4-tensor-sigma3.5"), (Some(100.5), "int4-tensor-sigma5")]
    {
        let context = WeightContext { group_kurtosis, inputs: None, seed: 1 };
        let config = parse("phase1-kurtosis-int4");
        let values = quantize(&weights, shape, &config, &context).unwrap().weights;
        assert!(values == run(&weights, 96, same).unwrap(), "{same}");
    }
}
