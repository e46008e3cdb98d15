//! AWQ (Lin et al. 2023): columns are multiplied by a power of their inputs' magnitude before rounding and divided by it after, so that
//! columns with large inputs keep more; then the ends of each group are searched.
//!
//! s = 1, or x̄^r / (w̄^(1−r) + 10⁻⁴), x̄ = mean|x|, w̄ = mean over rows of |w| / max|group|, r = 0, 0.05 … 0.95 by least output error
//! tr(D·S·Dᵀ), D = W − Q(W·s)/s. Beside the published program: s = 1 is tried too, each stored matrix searches by itself, the error of the outputs is exact (from
//! the second moments, not from samples), and the ends are searched in every matrix, both ends of an asymmetric grid together.

use std::iter;

use babelquant_proto::quant::Uniform;
use faer::MatMut;
use rayon::prelude::*;

use super::clip::Ends;
use super::grid::Grid;
use super::matrices::{TASK_ROWS, add_product, by_column, quadratic_form, view};
use super::range::Range;
use super::uniform::{group_length, quantize as to_nearest};
use super::{InputMoments, MatrixShape, QuantError, Quantized};

/// Powers that are tried: k/20.
const RATIOS: u32 = 20;
/// Ends that are tried: 1 − k/20 of the range, down to 0.55.
const SHRINKS: u32 = 10;
/// Keeps scales away from 0.
const SMALLEST: f32 = 1e-4;

fn twentieth(k: u32) -> f64 {
    f64::from(k) / f64::from(RATIOS)
}

/// The weights [out, in] rounded for `inputs`.
pub(super) fn quantize(
    weights: &[f32],
    shape: MatrixShape,
    grid: Uniform,
    inputs: &InputMoments,
) -> Result<Quantized, QuantError> {
    let place = (grid, Ends::Rule);
    let length = group_length(shape, grid)?;
    let relative = relative_weights(weights, shape, length.min(shape.columns));
    let mut best: Option<(f64, Vec<f32>)> = None;
    let ratios = (0..RATIOS).map(twentieth);
    let tried = ratios.map(|ratio| scales(inputs, &relative, ratio as f32));
    for scales in iter::once(vec![1.0; shape.columns]).chain(tried) {
        let scaled = by_column(weights, &scales, |weight, scale| weight * scale);
        let rounded = to_nearest(&scaled, shape, place)?.weights;
        let restored = by_column(&rounded, &scales, |weight, scale| weight / scale);
        let difference: Vec<f32> = weights.iter().zip(&restored).map(|(w, q)| w - q).collect();
        let error = quadratic_form(&difference, &inputs.second, shape.columns);
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, scales));
        }
    }
    let scales = best.map_or_else(|| vec![1.0; shape.columns], |(_, scales)| scales);
    let scaled = by_column(weights, &scales, |weight, scale| weight * scale);
    let rounded = match length > shape.columns {
        true => to_nearest(&scaled, shape, place)?.weights,
        false => {
            let moments = scaled_moments(inputs, &scales);
            within_searched_ends(&scaled, (shape, length), grid, &moments)?
        }
    };
    let weights = by_column(&rounded, &scales, |weight, scale| weight / scale);
    let bits_per_weight = Grid::bits_per_weight(grid, length) + 16.0 / shape.rows.max(1) as f64;
    Ok(Quantized::of(weights, bits_per_weight))
}

/// w̄: for each column the mean over rows of |w| over the largest magnitude of its group.
fn relative_weights(weights: &[f32], shape: MatrixShape, length: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; shape.columns];
    for row in weights.chunks(shape.columns.max(1)) {
        for (group, sums) in row.chunks(length).zip(sums.chunks_mut(length)) {
            let largest = group.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            for (sum, weight) in sums.iter_mut().zip(group) {
                *sum += f64::from(weight.abs() / (largest + 1e-6));
            }
        }
    }
    sums.into_iter().map(|sum| (sum / shape.rows.max(1) as f64) as f32).collect()
}

