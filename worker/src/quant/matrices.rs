//! Products of dense matrices, the same bits for any number of threads: each call runs on one thread, and rows are split
//! into fixed blocks. Not a linear algebra: that is `faer`.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows that one task computes.
pub(super) const TASK_ROWS: usize = 64;

/// A row-major f32 matrix [rows, columns] as faer sees it.
pub(super) fn view(values: &[f32], columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, values.len() / columns.max(1), columns)
}

/// Each weight of a matrix combined with the number of its column.
pub(super) fn by_column(
    weights: &[f32],
    numbers: &[f32],
    combine: impl Fn(f32, f32) -> f32 + Sync,
) -> Vec<f32> {
    let mut output = vec![0.0; weights.len()];
    let columns = numbers.len().max(1);
    let rows = weights.par_chunks(columns).zip(output.par_chunks_mut(columns));
    rows.for_each(|(weights, output)| {
        for ((value, &weight), &number) in output.iter_mut().zip(weights).zip(numbers) {
            *value = combine(weight, number);
        }
    });
    output
}

/// `target` [rows, columns] += `factor`·left·right on this thread.
pub(super) fn add_product(
    target: MatMut<'_, f32>,
    (left, right): (MatRef<'_, f32>, MatRef<'_, f32>),
    factor: f32,
) {
    matmul(target, Accum::Add, left, right, factor, Par::Seq);
}

/// Columns of a symmetric matrix between two products; what stands below them counts twice.
const BLOCK_COLUMNS: usize = 512;

/// tr(D·S·Dᵀ) for D [rows, columns] and a symmetric S [columns, columns]: the mean square of the outputs D·x, summed over the
/// rows, where S is the mean of x·xᵀ.
pub(super) fn quadratic_form(difference: &[f32], second: &[f32], columns: usize) -> f64 {
    let second = view(second, columns);
    let task = |rows: &[f32]| -> f64 {
        let difference = view(rows, columns);
        let n = difference.nrows();
        let mut product = vec![0.0; rows.len()];
        let mut target = MatMut::from_row_major_slice_mut(&mut product, n, columns);
        for first in (0..columns).step_by(BLOCK_COLUMNS) {
            let end = columns.min(first + BLOCK_COLUMNS);
            let mut add = |from: usize, to: usize, factor: f32| {
                let target = target.as_mut().submatrix_mut(0, first, n, end - first);
                let left = difference.subcols(from, to - from);
                let right = second.submatrix(from, first, to - from, end - first);
                add_product(target, (left, right), factor);
            };
            add(first, end, 1.0);
            add(end, columns, 2.0);
        }
        rows.iter().zip(&product).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let parts: Vec<f64> = difference.par_chunks((TASK_ROWS * columns).max(1)).map(task).collect();
    parts.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_symmetric_matrix_is_enough() {
        let columns = 2 * BLOCK_COLUMNS + 3;
        let value = |index: usize| ((index * 7919) % 31) as f32 - 15.0;
        let second: Vec<f32> = (0..columns * columns)
            .map(|index| value((index / columns).abs_diff(index % columns)))
            .collect();
        let difference: Vec<f32> = (0..2 * columns).map(value).collect();
        let row = |row: &[f32]| -> f64 {
            let dot = |second: &[f32]| -> f64 {
                row.iter().zip(second).map(|(a, b)| f64::from(a * b)).sum()
            };
            row.iter()
                .zip(second.chunks(columns))
                .map(|(&a, second)| f64::from(a) * dot(second))
                .sum()
        };
        let expected: f64 = difference.chunks(columns).map(row).sum();
        let found = quadratic_form(&difference, &second, columns);
        assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");
    }
}
