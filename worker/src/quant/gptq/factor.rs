//! The upper Cholesky factor of an inverse: U with (S + λ·mean(diag S)·I)⁻¹ = Uᵀ·U. In f64; not the rounding.

use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Mat, Par, Side};

/// Largest damping that is tried before the moments are given up.
const DAMPING_MAX: f64 = 1.0;

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
        let reversed = Mat::from_fn(n, n, |i, j| {
            let (i, j) = (order[n - 1 - i], order[n - 1 - j]);
            match i == j {
                true if power(i) == 0.0 => 1.0,
                true => power(i) + damping * mean,
                false => f64::from(second[i * n + j]),
            }
        });
        if let Ok(factor) = reversed.llt(Side::Lower) {
            let mut inverse = Mat::zeros(n, n);
            invert_lower_triangular(inverse.as_mut(), factor.L(), Par::Seq);
            let at = |index: usize| inverse[(n - 1 - index / n, n - 1 - index % n)] as f32;
            let upper: Vec<f32> = (0..n * n).map(at).collect();
            if upper.iter().all(|value| value.is_finite()) {
                return Some(Factor { upper, damping });
            }
        }
        if damping >= DAMPING_MAX {
            return None;
        }
        damping = (damping * 10.0).min(DAMPING_MAX);
    }
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
}
