//! Quantizers on the two MLP matrices of a BLOOM-560M layer, 8.4 M weights: [4096, 1024] and [1024, 4096]. Calibrated rules after
//! their moments.
//!
//! ```text
//! cargo bench -p babelquant-worker --bench quant -- int4
//! ```

use std::hint::black_box;
use std::time::Duration;

use babelquant_proto::quant::{QuantConfig, WeightConfig};
use babelquant_worker::quant::{InputMoments, MatrixShape, WeightContext, quantize};
use criterion::{Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What the issue sets a bar for: 15 ms, 40 ms, 60 ms and 6 s on two cores.
const BARRED: [&str; 4] =
    ["int4-group128", "nf4-block64", "int4-group128-octav", "gptq-int4-group128@eng"];
/// The rest, for information.
const FURTHER: [&str; 22] = [
    "int4-channel",
    "int4-tensor",
    "int4-asym-group128",
    "int4-channel-octav",
    "int4-tensor-octav",
    "int4-group128-mse",
    "int4-channel-percentile99.9",
    "int4-channel-aciq-auto",
    "fp4-block64",
    "nf4-block64-double",
    "fp8-e4m3-tensor",
    "fp8-e5m2-channel",
    "mxfp4",
    "mxint8-rceil",
    "nvfp4",
    "ternary-channel",
    "candle-q4_0",
    "candle-q4k",
    "keep1-int4-group128",
    "rotate-int4-group128",
    "hqq-int4-group64",
    "smooth0.5-int8-channel-a8@eng",
];
/// Those that take seconds.
const SLOW: [&str; 3] =
    ["gptq-actorder-int4-group128@eng", "gptq-int4-asym-channel@eng", "awq-int4-asym-group128@eng"];

const SHAPES: [MatrixShape; 2] =
    [MatrixShape { rows: 4096, columns: 1024 }, MatrixShape { rows: 1024, columns: 4096 }];

/// A matrix and what is known of its inputs.
struct Matrix {
    shape: MatrixShape,
    weights: Vec<f32>,
    inputs: InputMoments,
}

impl Matrix {
    /// Near-Gaussian weights with some far out, and inputs correlated with their neighbours.
    fn new(shape: MatrixShape) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(shape.columns as u64);
        let mut uniform = || random.next_u32() as f32 / 4_294_967_296.0 - 0.5;
        let mut weight = || {
            let near = (0..4).map(|_| uniform()).sum::<f32>() * 0.03;
            if uniform() > 0.499 { 8.0 * near } else { near }
        };
        let weights = (0..shape.rows * shape.columns).map(|_| weight()).collect();
        Self { shape, weights, inputs: moments(shape.columns) }
    }

    fn quantize(&self, config: &WeightConfig) -> Vec<f32> {
        let inputs = config.rule.is_calibrated().then_some(&self.inputs);
        let context = WeightContext { group_kurtosis: None, inputs, seed: 1 };
        let quantized = quantize(black_box(&self.weights), self.shape, config, &context);
        quantized.expect("every config fits these shapes").weights
    }
}

/// Moments with S_ij = σ_i·σ_j·0.9^|i−j|.
fn moments(columns: usize) -> InputMoments {
    let sigma = |column: usize| 0.5 + (column % 17) as f32 / 8.0;
    let correlation: Vec<f32> = (0..columns).map(|apart| 0.9_f32.powi(apart as i32)).collect();
    let second = |index: usize| {
        let (i, j) = (index / columns, index % columns);
        sigma(i) * sigma(j) * correlation[i.abs_diff(j)]
    };
    InputMoments {
        tokens: 65536,
        second: (0..columns * columns).map(second).collect(),
        mean_abs: (0..columns).map(|column| 0.8 * sigma(column)).collect(),
        max_abs: (0..columns).map(|column| 4.0 * sigma(column)).collect(),
    }
}

fn layer(criterion: &mut Criterion) {
    let matrices = SHAPES.map(Matrix::new);
    for config in BARRED.into_iter().chain(FURTHER).chain(SLOW) {
        let QuantConfig::Weights(parsed) = config.parse().expect("a config") else { continue };
        criterion.bench_function(config, |bencher| {
            bencher.iter(|| matrices.each_ref().map(|matrix| matrix.quantize(&parsed)));
        });
    }
}

criterion_group! {
    name = quant;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = layer
}
criterion_main!(quant);
