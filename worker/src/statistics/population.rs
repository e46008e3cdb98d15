//! A population: all weights of a tensor or of a group, in order. Not what is computed from it.

use std::cmp::Ordering;

use babelquant_proto::Moments;

use super::bucket::Bucket;

/// Finite weights in order of magnitude. Where it is exact, the levels are all the distinct magnitudes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Population {
    /// By rising magnitude, each with a weight at least.
    pub(super) levels: Vec<Level>,
    /// Moments of the weights.
    pub(super) moments: Moments,
    /// How many weights are NaN or infinite; they are nowhere else.
    pub(super) nonfinite: u64,
    /// Whether every value is known.
    pub(super) exact: bool,
}

/// The weights of nearly one magnitude, by sign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Those with a positive sign.
    pub(super) positive: Bucket,
    /// Those with a negative sign; its edge is the positive one's, negated.
    pub(super) negative: Bucket,
}

impl Level {
    /// An empty level that begins at the magnitude `edge`.
    pub(super) fn at(edge: f32) -> Self {
        let bucket = |edge| Bucket { edge, count: 0, offsets: 0 };
        Self { positive: bucket(edge), negative: bucket(-edge) }
    }

    /// The level as a bucket of |w|.
    pub(super) fn magnitudes(self) -> Bucket {
        self.positive.merge(self.negative)
    }

    fn merge(self, other: Self) -> Self {
        Self {
            positive: self.positive.merge(other.positive),
            negative: self.negative.merge(other.negative),
        }
    }
}

impl Population {
    /// A population of distinct magnitudes; its moments are two-pass over them.
    pub(super) fn exact(levels: Vec<Level>, nonfinite: u64) -> Self {
        let mut population = Self { levels, moments: Moments::default(), nonfinite, exact: true };
        let values = population.rising().map(|bucket| (f64::from(bucket.edge), bucket.count));
        population.moments = Moments::weighted(values);
        population
    }

    /// A population of levels with free bits inside.
    pub(super) fn coarse(levels: Vec<Level>, moments: Moments, nonfinite: u64) -> Self {
        let exact = levels.iter().all(|level| level.magnitudes().is_exact());
        Self { levels, moments, nonfinite, exact }
    }

    /// Both together. Levels are alike, or those of one population are exact.
    pub(super) fn merge(&self, other: &Self) -> Self {
        let levels = merge(&self.levels, &other.levels);
        let nonfinite = self.nonfinite + other.nonfinite;
        if self.exact && other.exact {
            return Self::exact(levels, nonfinite);
        }
        Self { levels, moments: self.moments.merge(other.moments), nonfinite, exact: false }
    }

    /// The buckets that hold weights, from the smallest value to the largest.
    pub(super) fn rising(&self) -> impl DoubleEndedIterator<Item = Bucket> + Clone {
        let negative = self.levels.iter().rev().map(|level| level.negative);
        negative
            .chain(self.levels.iter().map(|level| level.positive))
            .filter(|bucket| bucket.count > 0)
    }

    /// How many weights.
    pub(super) fn count(&self) -> u64 {
        self.moments.count
    }
}

/// Merges levels that are sorted by magnitude; those of one magnitude become one.
pub(super) fn merge(left: &[Level], right: &[Level]) -> Vec<Level> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left, right);
    while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
        let order = a.positive.magnitude().cmp(&b.positive.magnitude());
        merged.push(match order {
            Ordering::Less => *a,
            Ordering::Equal => a.merge(*b),
            Ordering::Greater => *b,
        });
        if order.is_le() {
            left = left_rest;
        }
        if order.is_ge() {
            right = right_rest;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged
}
