//! HQQ (Badri and Shaji 2023): an asymmetric grid per group whose zero point is refined by half-quadratic steps, without data.
//!
//! q = clamp(rne(w·s + z), 0, 2^b − 1) with s = (2^b − 1)/(max − min), z = −min·s; then up to 20 times, for all groups together until the mean
//! of |w − (q − z)/s| no longer falls: e = shrink(w − (q − z)/s), z = mean of q − (w − e)·s, with shrink(x) = sign(x)·max(0, |x| −
//! |x|^(p−1)/β), p = 0.7, β = 10. In f32.

use babelquant_proto::quant::Bits;
use rayon::prelude::*;

use super::range::{Range, TASK_WEIGHTS};
use super::{Groups, MatrixShape, QuantError, Quantized};

/// Steps at most.
const STEPS: usize = 20;
/// p − 1 of the lp norm.
const EXPONENT: f32 = -0.3;
/// β.
const BETA: f32 = 10.0;
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
    fn of(group: &[f32], bits: Bits) -> Self {
        let top = ((1_u32 << bits.get()) - 1) as f32;
        let low = group.iter().copied().fold(f32::INFINITY, f32::min);
        let high = group.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = if (high - low).abs() <= 1e-4 { 1.0 } else { top / (high - low) };
        let scale = scale.min(2e4);
        Self { scale, zero: -low * scale, top }
    }

    fn code(self, weight: f32) -> f32 {
        (weight * self.scale + self.zero).round_ties_even().clamp(0.0, self.top)
    }

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
    let mut grids: Vec<Affine> =
        weights.par_chunks(length).map(|group| Affine::of(group, bits)).collect();
    let mut least = f64::INFINITY;
    for _ in 0..STEPS {
        let (refined, error) = step(weights, length, &grids);
        grids = refined;
        if error >= least {
            break;
        }
        least = error;
    }
    let values = |(group, grid): (&[f32], &Affine)| -> Vec<f32> {
        group.iter().map(|&weight| grid.value(grid.code(weight))).collect()
    };
    let output = weights.par_chunks(length).zip(&grids).map(values).collect::<Vec<_>>().concat();
    let limits = grids.iter().map(|grid| [grid.value(0.0), grid.value(grid.top)]).collect();
    let groups = Groups { length, codes: 1 << bits.get(), limits };
    let bits_per_weight = f64::from(bits.get()) + 2.0 * SCALE_BITS / length as f64;
    Ok(Quantized { weights: output, bits_per_weight, groups: Some(groups), input_divisor: None })
}

/// One step: every group's grid with its zero point refined, and the mean of |w − ŵ| before that.
fn step(weights: &[f32], length: usize, grids: &[Affine]) -> (Vec<Affine>, f64) {
    let groups = (TASK_WEIGHTS / length).max(1);
    let task = |(weights, grids): (&[f32], &[Affine])| {
        let refined: Vec<(Affine, f64)> =
            weights.chunks(length).zip(grids).map(|(group, grid)| refined(group, *grid)).collect();
        let error: f64 = refined.iter().map(|(_, error)| error).sum();
        (refined.into_iter().map(|(grid, _)| grid).collect::<Vec<_>>(), error)
    };
    let tasks = weights.par_chunks(groups * length).zip(grids.par_chunks(groups));
    let parts: Vec<(Vec<Affine>, f64)> = tasks.map(task).collect();
    let error: f64 = parts.iter().map(|(_, error)| error).sum();
    let grids = parts.into_iter().flat_map(|(grids, _)| grids).collect();
    (grids, error / weights.len().max(1) as f64)
}

/// The grid with its zero point refined, and Σ|w − ŵ| before that.
fn refined(group: &[f32], grid: Affine) -> (Affine, f64) {
    let (mut zero, mut error) = (0.0_f64, 0.0_f64);
    for &weight in group {
        let code = grid.code(weight);
        let difference = weight - grid.value(code);
        error += f64::from(difference.abs());
        zero += f64::from(code - (weight - shrunk(difference)) * grid.scale);
    }
    (Affine { zero: (zero / group.len() as f64) as f32, ..grid }, error)
}

/// sign(x)·max(0, |x| − |x|^(p−1)/β); 0 at 0.
fn shrunk(x: f32) -> f32 {
    let magnitude = x.abs();
    if magnitude == 0.0 {
        return 0.0;
    }
    (magnitude - magnitude.powf(EXPONENT) / BETA).max(0.0).copysign(x)
}
