//! The upper Cholesky factor of an inverse: U with (S + λ·mean(diag S)·I)⁻¹ = Uᵀ·U. In f64; not the rounding.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// Largest damping that is tried before the moments are given up.
const DAMPING_MAX: f64 = 1.0;
/// Columns that one task computes, on one thread: the bits do not depend on the number of threads.
const TASK_COLUMNS: usize = 128;

/// A factor and the damping under which it exists.
#[derive(Debug)]
pub(super) struct Factor {
    /// U [columns, columns] in f32, row-major.
    pub(super) upper: Vec<f32>,
    /// λ.
    pub(super) damping: f64,
}

/// U of the second moments S [columns, columns] taken in `order`. A column without inputs gets 1 on the diagonal, which changes no
/// other column, and has no part in the mean. Where S + λ·… is not positive definite, λ is raised tenfold, up to 1; `None` if that is
/// not enough.
///
/// With J the reversal, J·S·J = L·Lᵀ gives S = R·Rᵀ for the upper R = J·L·J, hence S⁻¹ = (R⁻¹)ᵀ·R⁻¹ and U = J·L⁻¹·J: one factor and one
/// triangular inverse instead of an inverse between two factors.
pub(super) fn upper_factor(second: &[f32], order: &[usize], damping: f64) -> Option<Factor> {
    let n = order.len();
    let power = |column: usize| f64::from(second[column * (n + 1)]);
    let mean = order.iter().map(|&column| power(column)).sum::<f64>() / n.max(1) as f64;
    let mut damping = damping;
    loop {
        // S is symmetric: a column of it is read as a row.
        let mut reversed = Mat::from_fn(n, n, |i, j| {
            let (i, j) = (order[n - 1 - i], order[n - 1 - j]);
            match i == j {
                true if power(i) == 0.0 => 1.0,
                true => power(i) + damping * mean,
                false => f64::from(second[j * n + i]),
            }
        });
        if factorize(reversed.as_mut()).is_some() {
            let upper = reversed_inverse(reversed.as_ref());
            if upper.par_iter().all(|value| value.is_finite()) {
                return Some(Factor { upper, damping });
            }
        }
        if damping >= DAMPING_MAX {
            return None;
        }
        damping = (damping * 10.0).min(DAMPING_MAX);
    }
}

/// Puts L in the lower triangle of the symmetric L·Lᵀ; what stands above the diagonal means nothing. `None` where the matrix is not
/// positive definite.
fn factorize(mut matrix: MatMut<'_, f64>) -> Option<()> {
    let n = matrix.nrows();
    for first in (0..n).step_by(TASK_COLUMNS) {
        let width = TASK_COLUMNS.min(n - first);
        let rest = matrix.as_mut().submatrix_mut(first, first, n - first, n - first);
        let (mut diagonal, _, mut below, behind) = rest.split_at_mut(width, width);
        diagonal.copy_from(diagonal.as_ref().llt(Side::Lower).ok()?.L());
        let factor = diagonal.as_ref();
        tasks(below.as_mut().transpose_mut()).into_par_iter().for_each(|columns| {
            solve_lower_triangular_in_place(factor, columns, Par::Seq);
        });
        let below = below.as_ref();
        tasks(behind).into_par_iter().enumerate().for_each(|(task, columns)| {
            let first = task * TASK_COLUMNS;
            let (_, target) = columns.split_at_row_mut(first);
            let left = below.subrows(first, target.nrows());
            let right = below.subrows(first, target.ncols()).transpose();
            matmul(target, Accum::Add, left, right, -1.0, Par::Seq);
        });
    }
    Some(())
}

