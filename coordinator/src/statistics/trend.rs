//! How a number changes along an order, such as the layers of a model. Not what the numbers are.

use super::correlation::spearman;
use super::pairs::Pairs;

/// The means of the first and of the last third of some numbers, ⌈n/3⌉ of them each; `None` below two.
pub fn thirds(values: &[f64]) -> Option<[f64; 2]> {
    let third = values.len().div_ceil(3);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / third as f64;
    (values.len() > 1).then(|| [mean(&values[..third]), mean(&values[values.len() - third..])])
}

/// Spearman's ρ of some numbers with their position; `None` below three, and where all are the same.
pub fn rank_trend(values: &[f64]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = (0_u32..).map(f64::from).zip(values.iter().copied()).collect();
    Some(spearman(&Pairs::new(&pairs).ok()?).rho)
}

#[cfg(test)]
mod tests {
    use super::super::goldens::{close, inference};
    use super::*;

    #[test]
    fn scipy_goldens() {
        for golden in inference("trends") {
            let values: Vec<f64> = serde_json::from_value(golden["values"].clone()).unwrap();
            let [first, last] = thirds(&values).unwrap();
            close(last - first, golden["thirds"].as_f64().unwrap(), "thirds");
            close(rank_trend(&values).unwrap(), golden["rho"].as_f64().unwrap(), "rho");
        }
    }

    #[test]
    fn few_and_equal_numbers() {
        assert_eq!((thirds(&[1.0]), rank_trend(&[1.0, 2.0])), (None, None));
        assert_eq!((thirds(&[1.0, 4.0]), rank_trend(&[2.0; 5])), (Some([1.0, 4.0]), None));
    }
}
