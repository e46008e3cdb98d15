//! The ratio estimator Σ numerator / Σ denominator over groups, its standard error and its bootstrap interval.

use super::interval::{Estimate, Interval};

/// `numerator / denominator`; `None` where that is no number.
pub fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    Some(numerator / denominator).filter(|value| denominator != 0.0 && value.is_finite())
}

/// The ratio's value beside the percentile interval of the same ratio in each draw; without a value there is no interval.
pub fn estimate(value: Option<f64>, draws: (&[f64], &[f64]), confidence: f64) -> Estimate {
    let ratios =
        draws.0.iter().zip(draws.1).map(|(&numerator, &denominator)| ratio(numerator, denominator));
    let interval = value.and_then(|_| Interval::percentile(ratios, confidence));
    Estimate { value, interval }
}

/// Standard error of R = Σδ/Σn over G groups: √(G/(G−1)·Σ(δ_g − R·n_g)²) / Σn (science §E.8); `None` below two groups.
pub fn standard_error(value: Option<f64>, deltas: &[f64], sizes: &[f64]) -> Option<f64> {
    let (value, groups) = (value?, deltas.len() as f64);
    let residual = |(delta, size): (&f64, &f64)| (delta - value * size).powi(2);
    let squares: f64 = deltas.iter().zip(sizes).map(residual).sum();
    let total: f64 = sizes.iter().sum();
    ratio((groups / (groups - 1.0) * squares).sqrt(), total).filter(|_| deltas.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::super::goldens;
    use super::*;

    #[test]
    fn scipy_goldens() {
        for golden in goldens::section("ratios") {
            let column = |name: &str| -> Vec<f64> {
                let documents = golden["documents"].as_array().unwrap();
                documents.iter().map(|document| document[name].as_f64().unwrap()).collect()
            };
            let (tokens, before, after) = (column("tokens"), column("base_nll"), column("nll"));
            let deltas: Vec<f64> =
                after.iter().zip(before).map(|(after, before)| after - before).collect();
            let value = ratio(deltas.iter().sum(), tokens.iter().sum());
            goldens::close(
                value.unwrap(),
                golden["delta_nll_per_token"].as_f64().unwrap(),
                "ratio",
            );
            let error = standard_error(value, &deltas, &tokens);
            let expected = golden["delta_nll_per_token_se"].as_f64();
            assert_eq!(error.is_some(), expected.is_some());
            error
                .zip(expected)
                .into_iter()
                .for_each(|(a, b)| goldens::close(a, b, "standard error"));
        }
    }

    #[test]
    fn undefined_ratios_are_none() {
        assert_eq!((ratio(0.0, 0.0), ratio(1.0, 0.0), ratio(f64::MAX, 0.1)), (None, None, None));
        assert_eq!(estimate(None, (&[1.0], &[1.0]), 0.95), Estimate::default());
    }
}
