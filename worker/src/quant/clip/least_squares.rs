//! The range of least square error: the full range shrunk in steps of a hundredth, down to a fifth of it (the search of GPTQ's
//! `mse` option with norm 2 in place of 2.4). While the last step is still far from the bulk of the weights, the search goes on from
//! there: one far weight can make the full range a hundred times as wide as the best one.

use babelquant_proto::quant::Uniform;

use crate::quant::grid::Grid;
use crate::quant::range::{Range, TASK_WEIGHTS};
use crate::quant::sums::{Terms, sums};
use crate::quant::{QuantError, Sample};

/// Steps of the search; the first is the full range, and wins a tie.
const STEPS: u32 = 80;
/// No optimum lies below so many mean magnitudes, but where the full range itself does: with two bits it is at 1.53 of a Gaussian.
const BULK: f64 = 1.5;

/// The range, shrunk to where the grid's square error is smallest.
pub(super) fn range(full: Range, sample: Sample<'_>, config: Uniform) -> Range {
    let [magnitudes] = sums(sample, &Magnitude);
    let bulk = BULK * magnitudes / sample.len().max(1) as f64;
    let mut best = (f64::INFINITY, full);
    let mut start = full;
    loop {
        let mut last = start;
        for step in 0..STEPS {
            last = start.scaled((1.0 - f64::from(step) / 100.0) as f32);
            let error = bounded_square_error(last, sample, (config, best.0));
            if error < best.0 {
                best = (error, last);
            }
        }
        if f64::from(last.magnitude()) <= bulk {
            return best.1;
        }
        start = last;
    }
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

/// |w|.
struct Magnitude;

impl Terms<1> for Magnitude {
    #[inline(always)]
    fn of(&self, weight: f32) -> [f64; 1] {
        [f64::from(weight.abs())]
    }
}

/// (ŵ − w)².
struct SquareError(Grid);

impl Terms<1> for SquareError {
    #[inline(always)]
    fn of(&self, weight: f32) -> [f64; 1] {
        let error = f64::from(self.0.nearest(weight)) - f64::from(weight);
        [error * error]
    }
}
