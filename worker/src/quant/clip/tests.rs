//! Clipping rules against the reference study's values and against the densities that they are derived from.

use babelquant_proto::quant::{Grid as AnyGrid, QuantConfig, Rule};
use serde_json::Value;
use statrs::distribution::{Continuous, ContinuousCDF, Laplace, Normal};

use super::*;
use crate::quant::grid::Grid;
use crate::quant::tests::heavy42::{heavy42, study};

fn uniform(config: &str) -> Uniform {
    match config.parse() {
        Ok(QuantConfig::Weights(config)) => match config.rule {
            Rule::Nearest(AnyGrid::Uniform(uniform)) => uniform,
            other => panic!("{other} is not uniform"),
        },
        other => panic!("{other:?} is no config of weights"),
    }
}

fn clipping() -> Value {
    study()["clipping"].clone()
}

#[track_caller]
fn near(ours: f64, theirs: &Value, relative: f64) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= relative * theirs.abs(), "{ours}, not {theirs}");
}

#[test]
fn octav_settles_where_the_study_does() {
    let (weights, clipping) = (heavy42(), clipping());
    let range = Range::of(&weights).unwrap();
    let sigma = clipping["sigma_pop"].as_f64().unwrap();
    for bits in [3, 4, 8] {
        let s = octav::limit(range, Sample::of(&weights), uniform(&format!("int{bits}-tensor")));
        let golden = &clipping[format!("octav_{bits}b")];
        near(s, &golden["s"], 1e-9);
        near(s / sigma, &golden["s_over_sigma"], 1e-9);
    }
    // Two bits alternate between two values: the one of the smaller error is taken.
    let config = uniform("int2-tensor");
    let s = octav::limit(range, Sample::of(&weights), config);
    let visited = clipping["octav_2b"]["history"].as_array().unwrap();
    let [a, b] =
        [visited.len() - 2, visited.len() - 1].map(|index| visited[index].as_f64().unwrap());
    let error = |s: f64| {
        let cut = range.within(-s as f32, s as f32);
        square_error(cut, Sample::of(&weights), config).unwrap()
    };
    let better = if error(a) <= error(b) { a } else { b };
    assert!((s / better - 1.0).abs() < 1e-9, "{s} {a} {b}");
}

#[test]
fn the_search_ends_where_the_study_does() {
    let (weights, clipping) = (heavy42(), clipping());
    let full = Range::of(&weights).unwrap();
    for bits in [2, 3, 4, 8] {
        let config = uniform(&format!("int{bits}-tensor"));
        let found = least_squares::range(full, Sample::of(&weights), config);
        let golden = &clipping[format!("grid_mse_{bits}b_sym")];
        near((found.magnitude() / full.magnitude()).into(), &golden["p"], 1e-6);
        let error = square_error(found, Sample::of(&weights), config).unwrap();
        near(error / 256.0, &golden["mse"], 1e-6);
        // The published program's norm on the same ranges and grids.
        let error = |step: u32| -> f64 {
            let range = full.scaled((1.0 - f64::from(step) / 100.0) as f32);
            let grid = Grid::fit(config, range).unwrap();
            let term = |&w: &f32| f64::from(grid.nearest(w) - w).abs().powf(2.4);
            weights.iter().map(term).sum()
        };
        let least = (0..80).min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap();
        let golden = &clipping[format!("gptq_mse_grid_{bits}b_sym_norm2.4")];
        assert_eq!(u64::from(least), golden["i"].as_u64().unwrap());
        near(error(least), &golden["err"], 1e-5);
    }
}

#[test]
fn quantiles_are_those_of_numpy() {
    let (weights, clipping) = (heavy42(), clipping());
    near(
        percentile::of_magnitudes(Sample::of(&weights), 0.999),
        &clipping["pct_99.9_abs_linear"],
        1e-7,
    );
    near(
        percentile::of_magnitudes(Sample::of(&weights), 0.99),
        &clipping["pct_99_abs_linear"],
        1e-7,
    );
}

