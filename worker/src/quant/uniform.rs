//! Uniform quantization of a matrix: which weights share a grid, and the parallel walk over them. Not the grid itself.

use babelquant_proto::quant::{Clip, Granularity, Uniform};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::grid::Grid;
use super::range::{Range, TASK_WEIGHTS};
use super::{MatrixShape, QuantError};

/// The weights as they are, if they are finite.
pub(super) fn identity(weights: &[f32]) -> Result<Vec<f32>, QuantError> {
    Range::of(weights)?;
    Ok(weights.to_vec())
}

/// The weights [out, in] after rounding to the grids of `config`.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    config: Uniform,
) -> Result<Vec<f32>, QuantError> {
    let group = group_length(shape, config)?;
    let mut output = vec![0.0; weights.len()];
    if group > TASK_WEIGHTS {
        for (weights, output) in weights.chunks(group).zip(output.chunks_mut(group)) {
            long_group(weights, output, config)?;
        }
    } else if let Some(groups) = TASK_WEIGHTS.checked_div(group) {
        let task = groups * group;
        let tasks = weights.par_chunks(task).zip(output.par_chunks_mut(task));
        let arch = pulp::Arch::new();
        tasks.try_for_each(|(weights, output)| {
            arch.dispatch(ShortGroups { weights, output, group, config })
        })?;
    }
    Ok(output)
}

/// How many weights, side by side in row-major order, share a grid.
fn group_length(shape: MatrixShape, config: Uniform) -> Result<usize, QuantError> {
    match config.granularity {
        Granularity::Tensor => Ok(shape.rows * shape.columns),
        Granularity::Channel => Ok(shape.columns),
        Granularity::Group(length) if shape.columns.is_multiple_of(length.get() as usize) => {
            Ok(length.get() as usize)
        }
        Granularity::Group(length) => {
            let reason = format!("{length} does not divide a row of {} weights", shape.columns);
            Err(QuantError::Unsupported { config, reason })
        }
    }
}

/// One group, its own weights spread over the threads.
fn long_group(weights: &[f32], output: &mut [f32], config: Uniform) -> Result<(), QuantError> {
    let grid = Grid::fit(config, clipped(Range::of(weights)?, weights, config))?;
    let arch = pulp::Arch::new();
    let tasks = weights.par_chunks(TASK_WEIGHTS).zip(output.par_chunks_mut(TASK_WEIGHTS));
    tasks.for_each(|(weights, output)| arch.dispatch(Round { grid, weights, output }));
    Ok(())
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
    group: usize,
    config: Uniform,
}

impl WithSimd for ShortGroups<'_> {
    type Output = Result<(), QuantError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let groups =
            self.weights.chunks_exact(self.group).zip(self.output.chunks_exact_mut(self.group));
        for (weights, output) in groups {
            let range = clipped(Range::of_run(weights)?, weights, self.config);
            Grid::fit(self.config, range)?.round(weights, output);
        }
        Ok(())
    }
}

fn clipped(range: Range, weights: &[f32], config: Uniform) -> Range {
    match config.clip {
        Clip::AbsMax => range,
        Clip::Sigma(multiple) => range.clipped(weights, multiple.value()),
    }
}
