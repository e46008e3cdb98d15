//! The share of the fourth moment that the weights farthest from the mean carry: it tells a heavy tail from a handful of
//! weights.

use super::bucket::Bucket;
use super::collect::{Collected, Wanted};
use super::population::Population;

/// How many weights the shares are about.
const TOPS: [u64; 3] = [1, 8, 64];

/// As many weights as the largest share needs, at either end of a population.
const REACH: u64 = TOPS[2];

/// The buckets at both ends of a population that hold the weights farthest from the mean.
#[derive(Debug)]
pub(super) struct Ends(Vec<Bucket>);

impl Ends {
    pub(super) fn of(population: &Population) -> Self {
        let mut buckets = reach(population.rising());
        let last = buckets.last().copied();
        let beyond =
            |bucket: &Bucket| last.is_none_or(|last| bucket.edge.total_cmp(&last.edge).is_gt());
        buckets.extend(reach(population.rising().rev()).into_iter().filter(beyond));
        Self(buckets)
    }

    /// Adds the buckets whose inside matters.
    pub(super) fn want(&self, wanted: &mut Wanted) {
        wanted.extend(
            self.0.iter().filter(|bucket| !bucket.is_exact()).map(|bucket| bucket.magnitude()),
        );
    }

    /// Shares of M4 = Σ(w − mean)⁴ of the 1, 8 and 64 weights with the largest |w − mean|; `None` where M4 is 0.
    pub(super) fn shares(&self, mean: f64, m4: f64, collected: &Collected) -> [Option<f64>; 3] {
        let mut distances: Vec<(f64, u64)> = Vec::new();
        for &bucket in &self.0 {
            if bucket.is_exact() {
                distances.push(((f64::from(bucket.edge) - mean).abs(), bucket.count));
            } else {
                let values = collected.of(bucket).iter();
                distances.extend(values.map(|&value| ((f64::from(value) - mean).abs(), 1)));
            }
        }
        distances.sort_unstable_by(|left, right| right.0.total_cmp(&left.0));
        TOPS.map(|top| (m4 > 0.0).then(|| sum_of_top(&distances, top) / m4))
    }
}

/// The first buckets that hold `REACH` weights.
fn reach(buckets: impl Iterator<Item = Bucket>) -> Vec<Bucket> {
    let mut seen = 0;
    let needed = |bucket: &Bucket| {
        let needed = seen < REACH;
        seen += bucket.count;
        needed
    };
    buckets.take_while(needed).collect()
}

/// Σ d⁴ over the first `top` of distances that occur so many times each.
fn sum_of_top(distances: &[(f64, u64)], top: u64) -> f64 {
    let (mut sum, mut left) = (0.0, top);
    for &(distance, count) in distances {
        let taken = count.min(left);
        sum += taken as f64 * distance.powi(4);
        left -= taken;
    }
    sum
}
