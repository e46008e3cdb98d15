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
