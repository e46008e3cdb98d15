//! Test inputs that Python rebuilds exactly: the recipes of `tests/golden/statistics.json`. Only compiled for tests.

use half::{bf16, f16};
use serde_json::Value;

/// `tests/golden/statistics.json`.
pub(crate) fn file() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/statistics.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The golden array `name` as f32.
pub(crate) fn weights(file: &Value, name: &str) -> Vec<f32> {
    let recipes = file["weights"].as_array().unwrap();
    build(recipes.iter().find(|recipe| recipe["name"] == name).unwrap())
}

/// The array of a recipe: f64 draws, rounded to f32, then to its dtype.
pub(crate) fn build(recipe: &Value) -> Vec<f32> {
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let mut generator = Generator { state: recipe["seed"].as_u64().unwrap_or(0) };
    let count = recipe["n"].as_u64().unwrap();
    let mut values: Vec<f64> = match recipe["generator"].as_str().unwrap() {
        "listed" => numbers(&recipe["values"]),
        "heavy" => (0..count).map(|_| generator.heavy()).collect(),
        other => {
            assert_eq!(other, "gaussish");
            (0..count).map(|_| generator.gaussish()).collect()
        }
    };
    values.iter_mut().for_each(|value| *value += recipe["offset"].as_f64().unwrap_or(0.0));
    for pair in recipe["planted"].as_array().unwrap_or(&Vec::new()) {
        values[pair[0].as_u64().unwrap() as usize] = pair[1].as_f64().unwrap();
    }
    let round = |value: f64| match recipe["dtype"].as_str().unwrap() {
        "f16" => f16::from_f32(value as f32).to_f32(),
        "bf16" => bf16::from_f32(value as f32).to_f32(),
        _ => value as f32,
    };
    values.into_iter().map(round).collect()
}

/// A 64-bit linear congruential generator and two weight-like distributions.
pub(crate) struct Generator {
    /// Its state, at first the seed.
    pub(crate) state: u64,
}

impl Generator {
    /// Uniform in 0..1.
    pub(crate) fn draw(&mut self) -> f64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Heavy-tailed, |x| ≤ 0.25.
    pub(crate) fn heavy(&mut self) -> f64 {
        let t = 2.0 * self.draw() - 1.0;
        let t2 = t * t;
        ((t2 * t2) * t) * 0.25
    }

    /// Near-Gaussian, |x| ≤ 0.04.
    pub(crate) fn gaussish(&mut self) -> f64 {
        let [a, b, c, d] = std::array::from_fn(|_| self.draw());
        ((a + b) + (c + d) - 2.0) * 0.02
    }
}
