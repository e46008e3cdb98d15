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

/// tr(D·S·Dᵀ) for D [rows, columns] and a symmetric S [columns, columns]: the mean square of the outputs D·x, summed over the
/// rows, where S is the mean of x·xᵀ.
pub(super) fn quadratic_form(difference: &[f32], second: &[f32], columns: usize) -> f64 {
    let second = view(second, columns);
    let task = |rows: &[f32]| -> f64 {
        let mut product = vec![0.0; rows.len()];
        let target =
            MatMut::from_row_major_slice_mut(&mut product, rows.len() / columns.max(1), columns);
        add_product(target, (view(rows, columns), second), 1.0);
        rows.iter().zip(&product).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let parts: Vec<f64> = difference.par_chunks(TASK_ROWS * columns).map(task).collect();
    parts.into_iter().sum()
}
