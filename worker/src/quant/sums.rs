//! Sums over many weights in f64, in one order for any number of threads and any instruction set.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Sample;
use super::range::TASK_WEIGHTS;

/// Terms summed side by side; fixed, so that wider registers change nothing.
const LANES: usize = 8;

/// What is summed over the weights: N numbers each.
pub(super) trait Terms<const N: usize>: Sync {
    /// The terms of one weight; inlined where the instruction set is known.
    fn of(&self, weight: f32) -> [f64; N];
}

/// The sums of `terms` over the weights.
pub(super) fn sums<const N: usize>(sample: Sample<'_>, terms: &impl Terms<N>) -> [f64; N] {
    let arch = pulp::Arch::new();
    let task = |sample: Sample<'_>| match sample.counts() {
        None => arch.dispatch(OfRun { weights: sample.values(), terms }),
        Some(counts) => arch.dispatch(Counted { values: sample.values(), counts, terms }),
    };
    if sample.values().len() <= TASK_WEIGHTS {
        return task(sample);
    }
    let parts: Vec<Sample<'_>> = sample.chunks(TASK_WEIGHTS).collect();
    let parts: Vec<[f64; N]> = parts.into_par_iter().map(task).collect();
    parts.into_iter().fold([0.0; N], plus)
}

fn plus<const N: usize>(mut a: [f64; N], b: [f64; N]) -> [f64; N] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

/// The sums over a short run of weights; inlined where the instruction set is known.
#[inline(always)]
pub(super) fn of_run<const N: usize>(weights: &[f32], terms: &impl Terms<N>) -> [f64; N] {
    let mut lanes = [[0.0; LANES]; N];
    let (chunks, rest) = weights.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &weight) in chunk.iter().enumerate() {
            let terms = terms.of(weight);
            for (sums, term) in lanes.iter_mut().zip(terms) {
                sums[lane] += term;
            }
        }
    }
    let mut total = lanes.map(|lanes| lanes.iter().sum());
    for &weight in rest {
        total = plus(total, terms.of(weight));
    }
    total
}

/// `of_run`, compiled for each instruction set.
struct OfRun<'a, T: Terms<N>, const N: usize> {
    weights: &'a [f32],
    terms: &'a T,
}

impl<const N: usize, T: Terms<N>> WithSimd for OfRun<'_, T, N> {
    type Output = [f64; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; N] {
        of_run(self.weights, self.terms)
    }
}

/// One thread's part of counted values.
struct Counted<'a, T: Terms<N>, const N: usize> {
    values: &'a [f32],
    counts: &'a [u64],
    terms: &'a T,
}

impl<const N: usize, T: Terms<N>> WithSimd for Counted<'_, T, N> {
    type Output = [f64; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; N] {
        let times = |value: f32, count: u64| self.terms.of(value).map(|term| count as f64 * term);
        let mut lanes = [[0.0; LANES]; N];
        let (values, value_rest) = self.values.as_chunks::<LANES>();
        let (counts, count_rest) = self.counts.as_chunks::<LANES>();
        for (values, counts) in values.iter().zip(counts) {
            for lane in 0..LANES {
                let terms = times(values[lane], counts[lane]);
                for (sums, term) in lanes.iter_mut().zip(terms) {
                    sums[lane] += term;
                }
            }
        }
        let total = lanes.map(|lanes| lanes.iter().sum());
        let rest = value_rest.iter().zip(count_rest);
        rest.fold(total, |total, (&value, &count)| plus(total, times(value, count)))
    }
}
