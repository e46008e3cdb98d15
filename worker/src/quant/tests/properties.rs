//! What holds of every grid whatever the weights are, over generated matrices.
//!
//! Idempotence (Q(Q(w)) = Q(w)) is no property of all grids. Exact: tables (the largest weight of a block has the code ±1), powers of
//! two as scales, binary rows, and blocks whose scale is an f16. Up to the last bit of the scale: symmetric grids and eight-bit floats,
//! because max / n · n is not always max. Not at all: asymmetric grids (rounding the zero point can leave the last code unused),
//! cut grids (the cut narrows what the next cut is taken from), ternary rows (zeros lower the mean), scales that are rounded
//! themselves (NVFP4, double quantization), and rules that weigh errors.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::quant::range::Range;

const COLUMNS: usize = 256;

/// A weight near 1 or 0, tied, or exactly 0.
fn weight() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0_f32..1.0,
        2 => -0.05_f32..0.05,
        1 => (-14..15_i32).prop_map(|k| k as f32 / 16.0),
        1 => Just(0.0),
    ]
}

/// One to three rows.
fn rows() -> impl Strategy<Value = Vec<f32>> {
    (1..4_usize).prop_flat_map(|rows| vec(weight(), rows * COLUMNS))
}

/// Rows of any magnitude that leaves room for scales.
fn scaled_rows() -> impl Strategy<Value = Vec<f32>> {
    (rows(), -60..60_i32).prop_map(|(rows, power)| times(&rows, power))
}

fn times(weights: &[f32], power: i32) -> Vec<f32> {
    weights.iter().map(|weight| weight * 2_f32.powi(power)).collect()
}

fn values(weights: &[f32], config: &str) -> Vec<f32> {
    run(weights, COLUMNS, config).unwrap()
}

