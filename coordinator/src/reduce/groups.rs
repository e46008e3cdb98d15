//! The groups of a language's documents: what is resampled together. Not the resampling (`statistics`).

use std::collections::{BTreeMap, BTreeSet};

use crate::statistics::{Resampling, Signs};
use crate::study::Analysis;

/// Groups by their labels in order, and the group of each document.
#[derive(Debug)]
pub(super) struct Groups {
    labels: Vec<String>,
    of_document: BTreeMap<u32, usize>,
}

impl Groups {
    /// The groups of documents, given with their labels in any order.
    pub(super) fn new<'a>(documents: impl Iterator<Item = (u32, &'a str)> + Clone) -> Self {
        let labels: BTreeSet<&str> = documents.clone().map(|(_, label)| label).collect();
        let index: BTreeMap<&str, usize> = labels.iter().copied().zip(0..).collect();
        let of_document = documents.map(|(document, label)| (document, index[label])).collect();
        Self { labels: labels.into_iter().map(str::to_owned).collect(), of_document }
    }

    /// How many groups.
    pub(super) fn count(&self) -> usize {
        self.labels.len()
    }

    /// The group of a document; `None` for a document that is not among them.
    pub(super) fn of(&self, document: u32) -> Option<usize> {
        self.of_document.get(&document).copied()
    }

    /// Sums of values by group, each sum in the order given.
    pub(super) fn column(&self, values: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
        let mut sums = vec![0.0; self.count()];
        values.for_each(|(group, value)| sums[group] += value);
        sums
    }

    /// The resampling of these groups.
    pub(super) fn resampling(&self, analysis: &Analysis) -> Resampling {
        Resampling::new(analysis.seed, &self.labels, analysis.bootstrap_draws)
    }

    /// Random signs of these groups.
    pub(super) fn signs(&self, analysis: &Analysis) -> Signs {
        Signs::new(analysis.seed, &self.labels, analysis.bootstrap_draws)
    }

    /// Why there are no intervals; `None` where there are.
    pub(super) fn obstacle(&self, analysis: &Analysis) -> Option<&'static str> {
        match (self.count(), analysis.bootstrap_draws) {
            (0 | 1, _) => Some("fewer than 2 groups: no interval"),
            (_, 0) => Some("no bootstrap draws: no interval"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_summed_by_group() {
        let groups = Groups::new([(3, "b"), (0, "a"), (7, "b")].into_iter());
        assert_eq!((groups.count(), groups.of(7), groups.of(9)), (2, Some(1), None));
        assert_eq!(groups.column([(0, 1.0), (1, 10.0), (1, 100.0)].into_iter()), [1.0, 110.0]);
    }
}
