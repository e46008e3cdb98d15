//! Moments of f32 values, the same bits for any number of threads: exact two-pass over fixed chunks in f64, with fixed lanes,
//! merged in a fixed binary tree. The formulas of merging are `babelquant_proto::Moments`.

use babelquant_proto::Moments;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Values of a chunk: a part of the definition of the result's last bits.
pub(crate) const CHUNK: usize = 1 << 16;

/// Independent sums: enough to fill the widest vectors, and a part of the definition as well.
const LANES: usize = 32;

/// The moments of finite `values`.
pub(crate) fn of(values: &[f32]) -> Moments {
    let of_chunk = |chunk: &[f32]| {
        pulp::Arch::new().dispatch(TwoPass { values: chunk, widen: |&x: &f32| x.into() })
    };
    if values.len() <= CHUNK {
        return of_chunk(values);
    }
    let chunks: Vec<Moments> = values.par_chunks(CHUNK).map(of_chunk).collect();
    merge_tree(&chunks)
}

/// The moments of at most one chunk of little-endian f32. They are not finite if one of the values is not.
pub(crate) fn of_chunk(values: &[[u8; 4]]) -> Moments {
    pulp::Arch::new()
        .dispatch(TwoPass { values, widen: |&x: &[u8; 4]| f32::from_le_bytes(x).into() })
}

/// All moments together: each half first.
pub(crate) fn merge_tree(moments: &[Moments]) -> Moments {
    match moments {
        [] => Moments::default(),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            merge_tree(left).merge(merge_tree(right))
        }
    }
}

/// The two passes, compiled for each instruction set.
struct TwoPass<'a, T, F> {
    values: &'a [T],
    widen: F,
}

impl<T, F: Fn(&T) -> f64> WithSimd for TwoPass<'_, T, F> {
    type Output = Moments;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Moments {
        let Self { values, widen } = self;
        if values.is_empty() {
            return Moments::default();
        }
        let [sum] = sums(values, |x| [widen(x)]);
        let mean = sum / values.len() as f64;
        let [m2, m3, m4] = sums(values, |x| {
            let d = widen(x) - mean;
            let square = d * d;
            [square, square * d, square * square]
        });
        Moments { count: values.len() as u64, mean, m2, m3, m4 }
    }
}

/// Σ of K terms of every value, in f64: value i is added to lane i mod LANES, then each half of the lanes to the other.
#[inline(always)]
fn sums<const K: usize, T>(values: &[T], terms: impl Fn(&T) -> [f64; K]) -> [f64; K] {
    let mut lanes = [[0.0; LANES]; K];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        add(&mut lanes, block, &terms);
    }
    add(&mut lanes, rest, &terms);
    lanes.map(total)
}

#[inline(always)]
fn add<const K: usize, T>(
    lanes: &mut [[f64; LANES]; K],
    block: &[T],
    terms: impl Fn(&T) -> [f64; K],
) {
    for (lane, value) in block.iter().enumerate() {
        let terms = terms(value);
        for k in 0..K {
            lanes[k][lane] += terms[k];
        }
    }
}

#[inline(always)]
fn total(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lanes_and_the_tree_agree_with_the_definition() {
        for count in [0, 1, 31, 32, 33, 1000, CHUNK, CHUNK + 1, 3 * CHUNK + 17] {
            let values: Vec<f32> =
                (0..count).map(|at| ((at * 7919) % 1009) as f32 / 97.0 - 3.0).collect();
            let (ours, plain) =
                (of(&values), Moments::of(&values.iter().map(|&x| x.into()).collect::<Vec<f64>>()));
            assert_eq!(ours.count, plain.count);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b.abs().max(1.0);
            assert!(close(ours.mean, plain.mean) && close(ours.m2, plain.m2), "{count}");
            assert!(close(ours.m3, plain.m3) && close(ours.m4, plain.m4), "{count}");
        }
    }

    #[test]
    fn bytes_are_values_and_what_is_not_finite_shows() {
        let mut values: Vec<f32> = (0..100).map(|at| at as f32 - 40.5).collect();
        let bytes =
            |values: &[f32]| values.iter().map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(of_chunk(&bytes(&values)), of(&values));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            values[99] = bad;
            assert!(!of_chunk(&bytes(&values)).m4.is_finite());
        }
        assert!(of_chunk(&bytes(&[f32::MAX, f32::MIN, 1e-45])).m4.is_finite());
    }
}
