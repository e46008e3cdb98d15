//! Weights that share a grid: each by itself, or distinct values with how often each comes. Not the grid, and not how they are
//! stored.

use babelquant_proto::Moments;

use crate::statistics::moments;

/// Weights that share a grid. What a rule makes of them depends on the values and their counts alone, so a 16-bit tensor, which has
/// at most 65,536 distinct values, is as good as all its weights.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    values: &'a [f32],
    /// How often each value comes; `None`: once.
    counts: Option<&'a [u64]>,
}

impl<'a> Sample<'a> {
    /// Weights one by one.
    pub fn of(weights: &'a [f32]) -> Self {
        Self { values: weights, counts: None }
    }

    /// Values with how often each comes.
    ///
    /// # Panics
    /// There are not as many counts as values.
    pub fn counted(values: &'a [f32], counts: &'a [u64]) -> Self {
        assert_eq!(values.len(), counts.len(), "every value has a count");
        Self { values, counts: Some(counts) }
    }

    /// The values, each once.
    pub(super) fn values(self) -> &'a [f32] {
        self.values
    }

    /// How often each value comes; `None`: once.
    pub(super) fn counts(self) -> Option<&'a [u64]> {
        self.counts
    }

    /// How many weights.
    pub fn len(self) -> u64 {
        match self.counts {
            None => self.values.len() as u64,
            Some(counts) => counts.iter().sum(),
        }
    }

    /// True where there is no weight.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Their moments.
    pub fn moments(self) -> Moments {
        match self.counts {
            None => moments::of(self.values),
            Some(counts) => {
                let values = self.values.iter().map(|&value| f64::from(value));
                Moments::weighted(values.zip(counts.iter().copied()))
            }
        }
    }

    /// Runs of so many values; the last may be shorter.
    pub(super) fn chunks(self, length: usize) -> impl Iterator<Item = Self> {
        (0..self.values.len()).step_by(length).map(move |start| {
            let range = start..self.values.len().min(start + length);
            let counts = self.counts.map(|counts| &counts[range.clone()]);
            Self { values: &self.values[range], counts }
        })
    }
}
