//! HQQ (Badri and Shaji 2023): an asymmetric grid per group whose zero point is refined by half-quadratic steps, without data.
//!
//! q = clamp(rne(w·s + z), 0, 2^b − 1) with s = (2^b − 1)/(max − min), z = −min·s; then up to 20 times, for all groups together until the mean
//! of |w − (q − z)/s| no longer falls: e = shrink(w − (q − z)/s), z = mean of q − (w − e)·s, with shrink(x) = sign(x)·max(0, |x| −
//! |x|^(p−1)/β), p = 0.7, β = 10. In f32, sums in f64.

use babelquant_proto::quant::Bits;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::range::{Range, TASK_WEIGHTS};
use super::sums::{Terms, of_run};
use super::{Groups, MatrixShape, QuantError, Quantized};

/// Steps at most.
const STEPS: usize = 20;
/// p − 1 of the lp norm.
const EXPONENT: f32 = -0.3;
/// β.
const BETA: f32 = 10.0;
/// Below this magnitude shrink(x) is 0: |x|^1.3 < 1/10.
const SHRUNK_TO_ZERO: f32 = 0.17;
/// Bits of a stored scale and of a zero point.
const SCALE_BITS: f64 = 16.0;

/// A group's grid.
#[derive(Debug, Clone, Copy)]
struct Affine {
    scale: f32,
    zero: f32,
    top: f32,
}

impl Affine {
    fn of(group: &[f32], bits: Bits) -> Result<Self, QuantError> {
        let top = ((1_u32 << bits.get()) - 1) as f32;
        let low = group.iter().copied().fold(f32::INFINITY, f32::min);
        let high = group.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = if (high - low).abs() <= 1e-4 { 1.0 } else { top / (high - low) };
        let scale = scale.min(2e4);
        let grid = Self { scale, zero: -low * scale, top };
        QuantError::unless_finite(
            grid.value(0.0).abs().max(grid.value(top).abs()),
            high.max(-low),
        )?;
        Ok(grid)
    }

    #[inline(always)]
    fn code(self, weight: f32) -> f32 {
        (weight * self.scale + self.zero).round_ties_even().clamp(0.0, self.top)
    }

    #[inline(always)]
    fn value(self, code: f32) -> f32 {
        (code - self.zero) / self.scale
    }
}

/// The weights [out, in] in groups along a row.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    (bits, length): (Bits, usize),
) -> Result<Quantized, QuantError> {
    if !shape.columns.is_multiple_of(length) {
        let reason = format!("{length} does not divide a row of {} weights", shape.columns);
        return Err(QuantError::unsupported(reason));
    }
    Range::of(weights)?;
    let of_groups = weights.par_chunks(length).map(|group| Affine::of(group, bits));
    let mut grids = of_groups.collect::<Result<Vec<_>, _>>()?;
    let mut least = f64::INFINITY;
    for _ in 0..STEPS {
        let error = refine(weights, length, &mut grids);
        if error >= least {
            break;
        }
        least = error;
    }
    let mut output = vec![0.0; weights.len()];
    let arch = pulp::Arch::new();
    let groups = groups_of_task(length);
    let tasks = weights.par_chunks(groups * length).zip(output.par_chunks_mut(groups * length));
    tasks.zip(grids.par_chunks(groups)).for_each(|((weights, output), grids)| {
        arch.dispatch(Round { weights, output, length, grids });
    });
    let limits = grids.iter().map(|grid| [grid.value(0.0), grid.value(grid.top)]).collect();
    let groups = Groups { length, codes: 1 << bits.get(), limits };
    let bits_per_weight = f64::from(bits.get()) + 2.0 * SCALE_BITS / length as f64;
    Ok(Quantized::on_grids(output, bits_per_weight, groups))
}

fn groups_of_task(length: usize) -> usize {
    (TASK_WEIGHTS / length).max(1)
}

/// Refines every group's zero point; the mean of |w − ŵ| before that.
fn refine(weights: &[f32], length: usize, grids: &mut [Affine]) -> f64 {
    let arch = pulp::Arch::new();
    let groups = groups_of_task(length);
    let tasks = weights.par_chunks(groups * length).zip(grids.par_chunks_mut(groups));
    let errors: Vec<f64> =
        tasks.map(|(weights, grids)| arch.dispatch(Refine { weights, length, grids })).collect();
    errors.iter().sum::<f64>() / weights.len().max(1) as f64
}

/// Whole groups on one thread, compiled for each instruction set.
struct Refine<'a> {
    weights: &'a [f32],
    length: usize,
    grids: &'a mut [Affine],
}

impl WithSimd for Refine<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut total = 0.0;
        for (group, grid) in self.weights.chunks(self.length).zip(self.grids) {
            let near = Step { grid: *grid, shrink: |_| 0.0 };
            let [mut error, mut zero, far] = of_run(group, &near);
            if far > 0.0 {
                [error, zero, _] = of_run(group, &Step { grid: *grid, shrink: shrunk });
            }
            total += error;
            grid.zero = (zero / group.len() as f64) as f32;
        }
        total
    }
}

/// |w − ŵ|, q − (w − e)·s, and whether e may be other than 0.
struct Step<F> {
    grid: Affine,
    shrink: F,
}

impl<F: Fn(f32) -> f32 + Sync> Terms<3> for Step<F> {
    #[inline(always)]
    fn of(&self, weight: f32) -> [f64; 3] {
        let code = self.grid.code(weight);
        let difference = weight - self.grid.value(code);
        let target = code - (weight - (self.shrink)(difference)) * self.grid.scale;
        let far = f64::from(u8::from(difference.abs() >= SHRUNK_TO_ZERO));
        [f64::from(difference.abs()), f64::from(target), far]
    }
}

/// sign(x)·max(0, |x| − |x|^(p−1)/β); 0 at 0.
fn shrunk(x: f32) -> f32 {
    let magnitude = x.abs();
    if magnitude < SHRUNK_TO_ZERO {
        return 0.0;
    }
    (magnitude - magnitude.powf(EXPONENT) / BETA).max(0.0).copysign(x)
}

/// The nearest values, whole groups on one thread, compiled for each instruction set.
struct Round<'a> {
    weights: &'a [f32],
    output: &'a mut [f32],
    length: usize,
    grids: &'a [Affine],
}

impl WithSimd for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let groups = self.weights.chunks(self.length).zip(self.output.chunks_mut(self.length));
        for ((weights, output), grid) in groups.zip(self.grids) {
            for (value, weight) in output.iter_mut().zip(weights) {
                *value = grid.value(grid.code(*weight));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_are_shrunk_to_nothing() {
        let by_definition = |x: f32| (x - x.powf(EXPONENT) / BETA).max(0.0);
        for x in [1e-30, 0.01, 0.1, 0.169, 0.17, 0.1701] {
            assert_eq!(shrunk(x), by_definition(x), "{x}");
        }
        assert_eq!(shrunk(0.0), 0.0);
        assert_eq!(shrunk(-0.5), -by_definition(0.5));
    }
}
