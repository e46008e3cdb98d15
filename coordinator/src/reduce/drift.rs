//! The two ratios made of how far hidden states lie from the baseline's. The sums come from workers.

use babelquant_proto::Drift;

use crate::statistics::ratio;

/// Σ (x − b)² / Σ b²: the square of the relative error in the Frobenius norm.
pub(super) fn square_error(Drift { error, base, .. }: Drift) -> Option<f64> {
    ratio(error, base)
}

/// The cosine Σ x·b / √(Σ b²·Σ x²), with Σ x² = Σ (x − b)² + 2·Σ x·b − Σ b². Exactly 1 for equal states.
pub(super) fn cosine(Drift { error, base, product }: Drift) -> Option<f64> {
    let square = error + 2.0 * product - base;
    ratio(product, (base * square.max(0.0)).sqrt()).map(|cosine| cosine.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(base: &[f64], other: &[f64]) -> Drift {
        let pairs = base.iter().zip(other);
        pairs.fold(Drift::default(), |sum, (b, x)| {
            sum + Drift { error: (x - b) * (x - b), base: b * b, product: x * b }
        })
    }

    fn ratios(drift: Drift) -> (Option<f64>, Option<f64>) {
        (square_error(drift), cosine(drift))
    }

    #[test]
    fn ratios_by_hand() {
        let drift = between(&[3.0, 4.0], &[4.0, -3.0]);
        assert_eq!(ratios(drift), (Some(2.0), Some(0.0)));
        let twice = between(&[3.0, 4.0], &[6.0, 8.0]);
        assert_eq!(ratios(twice), (Some(1.0), Some(1.0)));
        let opposite = between(&[1.0, 0.1], &[-1.0, -0.1]);
        assert_eq!(ratios(opposite), (Some(4.0), Some(-1.0)));
        for seed in 1..50 {
            let states: Vec<f64> = (0..17).map(|i| f64::from(i * seed % 23) / 7.0 - 1.5).collect();
            let same = between(&states, &states);
            assert_eq!(ratios(same), (Some(0.0), Some(1.0)), "{seed}");
        }
    }

    #[test]
    fn nothing_has_no_direction() {
        assert_eq!(square_error(Drift::default()), None);
        assert_eq!(cosine(between(&[1.0], &[0.0])), None);
    }
}
