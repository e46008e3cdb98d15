//! Rows that belong together, such as the languages of a family: what is left out or resampled as one. Not what the rows are.

use std::collections::BTreeMap;

use super::pairs::{Pairs, Undefined};

/// A partition of rows: each belongs to exactly one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    names: Vec<String>,
    members: Vec<Vec<usize>>,
}

impl Clusters {
    /// Every row a cluster of its own.
    pub fn single(names: &[String]) -> Self {
        Self { names: names.to_vec(), members: (0..names.len()).map(|row| vec![row]).collect() }
    }

    /// The rows with the same label together, in the order of the labels.
    pub fn labelled(labels: &[String]) -> Self {
        let mut members: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
        for (row, label) in labels.iter().enumerate() {
            members.entry(label).or_default().push(row);
        }
        let (names, members) = members.into_iter().map(|(name, rows)| (name.clone(), rows)).unzip();
        Self { names, members }
    }

    /// The same; a row without a label is a cluster of its own, called by its name.
    pub fn partly_labelled(labels: &[Option<String>], names: &[String]) -> Self {
        let own = |(label, name): (&Option<String>, &String)| {
            label.clone().unwrap_or_else(|| format!("({name})"))
        };
        Self::labelled(&labels.iter().zip(names).map(own).collect::<Vec<_>>())
    }

    /// How many clusters.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Their names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The rows of each.
    pub fn members(&self) -> &[Vec<usize>] {
        &self.members
    }

    /// The rows that share a cluster of this partition and one of the other, by both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (own, others) = (self.of_rows(), other.of_rows());
        let mut members: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (row, both) in own.into_iter().zip(others).enumerate() {
            members.entry(both).or_default().push(row);
        }
        let name = |&(own, others): &(usize, usize)| {
            format!("{} {}", self.names[own], other.names[others])
        };
        Self { names: members.keys().map(name).collect(), members: members.into_values().collect() }
    }

    /// The cluster of each row.
    fn of_rows(&self) -> Vec<usize> {
        let mut of = vec![0; self.members.iter().map(Vec::len).sum()];
        for (cluster, rows) in self.members.iter().enumerate() {
            rows.iter().for_each(|&row| of[row] = cluster);
        }
        of
    }

    /// The means of both columns over each cluster: related rows count as one.
    ///
    /// # Errors
    /// The means have no correlation.
    pub fn means(&self, pairs: &Pairs) -> Result<Pairs, Undefined> {
        let mean = |values: &[f64], rows: &[usize]| {
            rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64
        };
        let means = self.members.iter().map(|rows| (mean(&pairs.x, rows), mean(&pairs.y, rows)));
        Pairs::new(&means.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_label_stand_alone() {
        let labels = [Some("a"), None, Some("a"), None].map(|label| label.map(str::to_owned));
        let clusters = Clusters::partly_labelled(&labels, &["w", "x", "y", "z"].map(str::to_owned));
        assert_eq!(clusters.names(), ["(x)", "(z)", "a"]);
        assert_eq!(clusters.members(), [vec![1], vec![3], vec![0, 2]]);
    }

    #[test]
    fn labels_partition_rows() {
        let labels = ["b", "a", "b", "c"].map(str::to_owned);
        let clusters = Clusters::labelled(&labels);
        assert_eq!(clusters.members(), [vec![1], vec![0, 2], vec![3]]);
        assert_eq!(
            (clusters.names(), clusters.count()),
            (&["a", "b", "c"].map(str::to_owned)[..], 3)
        );
        let pairs = Pairs::new(&[(1.0, 2.0), (5.0, 0.0), (3.0, 4.0), (7.0, 7.0)]).unwrap();
        let means = clusters.means(&pairs).unwrap();
        assert_eq!((means.x(), means.y()), (&[5.0, 2.0, 7.0][..], &[0.0, 3.0, 7.0][..]));
        assert_eq!(Clusters::single(&labels).members().len(), 4);
        let halves = Clusters::labelled(&["x", "x", "y", "x"].map(str::to_owned));
        let both = clusters.intersection(&halves);
        assert_eq!(both.members(), [vec![1], vec![0], vec![2], vec![3]]);
        assert_eq!(both.names(), ["a x", "b x", "b y", "c x"]);
    }
}
