//! Populations of all distinct values by sorting: for few values, and where buckets would not be precise.

use rayon::prelude::*;

use super::bucket::Bucket;
use super::moments::CHUNK;
use super::population::Population;
use super::stored::StoredValues;

/// The exact population of all `tensors` together.
pub(super) fn of(tensors: &[StoredValues<'_>]) -> Population {
    let (mut all, mut values, mut nonfinite) = (Vec::new(), Vec::new(), 0);
    for chunk in tensors.iter().flat_map(|tensor| tensor.chunks(CHUNK)) {
        nonfinite += chunk.read_finite(&mut values);
        all.extend_from_slice(&values);
    }
    all.par_sort_unstable_by(f32::total_cmp);
    let positive = all.partition_point(|value| value.is_sign_negative());
    let (negative, positive) = all.split_at(positive);
    Population::exact(distinct(negative.iter().rev()), distinct(positive.iter()), nonfinite)
}

/// Equal neighbours as one bucket.
fn distinct<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for &value in values {
        match buckets.last_mut() {
            Some(last) if last.edge == value => last.count += 1,
            _ => buckets.push(Bucket::of_value(value, 1)),
        }
    }
    buckets
}
