//! Second look at the weights: the values of the few buckets whose inside matters (a quantile, a threshold or an extreme lies
//! there). Not which buckets those are.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::bucket::{Bucket, FREE_BITS};
use super::moments::CHUNK;
use super::stored::StoredValues;

/// Buckets named by the magnitude of their edge, both signs.
pub(super) type Wanted = BTreeSet<u32>;

/// The values of the wanted buckets of one tensor, in the order of the tensor.
pub(super) fn collect(tensor: StoredValues<'_>, wanted: &Wanted) -> Vec<f32> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut marks = vec![false; 1 << (31 - FREE_BITS)];
    wanted.iter().for_each(|magnitude| marks[index(*magnitude)] = true);
    let found = |chunk: StoredValues<'_>| {
        let (mut values, mut found) = (Vec::new(), Vec::new());
        for chunk in chunk.chunks(CHUNK) {
            chunk.read_finite(&mut values);
            found.extend(values.iter().filter(|value| marks[index(value.to_bits())]));
        }
        found
    };
    tensor.chunks(16 * CHUNK).into_par_iter().flat_map_iter(found).collect()
}

/// Number of the bucket that a value with these bits lies in, whatever its sign.
fn index(bits: u32) -> usize {
    ((bits & 0x7FFF_FFFF) >> FREE_BITS) as usize
}

/// Collected values by bucket and sign, each by rising magnitude.
#[derive(Debug, Default)]
pub(super) struct Collected {
    buckets: BTreeMap<(bool, u32), Vec<f32>>,
}

impl Collected {
    /// Sorts `values` into the `wanted` buckets and drops the others.
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a f32>, wanted: &Wanted) -> Self {
        let mut buckets: BTreeMap<(bool, u32), Vec<f32>> = BTreeMap::new();
        for value in values {
            let magnitude = (index(value.to_bits()) as u32) << FREE_BITS;
            if wanted.contains(&magnitude) {
                buckets.entry((value.is_sign_negative(), magnitude)).or_default().push(*value);
            }
        }
        buckets
            .values_mut()
            .for_each(|values| values.sort_unstable_by_key(|value| value.abs().to_bits()));
        Self { buckets }
    }

    /// The weights of a wanted bucket of one sign, by rising magnitude.
    pub(super) fn of(&self, bucket: Bucket) -> &[f32] {
        self.buckets
            .get(&(bucket.edge.is_sign_negative(), bucket.magnitude()))
            .map_or(&[], Vec::as_slice)
    }
}