/// Grids whose every group is computed from its own weights alone, with the weights in a group.
const GROUPED: [(&str, usize); 17] = [
    ("int4-group128", 128),
    ("int2-asym-group64", 64),
    ("int3-channel-octav", 256),
    ("int4-group64-mse", 64),
    ("int4-asym-group32-sigma2", 32),
    ("int4-group64-percentile90", 64),
    ("int4-channel-aciq-auto", 256),
    ("nf4-block64", 64),
    ("fp4-block128", 128),
    ("fp8-e4m3-channel", 256),
    ("mxfp4", 32),
    ("mxfp6-e3m2-rceil", 32),
    ("mxint8-even", 32),
    ("ternary-channel", 256),
    ("binary-channel", 256),
    ("candle-q4_0", 32),
    ("candle-q4k", 256),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn exact_grids_are_idempotent(weights in scaled_rows()) {
        let mut exact = vec!["nf4-block64", "fp4-block64", "nf4-block128", "binary-channel"];
        exact.extend(["mxfp4", "mxfp4-ceil", "mxfp4-even", "mxfp4-rceil", "mxfp6-e2m3", "mxfp6-e3m2-even"]);
        exact.extend(["mxfp8-e4m3", "mxfp8-e5m2-rceil", "mxint8", "mxint8-ceil"]);
        for config in exact {
            let once = values(&weights, config);
            prop_assert_eq!(&values(&once, config), &once, "{}", config);
        }
    }

    #[test]
    fn blocks_with_f16_scales_are_idempotent(weights in rows()) {
        for config in ["candle-q4_0", "candle-q5_0", "candle-q8_0"] {
            let once = values(&weights, config);
            prop_assert_eq!(&values(&once, config), &once, "{}", config);
        }
    }

    #[test]
    fn symmetric_grids_are_idempotent_up_to_the_last_bit_of_the_scale(weights in scaled_rows()) {
        for config in ["int2-tensor", "int4-group128", "int8-channel", "llm-int8", "fp8-e4m3-channel", "fp8-e5m2-tensor"] {
            let once = values(&weights, config);
            let twice = values(&once, config);
            for (a, b) in once.iter().zip(&twice) {
                prop_assert!((a - b).abs() <= 3e-7 * a.abs(), "{} {} {}", config, a, b);
            }
        }
    }

    #[test]
    fn no_error_exceeds_half_a_step_inside_the_ends(weights in scaled_rows(), bits in 2..9_u8) {
        for rest in ["tensor", "asym-group64", "group128-octav", "asym-channel-sigma2", "group32-mse"] {
            let config = format!("int{bits}-{rest}");
            let Rule::Nearest(Grid::Uniform(uniform)) = parse(&config).rule else {
                panic!("{config} is uniform")
            };
            let shape = MatrixShape { rows: weights.len() / COLUMNS, columns: COLUMNS };
            let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
            let quantized = quantize(&weights, shape, &parse(&config), &context).unwrap();
            let groups = quantized.groups.unwrap();
            let pairs = weights.chunks(groups.length).zip(quantized.weights.chunks(groups.length));
            for ((weights, values), &[low, high]) in pairs.zip(&groups.limits) {
                let step = match grid::Grid::fit(uniform, Range { low, high }).unwrap() {
                    grid::Grid::Symmetric { scale, .. } | grid::Grid::Asymmetric { scale, .. } => scale,
                };
                let near = 0.5 * step + 5e-7 * high.max(-low);
                for (weight, value) in weights.iter().zip(values).filter(|(w, _)| (low..=high).contains(*w)) {
                    prop_assert!((weight - value).abs() <= near, "{} {} {} {}", config, weight, value, step);
                }
            }
        }
    }

    #[test]
    fn every_weight_comes_to_the_nearest_value(weights in scaled_rows()) {
        let nf4 = heavy42::floats(&heavy42::study()["tables"]["nf4_code"]);
        for (config, table) in [("nf4-block64", &nf4[..]), ("mxfp4", &E2M1[..])] {
            let shape = MatrixShape { rows: weights.len() / COLUMNS, columns: COLUMNS };
            let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
            let quantized = quantize(&weights, shape, &parse(config), &context).unwrap();
            let groups = quantized.groups.unwrap();
            let top = table[table.len() - 1];
            for (index, (weight, value)) in weights.iter().zip(&quantized.weights).enumerate() {
                let limit = groups.limits[index / groups.length][1];
                let distance = |entry: &f32| (entry / top * limit - weight).abs();
                let least = table.iter().map(distance).fold(f32::INFINITY, f32::min);
                prop_assert!((weight - value).abs() <= least + 1e-6 * limit, "{} {} {}", config, weight, value);
            }
        }
    }

    #[test]
    fn a_power_of_two_goes_through(weights in rows(), power in -20..20_i32) {
        let mut configs = vec!["int4-channel", "int3-asym-group64", "int2-tensor", "int4-tensor-sigma2.5"];
        configs.extend(["int4-group64-percentile95", "int4-asym-channel-aciq-gauss", "int4-channel-aciq-laplace"]);
        configs.extend(["int4-channel-octav", "int4-group128-mse", "nf4-block64", "fp4-block64"]);
        configs.extend(["nf4-block64-double", "fp8-e4m3-tensor", "fp8-e5m2-channel", "mxfp4", "mxfp8-e4m3-even"]);
        configs.extend(["mxint8-rceil", "nvfp4", "ternary-channel", "binary-channel", "rotate-int4-channel", "llm-int8"]);
        for config in configs {
            let (plain, scaled) = (values(&weights, config), values(&times(&weights, power), config));
            prop_assert_eq!(scaled, times(&plain, power), "{}", config);
        }
    }

    #[test]
    fn a_power_of_two_goes_through_f16_scales(weights in rows(), power in 0..5_i32) {
        for config in ["candle-q4_0", "candle-q8_0", "candle-q4k", "candle-q6k", "keep2-int4-channel"] {
            let (plain, scaled) = (values(&weights, config), values(&times(&weights, power), config));
            prop_assert_eq!(scaled, times(&plain, power), "{}", config);
        }
    }

    #[test]
    fn a_group_changes_no_other_group(weights in rows(), place in 0..COLUMNS, to in -4.0_f32..4.0) {
        for (config, length) in GROUPED {
            let mut changed = weights.clone();
            changed[place] = to;
            let (before, after) = (values(&weights, config), values(&changed, config));
            let first = place / length * length;
            prop_assert_eq!(&before[..first], &after[..first], "{}", config);
            prop_assert_eq!(&before[first + length..], &after[first + length..], "{}", config);
        }
    }

    #[test]
    fn more_bits_leave_less_error_where_the_ends_are_searched(seed in any::<u64>(), heavy in any::<bool>()) {
        let mut generator = Generator { state: seed };
        let mut draw = || if heavy { generator.heavy() } else { generator.gaussish() } as f32;
        let weights: Vec<f32> = (0..4 * COLUMNS).map(|_| draw()).collect();
        for rest in ["tensor-mse", "channel-mse", "group64-mse", "asym-channel-mse"] {
            let error = |bits: u8| -> f64 {
                let values = values(&weights, &format!("int{bits}-{rest}"));
                values.iter().zip(&weights).map(|(v, w)| f64::from(v - w).powi(2)).sum()
            };
            let errors: Vec<f64> = (2..9).map(error).collect();
            prop_assert!(errors.is_sorted_by(|more, less| less < more), "{} {:?}", rest, errors);
        }
    }
}

/// The values of E2M1.
const E2M1: [f32; 15] =
    [-6.0, -4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
