//! The magnitudes |w| of a population in order: order statistics and how many lie above a threshold.

use super::bucket::Bucket;
use super::collect::{Collected, Wanted};
use super::population::Population;

/// The buckets of |w| with the ranks at which they begin.
#[derive(Debug)]
pub(super) struct Magnitudes {
    buckets: Vec<Bucket>,
    /// Weights in the buckets before each, and at the end all of them.
    below: Vec<u64>,
}

impl Magnitudes {
    pub(super) fn of(population: &Population) -> Self {
        let buckets: Vec<Bucket> =
            population.levels.iter().map(|level| level.magnitudes()).collect();
        let mut below = Vec::with_capacity(buckets.len() + 1);
        let all = buckets.iter().fold(0, |sum, bucket| {
            below.push(sum);
            sum + bucket.count
        });
        below.push(all);
        Self { buckets, below }
    }

    /// Mean of |w|; `None` where there are no weights.
    pub(super) fn mean(&self) -> Option<f64> {
        let count = self.below.last().copied().filter(|&count| count > 0)?;
        let sum: f64 = self.buckets.iter().map(|bucket| bucket.mean() * bucket.count as f64).sum();
        Some(sum / count as f64)
    }

    /// Adds the bucket of a rank, if its inside matters.
    pub(super) fn want_rank(&self, rank: u64, wanted: &mut Wanted) {
        self.want(self.bucket_of(rank), wanted);
    }

    /// Adds the bucket of a threshold, if its inside matters.
    pub(super) fn want_threshold(&self, threshold: f64, wanted: &mut Wanted) {
        self.want(self.bucket_above(threshold), wanted);
    }

    fn want(&self, bucket: usize, wanted: &mut Wanted) {
        wanted.extend(
            self.buckets.get(bucket).filter(|bucket| !bucket.is_exact()).map(|b| b.magnitude()),
        );
    }

    /// The magnitude at `rank`, counted from 0 and below the number of weights.
    pub(super) fn at(&self, rank: u64, collected: &Collected) -> f64 {
        let at = self.bucket_of(rank);
        let bucket = self.buckets[at];
        if bucket.is_exact() {
            return bucket.edge.into();
        }
        let mut values = inside(bucket, collected);
        *values.select_nth_unstable_by((rank - self.below[at]) as usize, f64::total_cmp).1
    }

    /// How many weights have |w| > `threshold`.
    pub(super) fn above(&self, threshold: f64, collected: &Collected) -> u64 {
        let at = self.bucket_above(threshold);
        let Some(&bucket) = self.buckets.get(at) else { return 0 };
        let later = self.below[self.buckets.len()] - self.below[at + 1];
        if f64::from(bucket.edge) > threshold {
            return later + bucket.count;
        }
        let inside =
            inside(bucket, collected).into_iter().filter(|&magnitude| magnitude > threshold);
        later + inside.count() as u64
    }

    /// The bucket that holds `rank`.
    fn bucket_of(&self, rank: u64) -> usize {
        self.below.partition_point(|&below| below <= rank) - 1
    }

    /// The first bucket that may hold a magnitude above `threshold`.
    fn bucket_above(&self, threshold: f64) -> usize {
        self.buckets.partition_point(|bucket| bucket.limit() <= threshold)
    }
}

/// All magnitudes in a bucket of |w|.
fn inside(bucket: Bucket, collected: &Collected) -> Vec<f64> {
    let signs = [bucket, Bucket { edge: -bucket.edge, ..bucket }];
    signs
        .iter()
        .flat_map(|&bucket| collected.of(bucket))
        .map(|&value| f64::from(value.abs()))
        .collect()
}
