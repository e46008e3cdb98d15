//! A population: all weights of a tensor or of a group, in order. Not what is computed from it.

use babelquant_proto::Moments;

use super::bucket::Bucket;

/// Finite weights as buckets. Where every bucket is exact, these are all the distinct values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Population {
    /// Weights with a negative sign, by rising magnitude.
    pub(super) negative: Vec<Bucket>,
    /// Weights with a positive sign, by rising magnitude.
    pub(super) positive: Vec<Bucket>,
    /// Moments of the weights.
    pub(super) moments: Moments,
    /// How many weights are NaN or infinite; they are nowhere else.
    pub(super) nonfinite: u64,
}

impl Population {
    /// A population of distinct values in any number, given by rising magnitude; their moments are two-pass over them.
    pub(super) fn exact(negative: Vec<Bucket>, positive: Vec<Bucket>, nonfinite: u64) -> Self {
        let mut population = Self { negative, positive, moments: Moments::default(), nonfinite };
        population.moments =
            Moments::weighted(population.rising().map(|bucket| (bucket.edge.into(), bucket.count)));
        population
    }

    /// Both together. The buckets of both have the same edges or hold one value each.
    pub(super) fn merge(&self, other: &Self) -> Self {
        let negative = merge(&self.negative, &other.negative);
        let positive = merge(&self.positive, &other.positive);
        let nonfinite = self.nonfinite + other.nonfinite;
        if self.is_exact() && other.is_exact() {
            return Self::exact(negative, positive, nonfinite);
        }
        Self { negative, positive, moments: self.moments.merge(other.moments), nonfinite }
    }

    /// The buckets from the smallest value to the largest.
    pub(super) fn rising(&self) -> impl DoubleEndedIterator<Item = Bucket> + Clone {
        self.negative.iter().rev().chain(&self.positive).copied()
    }

    /// How many weights.
    pub(super) fn count(&self) -> u64 {
        self.moments.count
    }

    /// Whether every value is known.
    pub(super) fn is_exact(&self) -> bool {
        self.rising().all(Bucket::is_exact)
    }

    /// The buckets of |w| by rising magnitude.
    pub(super) fn folded(&self) -> Vec<Bucket> {
        let mut folded = merge(&self.negative, &self.positive);
        folded.iter_mut().for_each(|bucket| bucket.edge = bucket.edge.abs());
        folded
    }
}

/// Merges buckets that are sorted by magnitude; those of one magnitude become one.
fn merge(left: &[Bucket], right: &[Bucket]) -> Vec<Bucket> {
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let (a, b) = (*a, *b);
        if a.magnitude() <= b.magnitude() {
            left.next();
        }
        if b.magnitude() <= a.magnitude() {
            right.next();
        }
        merged.push(match a.magnitude().cmp(&b.magnitude()) {
            std::cmp::Ordering::Less => a,
            std::cmp::Ordering::Equal => a.merge(b),
            std::cmp::Ordering::Greater => b,
        });
    }
    merged.extend(left.chain(right));
    merged
}
