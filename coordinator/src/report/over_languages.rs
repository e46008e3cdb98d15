//! The rows of a config over the languages in which something is defined, as texts: means and counts. Not which numbers they are.

use super::number::{fixed, or_undefined};

/// Rows of one config, one a language.
#[derive(Debug)]
pub(super) struct OverLanguages<'a, T>(pub(super) Vec<&'a T>);

impl<T> OverLanguages<'_, T> {
    /// The mean of a number times 1000, two decimals; undefined where one is, and without rows.
    pub(super) fn mean_in_thousandths(&self, number: fn(&T) -> Option<f64>) -> String {
        let sum = self.0.iter().map(|row| number(row)).sum::<Option<f64>>();
        let mean = sum.filter(|_| !self.0.is_empty()).map(|sum| 1e3 * sum / self.0.len() as f64);
        or_undefined(mean, |mean| fixed(mean, 2))
    }

    /// `3 of 14`: in how many something holds.
    pub(super) fn count(&self, holds: fn(&T) -> bool) -> String {
        format!("{} of {}", self.0.iter().filter(|row| holds(row)).count(), self.0.len())
    }
}
