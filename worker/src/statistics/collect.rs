//! Second look at the weights: the values of the few buckets whose inside matters (a quantile, a threshold or an extreme lies
//! there). Not which buckets those are.

use std::collections::{BTreeMap, BTreeSet};

use half::{bf16, f16};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::bucket::{Bucket, FREE_BITS, FREE_MASK};
use super::even;
use super::stored::StoredValues;

/// Buckets by the bits of their magnitude; both signs are meant.
pub(super) type Wanted = BTreeSet<u32>;

/// Values that one task reads, and values that are looked at together.
const TASK_VALUES: usize = 1 << 20;
const BLOCK: usize = 32;

/// Ranges of magnitudes that one pass looks for.
const RANGES: usize = 6;

/// The values in the wanted buckets of one tensor, and perhaps some between them, in the order of the tensor.
pub(super) fn collect(tensor: StoredValues<'_>, wanted: &Wanted) -> Vec<f32> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let ranges = ranges(wanted);
    match tensor {
        StoredValues::F32(bytes) => {
            find(bytes.as_chunks().0, |&value| f32::from_le_bytes(value), ranges)
        }
        StoredValues::F16(bytes) => {
            find(bytes.as_chunks().0, |&value| f16::from_le_bytes(value).to_f32(), ranges)
        }
        StoredValues::Bf16(bytes) => {
            find(bytes.as_chunks().0, |&value| bf16::from_le_bytes(value).to_f32(), ranges)
        }
    }
}

fn find<T: Sync>(
    values: &[T],
    widen: impl Fn(&T) -> f32 + Copy + Sync,
    ranges: Ranges,
) -> Vec<f32> {
    let arch = pulp::Arch::new();
    let task = |values: &[T]| {
        let mut found = Vec::new();
        arch.dispatch(Find { values, widen, ranges, found: &mut found });
        found
    };
    values.par_chunks(TASK_VALUES).flat_map_iter(task).collect()
}

/// Runs of magnitudes: the first and how many.
type Ranges = [(u32, u32); RANGES];

/// Ranges that cover the wanted buckets: the nearest become one until there are few enough.
fn ranges(wanted: &Wanted) -> Ranges {
    let mut ranges: Vec<(u32, u32)> = wanted.iter().map(|&low| (low, low | FREE_MASK)).collect();
    while ranges.len() > RANGES {
        let gap = |&left: &usize| ranges[left + 1].0 - ranges[left].1;
        let nearest = (0..ranges.len() - 1).min_by_key(gap).unwrap_or(0);
        let (_, high) = ranges.remove(nearest + 1);
        ranges[nearest].1 = high;
    }
    let length = |(low, high): (u32, u32)| (low, high - low + 1);
    std::array::from_fn(|at| ranges.get(at).copied().map_or((0, 0), length))
}

/// Looks for values in the ranges, compiled for each instruction set. Blocks without any are passed over.
struct Find<'a, T, F> {
    values: &'a [T],
    widen: F,
    ranges: Ranges,
    found: &'a mut Vec<f32>,
}

impl<T, F: Fn(&T) -> f32> WithSimd for Find<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { values, widen, ranges, found } = self;
        for block in values.chunks(BLOCK) {
            let any = block.iter().fold(false, |any, value| any | is_in(widen(value), &ranges));
            if any {
                found.extend(block.iter().map(&widen).filter(|value| is_in(*value, &ranges)));
            }
        }
    }
}

#[inline(always)]
fn is_in(value: f32, ranges: &Ranges) -> bool {
    let magnitude = value.to_bits() & 0x7FFF_FFFF;
    ranges.iter().fold(false, |any, &(low, length)| any | (magnitude.wrapping_sub(low) < length))
}

/// Collected values by bucket and sign.
#[derive(Debug, Default)]
pub(super) struct Collected {
    buckets: BTreeMap<(bool, u32), Vec<f32>>,
}

impl Collected {
    /// Puts `values` into the `wanted` buckets and drops the others.
    pub(super) fn new(values: &[Vec<f32>], wanted: &Wanted) -> Self {
        let mut buckets: BTreeMap<(bool, u32), Vec<f32>> = BTreeMap::new();
        for value in values.iter().flatten() {
            let magnitude = value.abs().to_bits() & !FREE_MASK;
            if wanted.contains(&magnitude) {
                buckets.entry((value.is_sign_negative(), magnitude)).or_default().push(*value);
            }
        }
        Self { buckets }
    }

    /// Whether the values look evenly spread within their buckets.
    pub(super) fn is_even(&self) -> bool {
        let free = |values: &Vec<f32>| {
            values.iter().map(|value| value.to_bits() & FREE_MASK).collect::<Vec<u32>>()
        };
        even::is_even(self.buckets.values().map(|values| free(values).into_iter()), FREE_BITS)
    }

    /// The weights of a wanted bucket of one sign, in no order.
    pub(super) fn of(&self, bucket: Bucket) -> &[f32] {
        self.buckets
            .get(&(bucket.edge.is_sign_negative(), bucket.magnitude()))
            .map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(value: f32) -> u32 {
        value.abs().to_bits() & !FREE_MASK
    }

    /// Checks the values of one wanted bucket, both signs.
    fn check(values: &[f32], collected: &Collected, magnitude: u32) {
        for edge in [f32::from_bits(magnitude), -f32::from_bits(magnitude)] {
            let inside = |value: &f32| {
                bucket(*value) == magnitude && value.is_sign_negative() == edge.is_sign_negative()
            };
            let expected: Vec<f32> = values.iter().copied().filter(inside).collect();
            assert_eq!(collected.of(Bucket { edge, count: 0, offsets: 0 }), expected);
        }
    }

    #[test]
    fn any_number_of_wanted_buckets_is_covered() {
        let sign = |at: u32| if at.is_multiple_of(2) { -0.01 } else { 0.01 };
        let values: Vec<f32> = (1..5000).map(|at| (at as f32).sqrt() * sign(at)).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        for step in [1, 97, 800, 4000] {
            let wanted: Wanted = values.iter().step_by(step).map(|&value| bucket(value)).collect();
            let collected = Collected::new(&[collect(StoredValues::F32(&bytes), &wanted)], &wanted);
            wanted.iter().for_each(|&magnitude| check(&values, &collected, magnitude));
        }
        assert!(collect(StoredValues::F32(&bytes), &Wanted::new()).is_empty());
    }
}