/// s for a ratio, over the geometric mean of its extremes; 1 where it is not finite.
fn scales(inputs: &InputMoments, relative: &[f32], ratio: f32) -> Vec<f32> {
    let one =
        |(x, w): (&f32, &f32)| (x.powf(ratio) / (w.powf(1.0 - ratio) + SMALLEST)).max(SMALLEST);
    let scales: Vec<f32> = inputs.mean_abs.iter().zip(relative).map(one).collect();
    let largest = scales.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let smallest = scales.iter().copied().fold(f32::MAX, f32::min);
    let middle = (largest * smallest).sqrt();
    let centred = scales.iter().map(|scale| scale / middle);
    centred.map(|scale| if scale.is_finite() && scale > 0.0 { scale } else { 1.0 }).collect()
}

/// S of inputs that are divided by the scales.
fn scaled_moments(inputs: &InputMoments, scales: &[f32]) -> Vec<f32> {
    let columns = scales.len();
    let one =
        |(index, value): (usize, &f32)| value / (scales[index / columns] * scales[index % columns]);
    inputs.second.iter().enumerate().map(one).collect()
}

/// Rounds each group on the grid whose ends, a share of its range, give the least eᵀ·S_g·e, with S_g the group's own block of the moments.
fn within_searched_ends(
    weights: &[f32],
    (shape, length): (MatrixShape, usize),
    grid: Uniform,
    second: &[f32],
) -> Result<Vec<f32>, QuantError> {
    let columns = shape.columns;
    let mut output = vec![0.0; weights.len()];
    let task = TASK_ROWS * columns;
    let tasks = weights.par_chunks(task).zip(output.par_chunks_mut(task));
    tasks.try_for_each(|(weights, output)| {
        for first in (0..columns).step_by(length) {
            let block = view(second, columns).submatrix(first, first, length, length);
            let mut least = vec![f64::INFINITY; weights.len() / columns];
            for shrink in 0..SHRINKS {
                let share = (1.0 - twentieth(shrink)) as f32;
                let rounded = group_rounded(weights, (columns, first, length), grid, share)?;
                let errors = group_errors(weights, (columns, first, length), &rounded, block);
                keep_better(output, (columns, first, length), (&rounded, &errors), &mut least);
            }
        }
        Ok(())
    })?;
    Ok(output)
}

/// Takes over the group of every row whose error is less than its least one so far.
fn keep_better(
    output: &mut [f32],
    (columns, first, length): (usize, usize, usize),
    (rounded, errors): (&[f32], &[f64]),
    least: &mut [f64],
) {
    let rows = output.chunks_mut(columns).zip(rounded.chunks(length)).zip(errors.iter().zip(least));
    for ((row, rounded), (&error, least)) in rows.filter(|(_, (error, least))| *error < least) {
        *least = error;
        row[first..first + length].copy_from_slice(rounded);
    }
}

/// One group of every row on a grid over `share` of its range, [rows, length].
fn group_rounded(
    weights: &[f32],
    (columns, first, length): (usize, usize, usize),
    grid: Uniform,
    share: f32,
) -> Result<Vec<f32>, QuantError> {
    let mut rounded = vec![0.0; weights.len() / columns * length];
    for (row, output) in weights.chunks(columns).zip(rounded.chunks_mut(length)) {
        let group = &row[first..first + length];
        Grid::fit(grid, Range::of_run(group)?.scaled(share))?.round(group, output);
    }
    Ok(rounded)
}

/// eᵀ·S_g·e of one group of every row.
fn group_errors(
    weights: &[f32],
    (columns, first, length): (usize, usize, usize),
    rounded: &[f32],
    block: faer::MatRef<'_, f32>,
) -> Vec<f64> {
    let rows = weights.len() / columns;
    let group = |row: usize| &weights[row * columns + first..row * columns + first + length];
    let errors: Vec<f32> = (0..rows)
        .flat_map(|row| {
            group(row).iter().zip(&rounded[row * length..]).map(|(weight, value)| weight - value)
        })
        .collect();
    let mut product = vec![0.0; errors.len()];
    let target = MatMut::from_row_major_slice_mut(&mut product, rows, length);
    add_product(target, (view(&errors, length), block), 1.0);
    let pairs = errors.chunks(length).zip(product.chunks(length));
    let dot = |(a, b): (&[f32], &[f32])| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    pairs.map(dot).collect()
}
