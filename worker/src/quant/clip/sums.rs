//! Sums over many weights in f64, in one order for any number of threads and any instruction set.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::quant::range::TASK_WEIGHTS;

/// Terms summed side by side; fixed, so that wider registers change nothing.
const LANES: usize = 8;

/// What is summed over the weights: N numbers each.
pub(super) trait Terms<const N: usize>: Sync {
    /// The terms of one weight; inlined where the instruction set is known.
    fn of(&self, weight: f32) -> [f64; N];
}

/// The sums of `terms` over `weights`.
pub(super) fn sums<const N: usize>(weights: &[f32], terms: &impl Terms<N>) -> [f64; N] {
    let arch = pulp::Arch::new();
    let task = |weights: &[f32]| arch.dispatch(Task { weights, terms });
    if weights.len() <= TASK_WEIGHTS {
        return task(weights);
    }
    let parts: Vec<[f64; N]> = weights.par_chunks(TASK_WEIGHTS).map(task).collect();
    parts.into_iter().fold([0.0; N], plus)
}

fn plus<const N: usize>(mut a: [f64; N], b: [f64; N]) -> [f64; N] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

/// One thread's part.
struct Task<'a, T: Terms<N>, const N: usize> {
    weights: &'a [f32],
    terms: &'a T,
}

impl<const N: usize, T: Terms<N>> WithSimd for Task<'_, T, N> {
    type Output = [f64; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; N] {
        let mut lanes = [[0.0; LANES]; N];
        let chunks = self.weights.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &weight) in chunk.iter().enumerate() {
                let terms = self.terms.of(weight);
                for (sums, term) in lanes.iter_mut().zip(terms) {
                    sums[lane] += term;
                }
            }
        }
        let mut total = lanes.map(|lanes| lanes.iter().sum());
        for &weight in rest {
            total = plus(total, self.terms.of(weight));
        }
        total
    }
}
