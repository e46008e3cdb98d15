//! Every vector of the reference study on 256 weights, `tests/golden/quant/heavy42.json`: values, figures, codes and scales.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use serde_json::Value;

use super::*;
use crate::quant::range::Range;

/// The study's file.
pub(in crate::quant) fn study() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/quant/heavy42.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The 256 weights.
pub(in crate::quant) fn heavy42() -> Vec<f32> {
    golden::weights(&golden::file(), "heavy42")
}

/// The study's row of a vector.
pub(in crate::quant) fn vector(name: &str) -> Value {
    let study = study();
    study["quantizers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["golden"] == name)
        .unwrap()
        .clone()
}

/// A list of the study as f32, which all its lists are.
pub(in crate::quant) fn floats(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// The rows whose config starts with one of `prefixes`, with what we make of the weights.
fn rows(prefixes: &[&str]) -> Vec<(Value, WeightConfig, Quantized)> {
    let weights = heavy42();
    let ours = |row: &Value| {
        let config = row["config"].as_str()?;
        prefixes.iter().find(|prefix| config.starts_with(**prefix))?;
        let columns = row["columns"].as_u64().unwrap() as usize;
        let shape = MatrixShape { rows: weights.len() / columns, columns };
        let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
        let config = parse(config);
        let quantized = quantize(&weights, shape, &config, &context).unwrap();
        Some((row.clone(), config, quantized))
    };
    let found: Vec<_> = study()["quantizers"].as_array().unwrap().iter().filter_map(ours).collect();
    assert!(!found.is_empty(), "{prefixes:?}");
    found
}

/// Holds values against the figures of a row: f64 sums to 1e-12, everything else exactly.
#[track_caller]
pub(in crate::quant) fn check(values: &[f32], row: &Value) {
    let (weights, name) = (heavy42(), row["golden"].as_str().unwrap());
    assert_eq!(sha256(values), row["f32_sha256_posz"].as_str().unwrap(), "{name}");
    assert_eq!(values[..8], floats(&row["first8"]), "{name}");
    let errors = values.iter().zip(&weights).map(|(v, w)| f64::from(*v) - f64::from(*w));
    let mse = errors.clone().map(|error| error * error).sum::<f64>() / values.len() as f64;
    let power = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / values.len() as f64;
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    let largest = errors.map(f64::abs).fold(0.0, f64::max);
    let figure = |key: &str, ours: f64, near: f64| {
        let theirs = row[key].as_f64().unwrap();
        assert!((ours - theirs).abs() <= near * theirs.abs(), "{name} {key}: {ours}, not {theirs}");
    };
    figure("mse", mse, 1e-12);
    figure("sqnr_db", 10.0 * (power / mse).log10(), 1e-12);
    figure("sum", sum, 1e-12);
    // The study subtracts in f32.
    figure("max_abs_err", largest, 1e-7);
}

#[test]
fn every_exact_vector_is_met_bit_for_bit() {
    let rows = rows(&["int", "nf4", "fp4", "fp8", "mx", "nvfp4", "candle"]);
    assert_eq!(rows.len(), 57);
    rows.iter().for_each(|(row, _, quantized)| check(&quantized.weights, row));
}

#[test]
fn uniform_codes_scales_and_zero_points() {
    let weights = heavy42();
    for (row, config, quantized) in rows(&["int"]) {
        let Rule::Nearest(Grid::Uniform(uniform)) = config.rule else { panic!("{row}") };
        let groups = quantized.groups.unwrap();
        let (mut scales, mut zeros, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        for (&[low, high], group) in groups.limits.iter().zip(weights.chunks(groups.length)) {
            let (scale, zero) = match grid::Grid::fit(uniform, Range { low, high }).unwrap() {
                grid::Grid::Symmetric { scale, .. } => (scale, 0.0),
                grid::Grid::Asymmetric { scale, zero, .. } => (scale, zero),
            };
            scales.push(scale);
            zeros.push(zero);
            let values = run(group, group.len(), &format!("{uniform}")).unwrap();
            codes.extend(values.iter().map(|value| (value / scale).round() + zero));
        }
        let first: Vec<f32> = scales.iter().copied().take(4).collect();
        assert_eq!(first, floats(&row["scales_first4"]), "{row}");
        assert_eq!(codes[..16], floats(&row["codes_first16"]), "{row}");
        assert_eq!(codes.iter().sum::<f32>(), row["codes_sum"].as_f64().unwrap() as f32, "{row}");
        if uniform.symmetry == Symmetry::Asymmetric {
            assert_eq!(zeros, floats(&row["zeros"]), "{row}");
        }
    }
}

#[test]
fn codebook_codes_and_scales() {
    let (weights, tables) = (heavy42(), study()["tables"].clone());
    for (row, _, quantized) in rows(&["nf4", "fp4"]) {
        let fp4 = row["config"].as_str().unwrap().starts_with("fp4");
        let table = floats(&tables[if fp4 { "bnb_fp4_code_bitorder" } else { "nf4_code" }]);
        let groups = quantized.groups.unwrap();
        let largest = |block: &[f32]| block.iter().fold(0.0_f32, |m, value| m.max(value.abs()));
        // The largest weight of a block has the code ±1, so that its value is the scale.
        let scales: Vec<f32> = quantized.weights.chunks(groups.length).map(largest).collect();
        assert_eq!(scales, floats(&row["scales_first4"])[..scales.len()], "{row}");
        let code = |(index, value): (usize, &f32)| {
            let over = value / scales[index / groups.length];
            let near = |entry: &&f32| (*entry - over).abs() < 1e-6;
            let code =
                table.iter().position(|entry| near(&entry)).unwrap() % if fp4 { 8 } else { 16 };
            // Of its two zeros bitsandbytes takes the one with the sign for positive weights.
            let sign = if *value == 0.0 { -weights[index] } else { *value };
            code + if fp4 && sign < 0.0 { 8 } else { 0 }
        };
        let codes: Vec<usize> = quantized.weights.iter().enumerate().map(code).collect();
        let first: Vec<usize> = serde_json::from_value(row["codes_first16"].clone()).unwrap();
        assert_eq!(codes[..16], first, "{row}");
        assert_eq!(codes.iter().sum::<usize>() as u64, row["codes_sum"].as_u64().unwrap(), "{row}");
        if !row["absmax"].is_null() {
            let magnitudes: Vec<f32> = groups.limits.iter().map(|limits| limits[1]).collect();
            assert_eq!(magnitudes, floats(&row["absmax"]));
        }
    }
}

#[test]
fn powers_of_two_and_scales_of_floats() {
    for (row, config, quantized) in rows(&["mx", "fp8", "nvfp4"]) {
        let limits = quantized.groups.unwrap().limits;
        let config = config.to_string();
        let largest = match config.as_str() {
            name if name.starts_with("mxfp4") || name == "nvfp4" => 6.0,
            name if name.starts_with("mxfp6-e2m3") => 7.5,
            name if name.starts_with("mxfp6-e3m2") => 28.0,
            name if name.contains("fp8-e4m3") => 448.0,
            name if name.contains("fp8-e5m2") => 57344.0,
            _ => 127.0 / 64.0,
        };
        let scales: Vec<f32> = limits.iter().map(|limits| limits[1] / largest).collect();
        if let Some(exponents) = row["shared_exp"].as_array() {
            let powers = exponents.iter().map(|e| 2_f32.powi(e.as_i64().unwrap() as i32));
            assert_eq!(scales, powers.collect::<Vec<_>>(), "{row}");
        } else if let Some(tensor_scale) = row["tensor_scale"].as_f64() {
            let of_blocks = scales.iter().map(|scale| f64::from(*scale) / tensor_scale).take(4);
            for (ours, theirs) in of_blocks.zip(floats(&row["scales_first4"])) {
                assert!((ours / f64::from(theirs) - 1.0).abs() < 1e-6, "{ours} {theirs}");
            }
        } else if let Some(theirs) = row["scales_first4"].as_array() {
            let theirs = floats(&theirs.clone().into());
            assert_eq!(scales[..theirs.len()], theirs, "{row}");
        }
    }
}

#[test]
fn hqq_is_its_package_but_for_the_order_of_sums() {
    let weights = heavy42();
    for (row, _, quantized) in rows(&["hqq"]) {
        let groups = quantized.groups.unwrap();
        let scale = |limits: &[f32; 2]| (limits[1] - limits[0]) / 15.0;
        let scales: Vec<f32> = groups.limits.iter().map(scale).collect();
        let near = |ours: f64, theirs: f64, by: f64| {
            assert!((ours - theirs).abs() <= by, "{ours} {theirs}")
        };
        for (index, limits) in groups.limits.iter().enumerate() {
            near(scales[index].into(), row["scales_first4"][index].as_f64().unwrap(), 1e-8);
            near((-limits[0] / scales[index]).into(), row["zeros"][index].as_f64().unwrap(), 1e-4);
        }
        let code = |(index, value): (usize, &f32)| {
            let [low, _] = groups.limits[index / 64];
            ((value - low) / scales[index / 64]).round()
        };
        let codes: Vec<f32> = quantized.weights.iter().enumerate().map(code).collect();
        assert_eq!(codes[..16], floats(&row["codes_first16"]));
        assert_eq!(codes.iter().sum::<f32>(), row["codes_sum"].as_f64().unwrap() as f32);
        let squares = quantized.weights.iter().zip(&weights).map(|(v, w)| f64::from(v - w).powi(2));
        let mse = row["mse"].as_f64().unwrap();
        near(squares.sum::<f64>() / 256.0, mse, 1e-5 * mse);
        for (ours, theirs) in quantized.weights.iter().zip(floats(&row["first8"])) {
            near((*ours).into(), theirs.into(), 1e-6);
        }
    }
}

#[test]
fn blocks_are_byte_for_byte_those_of_gguf() {
    let tensor = Tensor::new(heavy42(), &Device::Cpu).unwrap();
    for (name, dtype) in [
        ("gguf_Q4_0", GgmlDType::Q4_0),
        ("gguf_Q4_1", GgmlDType::Q4_1),
        ("gguf_Q5_0", GgmlDType::Q5_0),
        ("gguf_Q5_1", GgmlDType::Q5_1),
        ("gguf_Q8_0", GgmlDType::Q8_0),
    ] {
        let blocks = QTensor::quantize(&tensor, dtype).unwrap();
        let digest = Sha256::digest(blocks.data().unwrap());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, vector(name)["bytes_sha256"].as_str().unwrap(), "{name}");
    }
}

/// Vectors without a config: bf16 is a checkpoint's dtype, and the ternary blocks of GGUF are a two-bit grid with an f16 scale.
#[test]
fn vectors_of_formats_that_are_no_configs() {
    let weights = heavy42();
    let rounded: Vec<f32> = weights.iter().map(|&weight| bf16::from_f32(weight).to_f32()).collect();
    check(&rounded, &vector("gguf_BF16"));
    let scale = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let values = run(&weights, 256, "int2-channel").unwrap();
    let stored: Vec<f32> =
        values.iter().map(|value| value / scale * f16::from_f32(scale).to_f32()).collect();
    check(&stored, &vector("gguf_TQ1_0"));
    check(&stored, &vector("gguf_TQ2_0"));
}
