//! Populations of all distinct values by sorting: for few values, and where buckets would not be precise.

use rayon::prelude::*;

use super::population::{Level, Population};
use super::stored::StoredValues;

/// The exact population of all `tensors` together.
pub(super) fn of(tensors: &[StoredValues<'_>]) -> Population {
    let mut values = Vec::new();
    tensors.iter().for_each(|tensor| tensor.append_to(&mut values));
    let all = values.len();
    values.retain(|value: &f32| value.is_finite());
    let nonfinite = (all - values.len()) as u64;
    values.par_sort_unstable_by_key(|value| value.abs().to_bits());
    let mut levels: Vec<Level> = Vec::new();
    for value in values {
        if levels.last().is_none_or(|level| level.positive.edge != value.abs()) {
            levels.push(Level::at(value.abs()));
        }
        if let Some(level) = levels.last_mut() {
            let sign =
                if value.is_sign_negative() { &mut level.negative } else { &mut level.positive };
            sign.count += 1;
        }
    }
    Population::exact(levels, nonfinite)
}
