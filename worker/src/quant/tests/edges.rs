//! Every kind of config on inputs at the edge: nothing panics, and what comes out is finite or a reason.

use super::*;

/// One of every kind.
const EVERY: [&str; 44] = [
    "int4-tensor",
    "int2-channel",
    "int8-asym-channel",
    "int4-group32",
    "int3-asym-group32",
    "int4-tensor-sigma2.5",
    "int4-asym-channel-percentile99",
    "int4-channel-aciq-gauss",
    "int4-asym-tensor-aciq-laplace",
    "int3-asym-channel-aciq-auto",
    "int4-channel-octav",
    "int2-group32-octav",
    "int4-tensor-mse",
    "int4-group32-mse",
    "phase1-kurtosis-int4",
    "phase1-methodology-int4",
    "phase1-laaciq-int8",
    "nf4",
    "fp4-block32",
    "nf4-block64-double",
    "fp8-e4m3-tensor",
    "fp8-e5m2-channel",
    "mxfp4",
    "mxfp4-even",
    "mxfp6-e2m3-ceil",
    "mxfp8-e5m2-rceil",
    "mxint8",
    "mxint8-ceil",
    "nvfp4",
    "ternary-channel",
    "binary-channel",
    "candle-q4_0",
    "candle-q8_1",
    "candle-q6k",
    "gptq-int4-group32@eng",
    "gptq-actorder-int3-asym-channel@eng",
    "gptq-int4-tensor-mse@eng",
    "awq-int4-asym-group32@eng",
    "awq-int4-tensor@eng",
    "hqq-int4-group32",
    "smooth0.5-int8-channel-a8@eng",
    "llm-int8",
    "rotate-int4-channel",
    "rotate-keep1-int4-channel",
];

/// Moments of correlated inputs, the last of which is dead.
fn moments(columns: usize) -> InputMoments {
    let alive = |column: usize| f32::from(u8::from(column + 1 < columns.max(2)));
    let second = |index: usize| {
        let (i, j) = (index / columns, index % columns);
        alive(i) * alive(j) * 0.5_f32.powi(i.abs_diff(j) as i32)
    };
    InputMoments {
        tokens: 64,
        second: (0..columns * columns).map(second).collect(),
        mean_abs: (0..columns).map(|column| 0.8 * alive(column)).collect(),
        max_abs: (0..columns).map(|column| 3.0 * alive(column)).collect(),
    }
}

fn quantized(weights: &[f32], columns: usize, config: &str) -> Result<Quantized, QuantError> {
    let shape = MatrixShape { rows: weights.len() / columns, columns };
    let inputs = moments(columns);
    let context = WeightContext { group_kurtosis: Some(3.0), inputs: Some(&inputs), seed: 1 };
    quantize(weights, shape, &parse(config), &context)
}

#[test]
fn nothing_panics_and_nothing_is_infinite() {
    type Weight = fn(usize) -> f32;
    let kinds: [(&str, Weight); 11] = [
        ("zeros", |_| 0.0),
        ("negative zeros", |_| -0.0),
        ("equal", |_| 0.3),
        ("ties", |index| (index % 15) as f32 - 7.5),
        ("subnormal", |index| f32::from_bits(index as u32 % 97)),
        ("nearly subnormal", |index| (index as f32 - 40.0) * 1e-38),
        ("huge", |index| [f32::MAX, f32::MIN, 3e38, -1e38][index % 4]),
        ("large", |index| ((index * 7919) as f32).sin() * 1e37),
        ("one far", |index| if index == 3 { 1e30 } else { (index as f32).cos() * 1e-3 }),
        ("both ends", |index| if index % 5 == 0 { f32::MAX } else { f32::MIN_POSITIVE }),
        ("beyond f16", |index| (index as f32 - 31.0) * 1e4),
    ];
    for config in EVERY {
        for (rows, columns) in [(0, 32), (1, 1), (1, 31), (3, 33), (2, 32), (3, 96), (2, 256)] {
            for (kind, weight) in kinds {
                let weights: Vec<f32> = (0..rows * columns).map(weight).collect();
                let case = format!("{config} {rows} x {columns} {kind}");
                match quantized(&weights, columns, config) {
                    Ok(quantized) => {
                        assert_eq!(quantized.weights.len(), weights.len(), "{case}");
                        assert!(quantized.weights.iter().all(|value| value.is_finite()), "{case}");
                        assert!(quantized.bits_per_weight.is_finite(), "{case}");
                        let limits = quantized.groups.into_iter().flat_map(|groups| groups.limits);
                        assert!(limits.flatten().all(|limit| limit.is_finite()), "{case}");
                    }
                    Err(QuantError::Unsupported { .. }) => {}
                    Err(QuantError::NonFinite) => panic!("{case}"),
                }
            }
        }
    }
}

#[test]
fn any_number_of_threads_leaves_the_same_bits() {
    let mut generator = Generator { state: 5 };
    let weights: Vec<f32> = (0..300 * 256).map(|_| generator.heavy() as f32).collect();
    let pools = [1, 2, 7].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for config in EVERY {
        let [one, two, seven] =
            pools.each_ref().map(|pool| pool.install(|| quantized(&weights, 256, config)).unwrap());
        assert!(one == two && one == seven, "{config}");
    }
}

#[test]
fn moments_without_a_factor_leave_rounding_to_nearest() {
    let weights: Vec<f32> = (0..4 * 64).map(|index| (index as f32).sin()).collect();
    let mut inputs = moments(64);
    let shape = MatrixShape { rows: 4, columns: 64 };
    let gptq = |inputs: &InputMoments| {
        let context = WeightContext { group_kurtosis: None, inputs: Some(inputs), seed: 1 };
        quantize(&weights, shape, &parse("gptq-int4-group32@eng"), &context).unwrap()
    };
    assert_eq!(gptq(&inputs).fallback, None);
    // x₀ and x₁ more than collinear: no moments of anything.
    (inputs.second[1], inputs.second[64]) = (1.05, 1.05);
    assert_eq!(gptq(&inputs).fallback, Some(Fallback::Damped(0.1)));
    (inputs.second[1], inputs.second[64]) = (9.0, 9.0);
    let nearest = gptq(&inputs);
    assert_eq!(nearest.fallback, Some(Fallback::Nearest));
    assert_eq!(nearest.weights, run(&weights, 64, "int4-group32").unwrap());
    assert!(nearest.fallback.unwrap().to_string().starts_with("rounded to nearest"));
}