/// The mean square error of a grid up to ±`limit` under a symmetric density, by the midpoint rule.
fn expected_error(config: Uniform, limit: f64, density: &impl Continuous<f64, f64>) -> f64 {
    let grid = Grid::fit(config, Range { low: -limit as f32, high: limit as f32 }).unwrap();
    let step = 1.0 / 4096.0;
    let term = |k: u32| {
        let x = (f64::from(k) + 0.5) * step;
        (f64::from(grid.nearest(x as f32)) - x).powi(2) * density.pdf(x)
    };
    2.0 * step * (0..40 * 4096).map(term).sum::<f64>()
}

/// The clipping values at which symmetric grids have their least error under a density, in σ and in b, and that error.
const LEAST: [(u8, [f64; 2], [f64; 2]); 7] = [
    (2, [1.224006, 1.901740e-1], [2.000000, 5.284822e-1]),
    (3, [1.952309, 4.685997e-2], [3.486401, 1.661730e-1]),
    (4, [2.473879, 1.288939e-2], [4.819915, 5.479044e-2]),
    (5, [2.898728, 3.693220e-3], [6.098037, 1.817026e-2]),
    (6, [3.270115, 1.069289e-3], [7.358588, 5.959030e-3]),
    (7, [3.607461, 3.086218e-4], [8.617834, 1.919886e-3]),
    (8, [3.920500, 8.830803e-5], [9.882654, 6.066034e-4]),
];

#[test]
fn grids_lose_what_they_must_under_a_density() {
    let (gauss, laplace) = (Normal::new(0.0, 1.0).unwrap(), Laplace::new(0.0, 1.0).unwrap());
    for (bits, of_gauss, of_laplace) in LEAST {
        let config = uniform(&format!("int{bits}-tensor"));
        let check = |[limit, least]: [f64; 2], error: &dyn Fn(f64) -> f64| {
            let at = error(limit);
            assert!((at / least - 1.0).abs() < 1e-4, "{bits} bits: {at}, not {least}");
            assert!(error(0.98 * limit) > at && error(1.02 * limit) > at, "{bits} bits");
        };
        check(of_gauss, &|limit| expected_error(config, limit, &gauss));
        check(of_laplace, &|limit| expected_error(config, limit, &laplace));
    }
}

#[test]
fn the_search_finds_the_optimum_of_the_density_whatever_stands_apart() {
    const COUNT: u32 = 1 << 16;
    let laplace = Laplace::new(0.0, 1.0).unwrap();
    let inverse = |k: u32| laplace.inverse_cdf((f64::from(k) + 0.5) / f64::from(COUNT)) as f32;
    let mut weights: Vec<f32> = (0..COUNT).map(inverse).collect();
    for (bits, _, [limit, _]) in LEAST {
        let config = uniform(&format!("int{bits}-tensor"));
        for far in [inverse(0), -140.0] {
            weights[0] = far;
            let full = Range::of(&weights).unwrap();
            let error = |range| square_error(range, Sample::of(&weights), config).unwrap();
            let found = least_squares::range(full, Sample::of(&weights), config);
            let at = error(full.within(-limit as f32, limit as f32));
            assert!(error(found) <= 1.01 * at, "{bits} bits, {far}: {found:?} beside {limit}");
        }
    }
}

#[test]
fn a_rule_that_leaves_nothing_cuts_nothing() {
    for (weights, config) in [
        (vec![0.25; 64], "int4-tensor-sigma3"),
        (vec![-0.25; 64], "int4-asym-tensor-sigma3"),
        (vec![0.25; 64], "int4-tensor-aciq-auto"),
        ([vec![0.0; 99], vec![0.5]].concat(), "int4-tensor-percentile50"),
    ] {
        let range = Range::of(&weights).unwrap();
        assert_eq!(
            clipped(range, Sample::of(&weights), (uniform(config), Ends::Rule)),
            range,
            "{config}"
        );
    }
}
