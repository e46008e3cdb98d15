//! The range of least square error: the full range shrunk in steps of a hundredth, down to a fifth of it (the search of GPTQ's
//! `mse` option with norm 2 in place of 2.4).

use babelquant_proto::quant::Uniform;

use super::sums::{Terms, sums};
use crate::quant::grid::Grid;
use crate::quant::range::{Range, TASK_WEIGHTS};
use crate::quant::{QuantError, Sample};

/// Steps of the search; the first is the full range, and wins a tie.
const STEPS: u32 = 80;

/// The range, shrunk to where the grid's square error is smallest.
pub(super) fn range(full: Range, sample: Sample<'_>, config: Uniform) -> Range {
    let mut best = (f64::INFINITY, full);
    for step in 0..STEPS {
        let shrunk = full.scaled(1.0 - step as f32 / 100.0);
        let error = bounded_square_error(shrunk, sample, (config, best.0));
        if error < best.0 {
            best = (error, shrunk);
        }
    }
    best.1
}

/// Σ(ŵ − w)² on the grid over `range`.
pub(in crate::quant) fn square_error(
    range: Range,
    sample: Sample<'_>,
    config: Uniform,
) -> Result<f64, QuantError> {
    let [error] = sums(sample, &SquareError(Grid::fit(config, range)?));
    Ok(error)
}

/// Σ(ŵ − w)² on the grid over `range`; any number above `bound` once the sum is above it.
pub(super) fn bounded_square_error(
    range: Range,
    sample: Sample<'_>,
    (config, bound): (Uniform, f64),
) -> f64 {
    let Ok(grid) = Grid::fit(config, range) else { return f64::INFINITY };
    let mut total = 0.0;
    for part in sample.chunks(BOUND_WEIGHTS) {
        let [error] = sums(part, &SquareError(grid));
        total += error;
        if total > bound {
            return total;
        }
    }
    total
}

/// Weights between two looks at the bound.
const BOUND_WEIGHTS: usize = 8 * TASK_WEIGHTS;

/// (ŵ − w)².
struct SquareError(Grid);

impl Terms<1> for SquareError {
    #[inline(always)]
    fn of(&self, weight: f32) -> [f64; 1] {
        let error = f64::from(self.0.nearest(weight)) - f64::from(weight);
        [error * error]
    }
}
