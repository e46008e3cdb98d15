//! Uniform quantization of a matrix: which weights share a grid, and the parallel walk over them. Not the grid itself.

use babelquant_proto::quant::{Granularity, Uniform};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::clip::{Ends, clipped};
use super::grid::Grid;
use super::range::{Range, TASK_WEIGHTS};
use super::{Groups, MatrixShape, QuantError, Quantized, Sample};

/// The weights [out, in] after rounding to the grids of `config`.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    (config, ends): (Uniform, Ends),
) -> Result<Quantized, QuantError> {
    let length = group_length(shape, config)?;
    let mut output = vec![0.0; weights.len()];
    let mut limits = vec![[0.0; 2]; weights.len().checked_div(length).unwrap_or(0)];
    if length > TASK_WEIGHTS {
        let groups = weights.chunks(length).zip(output.chunks_mut(length));
        for ((weights, output), limits) in groups.zip(&mut limits) {
            *limits = long_group(weights, output, (config, ends))?;
        }
    } else if let Some(groups) = TASK_WEIGHTS.checked_div(length) {
        let task = groups * length;
        let tasks = weights.par_chunks(task).zip(output.par_chunks_mut(task));
        let arch = pulp::Arch::new();
        tasks.zip(limits.par_chunks_mut(groups)).try_for_each(|((weights, output), limits)| {
            arch.dispatch(ShortGroups { weights, output, limits, length, place: (config, ends) })
        })?;
    }
    let groups = Groups { length, codes: Grid::codes(config), limits };
    Ok(Quantized::on_grids(output, Grid::bits_per_weight(config, length), groups))
}

/// How many weights, side by side in row-major order, share a grid.
pub(super) fn group_length(shape: MatrixShape, config: Uniform) -> Result<usize, QuantError> {
    match config.granularity {
        Granularity::Tensor => Ok(shape.rows * shape.columns),
        Granularity::Channel => Ok(shape.columns),
        Granularity::Group(length) if shape.columns.is_multiple_of(length.get() as usize) => {
            Ok(length.get() as usize)
        }
        Granularity::Group(length) => {
            let reason = format!("{length} does not divide a row of {} weights", shape.columns);
            Err(QuantError::unsupported(reason))
        }
    }
}

/// One group, its own weights spread over the threads; its limits.
fn long_group(
    weights: &[f32],
    output: &mut [f32],
    (config, ends): (Uniform, Ends),
) -> Result<[f32; 2], QuantError> {
    let range = clipped(Range::of(weights)?, Sample::of(weights), (config, ends));
    let grid = Grid::fit(config, range)?;
    let arch = pulp::Arch::new();
    let tasks = weights.par_chunks(TASK_WEIGHTS).zip(output.par_chunks_mut(TASK_WEIGHTS));
    tasks.for_each(|(weights, output)| arch.dispatch(Round { grid, weights, output }));
    Ok(Grid::limits(config, range))
}

/// `Grid::round`, compiled for each instruction set.
struct Round<'a> {
    grid: Grid,
    weights: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.grid.round(self.weights, self.output);
    }
}

/// Whole groups on one thread, compiled for each instruction set.
struct ShortGroups<'a> {
    weights: &'a [f32],
    output: &'a mut [f32],
    limits: &'a mut [[f32; 2]],
    length: usize,
    place: (Uniform, Ends),
}

impl WithSimd for ShortGroups<'_> {
    type Output = Result<(), QuantError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let config = self.place.0;
        let groups =
            self.weights.chunks_exact(self.length).zip(self.output.chunks_exact_mut(self.length));
        for ((weights, output), limits) in groups.zip(self.limits) {
            let range = clipped(Range::of_run(weights)?, Sample::of(weights), self.place);
            *limits = Grid::limits(config, range);
            Grid::fit(config, range)?.round(weights, output);
        }
        Ok(())
    }
}
