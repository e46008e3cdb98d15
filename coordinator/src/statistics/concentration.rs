//! How much of a loss a few of its items carry. Not which items they are.

use super::ratio::ratio;

/// Share of Σ max(x, 0) over n values that the ⌈n/`one_in`⌉ largest carry, 0 to 1: the upper end of a Lorenz curve of the losses. `None`
/// where no value is above 0.
pub fn largest_share(values: &[f64], one_in: usize) -> Option<f64> {
    let mut losses: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
    losses.sort_by(|a, b| b.total_cmp(a));
    let most = values.len().div_ceil(one_in);
    ratio(losses.iter().take(most).sum(), losses.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::super::goldens::{close, inference};
    use super::*;

    #[test]
    fn numpy_goldens() {
        for golden in inference("largest_shares") {
            let values: Vec<f64> = serde_json::from_value(golden["values"].clone()).unwrap();
            let found = largest_share(&values, 100);
            assert_eq!(found.is_some(), golden["share"].as_f64().is_some());
            found.zip(golden["share"].as_f64()).into_iter().for_each(|(a, b)| close(a, b, "share"));
            let mut turned = values;
            turned.reverse();
            assert_eq!(largest_share(&turned, 100), found);
        }
    }

    #[test]
    fn one_in_four_of_five_values_are_two_of_them() {
        assert_eq!(largest_share(&[3.0, -9.0, 1.0, 0.0, 4.0], 4), Some(7.0 / 8.0));
        assert_eq!((largest_share(&[0.0, -1.0], 4), largest_share(&[], 4)), (None, None));
    }
}
