//! Clipping rules on stored checkpoints of every family and dtype: each row is what quantizing the matrix gives.

use std::path::Path;

use babelquant_proto::quant::{Grid, QuantConfig, Rule, Uniform, WeightConfig};
use babelquant_proto::rows::ClippingRow;
use babelquant_worker::model::{Matrix, open};
use babelquant_worker::quant::{MatrixShape, WeightContext, quantize};
use babelquant_worker::{clipping_rows, weight_rows};

use crate::cases::cases;
use crate::golden::close;

const CONFIGS: [&str; 5] = [
    "int4-tensor",
    "int2-tensor-mse",
    "int8-tensor-octav",
    "int4-channel-aciq-auto",
    "int3-channel-percentile99.9",
];

fn weight_config(text: &str) -> WeightConfig {
    match text.parse() {
        Ok(QuantConfig::Weights(config)) => config,
        other => panic!("{text}: {other:?}"),
    }
}

fn uniform(config: &WeightConfig) -> Uniform {
    match config.rule {
        Rule::Nearest(Grid::Uniform(uniform)) => uniform,
        other => panic!("{other} is no uniform grid"),
    }
}

/// Mean square error of each config on a matrix, through the function that the sweep uses.
fn by_quantizing(weights: &[f32], matrix: &Matrix) -> Vec<f64> {
    let shape = MatrixShape { rows: matrix.rows(), columns: matrix.columns };
    let context = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };
    let error = |config: &str| {
        let quantized = quantize(weights, shape, &weight_config(config), &context).unwrap();
        let squares = quantized.weights.iter().zip(weights).map(|(a, b)| f64::from(a - b).powi(2));
        squares.sum::<f64>() / weights.len() as f64
    };
    CONFIGS.iter().map(|config| error(config)).collect()
}

fn check(case: &Path) {
    let configs = CONFIGS.map(|config| uniform(&weight_config(config)));
    let rows = clipping_rows(case, "m", &configs).unwrap();
    let statistics = weight_rows(case, "m").unwrap();
    let of = |row: &ClippingRow| {
        statistics.iter().find(|found| {
            found.layer == Some(row.layer)
                && found.stack.as_deref() == Some(row.stack.as_str())
                && (found.kind.as_str(), found.name.as_str())
                    == (row.kind.as_str(), row.name.as_str())
        })
    };
    for row in &rows {
        let found = of(row).unwrap();
        assert_eq!((row.weights, &row.reason), (found.count, &None), "{}", case.display());
        close(row.std.unwrap(), found.std.unwrap(), 1e-12, 0.0);
        close(row.kurtosis.unwrap(), found.kurtosis.unwrap(), 1e-9, 1e-9);
    }
    let (architecture, checkpoint) = open(case).unwrap();
    let mut rows = rows.chunks(CONFIGS.len());
    for layer in architecture.shape.stacked_layers() {
        let matrices = architecture.matrices(layer).iter();
        for matrix in matrices.filter(|matrix| matrix.is_mlp()) {
            let name = architecture.weight_name(layer, matrix);
            let weights = matrix.in_use(checkpoint.require(&name).unwrap().to_f32());
            let found = rows.next().unwrap();
            for (row, error) in found.iter().zip(by_quantizing(&weights, matrix)) {
                assert_eq!((row.layer, row.kind.as_str()), (layer.index, "tensor"));
                let variance = row.std.unwrap().powi(2);
                close(row.mse_over_variance.unwrap(), error / variance, 1e-6, 0.0);
            }
        }
        assert!(rows.next().unwrap().iter().all(|row| row.kind == "group"));
    }
    assert!(rows.next().is_none());
}

#[test]
fn rows_are_what_quantizing_gives() {
    cases().iter().for_each(|case| check(case));
}
