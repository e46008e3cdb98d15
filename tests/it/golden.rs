//! Golden files made by `tests/reference`: where they are and how they are read.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

/// The folder of golden files.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// A JSON file.
pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// An array of numbers.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// ‖a − b‖ / ‖b‖ in f64.
pub(crate) fn relative_frobenius(a: &Tensor, b: &Tensor) -> f64 {
    let wide = |t: &Tensor| -> Vec<f64> {
        t.to_device(&Device::Cpu)
            .unwrap()
            .to_dtype(DType::F64)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap()
    };
    let (a, b) = (wide(a), wide(b));
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
    (difference / b.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

/// Fails where `ours` is further from `theirs` than `relative` of it, or than `absolute`.
#[track_caller]
pub(crate) fn close(ours: f64, theirs: f64, relative: f64, absolute: f64) {
    let bound = (relative * theirs.abs()).max(absolute);
    assert!((ours - theirs).abs() <= bound, "{ours} instead of {theirs}");
}
