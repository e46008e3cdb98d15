//! The groups of a language's documents: what is resampled together, and which languages share some. Not the resampling (`statistics`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::statistics::{Resampling, Signs};
use crate::study::Analysis;

/// Groups by their labels in order, and the group of each document.
#[derive(Debug)]
pub(super) struct Groups {
    labels: Vec<String>,
    of_document: BTreeMap<u32, usize>,
    pool: Arc<Pool>,
    /// The resampling, where it is not that of the whole pool.
    own: OnceLock<Arc<Resampling>>,
}

/// What groups are resampled among: their own labels, or those of all languages that share any with each other.
#[derive(Debug)]
struct Pool {
    /// In order.
    labels: Vec<String>,
    /// The resampling of languages that have all of them.
    whole: OnceLock<Arc<Resampling>>,
}

impl Pool {
    fn new(labels: Vec<String>) -> Arc<Self> {
        Arc::new(Self { labels, whole: OnceLock::new() })
    }
}

/// Lets languages that share groups be resampled together, whatever one of them lacks.
pub(super) fn pool<'a>(groups: impl Iterator<Item = &'a mut Groups>) {
    let mut groups: Vec<&mut Groups> = groups.collect();
    // Languages that share a label, directly or by way of others, have the same root.
    let mut parents: Vec<usize> = (0..groups.len()).collect();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (language, own) in groups.iter().enumerate() {
        for label in &own.labels {
            let known = *first.entry(label).or_insert(language);
            let (a, b) = (root(&mut parents, known), root(&mut parents, language));
            parents[a.max(b)] = a.min(b);
        }
    }
    let roots: Vec<usize> = (0..groups.len()).map(|at| root(&mut parents, at)).collect();
    let mut pools: BTreeMap<usize, BTreeSet<&String>> = BTreeMap::new();
    for (root, own) in roots.iter().zip(&groups) {
        pools.entry(*root).or_default().extend(&own.labels);
    }
    let pools: BTreeMap<usize, Arc<Pool>> = pools
        .into_iter()
        .map(|(root, labels)| (root, Pool::new(labels.into_iter().cloned().collect())))
        .collect();
    for (root, own) in roots.iter().zip(&mut groups) {
        own.pool = Arc::clone(&pools[root]);
    }
}

/// The root of a language; the way there is shortened.
fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

impl Groups {
    /// The groups of documents, given with their labels in any order.
    pub(super) fn new<'a>(documents: impl Iterator<Item = (u32, &'a str)> + Clone) -> Self {
        let labels: BTreeSet<&str> = documents.clone().map(|(_, label)| label).collect();
        let index: BTreeMap<&str, usize> = labels.iter().copied().zip(0..).collect();
        let of_document = documents.map(|(document, label)| (document, index[label])).collect();
        let labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
        Self { pool: Pool::new(labels.clone()), own: OnceLock::new(), labels, of_document }
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

    /// The resampling of these groups, always by the analysis that is asked for first: a reduction has one.
    pub(super) fn resampling(&self, analysis: &Analysis) -> Arc<Resampling> {
        let (pool, seed, draws) = (&self.pool.labels, analysis.seed, analysis.bootstrap_draws);
        let make = || {
            let place = |label| pool.binary_search(label).expect("the pool has every label");
            // A language with few of the labels would pass over most picks, and have little in common with the others.
            Arc::new(match 2 * self.labels.len() >= pool.len() {
                true => Resampling::among(seed, pool, self.labels.iter().map(place), draws),
                false => Resampling::new(seed, &self.labels, draws),
            })
        };
        let known = if pool.len() == self.labels.len() { &self.pool.whole } else { &self.own };
        Arc::clone(known.get_or_init(make))
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

    /// Of the first and the last language, which share nothing, both share something with the second; the third stands alone.
    #[test]
    fn languages_that_share_groups_have_one_pool() {
        let of = |labels: &[&'static str]| Groups::new((0..).zip(labels.to_vec()));
        let mut groups = [of(&["1", "2"]), of(&["2", "3"]), of(&["x"]), of(&["3", "4"])];
        pool(groups.iter_mut());
        let pools = groups.each_ref().map(|groups| groups.pool.labels.join(" "));
        assert_eq!(pools, ["1 2 3 4", "1 2 3 4", "x", "1 2 3 4"]);
        let analysis = Analysis { bootstrap_draws: 40, ..Analysis::default() };
        let sizes = vec![1.0, 1.0];
        let totals = groups[3].resampling(&analysis).totals(std::slice::from_ref(&sizes));
        assert_eq!(totals, [vec![2.0; 40]]);
        let mut groups = [of(&["1", "2"]), of(&["2", "3", "4", "5"])];
        let alone = groups[0].resampling(&analysis).totals(&[vec![0.0, 1.0]]);
        pool(groups.iter_mut());
        assert_eq!(groups[0].pool.labels.len(), 5);
        assert_eq!(groups[0].resampling(&analysis).totals(&[vec![0.0, 1.0]]), alone, "too few");
    }
}