/// The matrix by columns for one task each.
fn tasks(mut matrix: MatMut<'_, f64>) -> Vec<MatMut<'_, f64>> {
    let mut tasks = Vec::new();
    while matrix.ncols() > 0 {
        let width = TASK_COLUMNS.min(matrix.ncols());
        let (task, rest) = matrix.split_at_col_mut(width);
        tasks.push(task);
        matrix = rest;
    }
    tasks
}

/// J·L⁻¹·J, row-major: row i is column n − 1 − i of V = (L⁻¹)ᵀ from its diagonal upwards, and Lᵀ·V = I.
fn reversed_inverse(lower: MatRef<'_, f64>) -> Vec<f32> {
    let n = lower.nrows();
    let mut output = vec![0.0; n * n];
    let tasks = output.par_chunks_mut((TASK_COLUMNS * n).max(1)).enumerate();
    tasks.for_each(|(task, rows)| {
        let end = n - task * TASK_COLUMNS;
        let first = end - rows.len() / n;
        let mut columns =
            Mat::from_fn(end, end - first, |i, j| f64::from(u8::from(i == first + j)));
        let upper = lower.submatrix(0, 0, end, end).transpose();
        solve_upper_triangular_in_place(upper, columns.as_mut(), Par::Seq);
        for (row, column) in rows.chunks_mut(n).zip((first..end).rev()) {
            let values = columns.col(column - first);
            let above = (0..=column).rev().map(|i| values[i] as f32);
            row[n - 1 - column..].iter_mut().zip(above).for_each(|(value, from)| *value = from);
        }
    });
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_that_of_the_inverse() {
        let second = [4.0, 1.0, 0.5, 1.0, 3.0, 0.25, 0.5, 0.25, 2.0];
        let order = [2, 0, 1];
        let upper = upper_factor(&second, &order, 0.0).unwrap().upper;
        // Uᵀ·U·S is the identity.
        for i in 0..3 {
            for j in 0..3 {
                let inverse = |a: usize, b: usize| -> f32 {
                    (0..3).map(|k| upper[k * 3 + a] * upper[k * 3 + b]).sum()
                };
                let product: f32 =
                    (0..3).map(|k| inverse(i, k) * second[order[k] * 3 + order[j]]).sum();
                assert!((product - f32::from(u8::from(i == j))).abs() < 1e-5, "{i} {j} {product}");
            }
        }
        assert!(upper[3] == 0.0 && upper[6] == 0.0 && upper[7] == 0.0);
    }

    #[test]
    fn singular_moments_are_damped() {
        let damping = |second: &[f32], damping| {
            upper_factor(second, &[0, 1], damping).map(|factor| factor.damping)
        };
        assert_eq!(damping(&[1.0; 4], 0.001), Some(0.001));
        assert_eq!(damping(&[0.0; 4], 0.01), Some(0.01));
        // Eigenvalues −0.05 and 2.05: 0.01 is too little, 0.1 is enough.
        assert_eq!(damping(&[1.0, 1.05, 1.05, 1.0], 0.01), Some(0.1));
        assert_eq!(damping(&[1.0, 5.0, 5.0, 1.0], 0.01), None);
        assert_eq!(damping(&[f32::NAN; 4], 0.01), None);
        assert!(upper_factor(&[], &[], 0.01).is_some());
    }

    #[test]
    fn a_column_without_inputs_changes_no_other() {
        let with = upper_factor(&[2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 3.0], &[0, 1, 2], 0.0);
        let without = upper_factor(&[2.0, 1.0, 1.0, 3.0], &[0, 1], 0.0);
        let (with, without) = (with.unwrap().upper, without.unwrap().upper);
        assert_eq!([with[0], with[2], with[8]], [without[0], without[1], without[3]]);
        assert_eq!([with[1], with[4], with[5]], [0.0, 1.0, 0.0]);
    }

    #[test]
    fn blocks_make_one_factor_for_any_number_of_threads() {
        let n = 2 * TASK_COLUMNS + 37;
        let second: Vec<f32> = (0..n * n)
            .map(|index| {
                let (i, j) = (index / n, index % n);
                0.9_f32.powi(i.abs_diff(j) as i32) * ((1 + i % 5) * (1 + j % 5)) as f32
            })
            .collect();
        let order: Vec<usize> = (0..n).rev().collect();
        let [one, seven] = [1, 7].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| upper_factor(&second, &order, 1.0).unwrap().upper)
        });
        assert!(one == seven);
        let mean = (0..n).map(|i| f64::from(second[i * (n + 1)])).sum::<f64>() / n as f64;
        let damped = Mat::from_fn(n, n, |i, j| {
            let value = f64::from(second[order[j] * n + order[i]]);
            if i == j { value + mean } else { value }
        });
        let upper = Mat::from_fn(n, n, |i, j| f64::from(one[i * n + j]));
        let identity = upper.transpose() * &upper * damped;
        let off = |i: usize, j: usize| (identity[(i, j)] - f64::from(u8::from(i == j))).abs();
        assert!((0..n * n).all(|index| off(index / n, index % n) < 1e-4));
    }
}
