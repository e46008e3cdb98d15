//! Student's tests of an estimate by its standard error: is it 0, and does it lie within margins? Not the corrections for a family of tests.

use super::distribution::student_upper;

/// An estimate that is tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// The estimate.
    pub value: f64,
    /// Its standard error, in the same unit.
    pub error: f64,
    /// Degrees of freedom of the standard error: one fewer than the groups behind it.
    pub degrees: f64,
}

impl Sampled {
    /// Two-sided p of an effect of 0: P(|T| ≥ |value|/error). Without any spread it is 1 for the value 0 and else 0.
    pub fn p(self) -> f64 {
        match self.value == 0.0 {
            true => 1.0,
            false => (2.0 * self.upper(self.value.abs())).min(1.0),
        }
    }

    /// p of an effect that is not within the margins: the larger p of two one-sided tests, P(T ≥ (value − low)/error) and
    /// P(T ≥ (high − value)/error) (Schuirmann 1987).
    pub fn equivalence_p(self, (low, high): (f64, f64)) -> f64 {
        self.upper(self.value - low).max(self.upper(high - self.value))
    }

    /// P(T ≥ distance/error).
    fn upper(self, distance: f64) -> f64 {
        match self.error > 0.0 {
            true => student_upper(distance / self.error, self.degrees),
            false => f64::from(u8::from(distance <= 0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::goldens::{close, inference};
    use super::super::ratio::{ratio, standard_error};
    use super::*;

    /// Documents of one size, where the ratio estimator is the mean of a paired t test: scipy's `ttest_1samp`, statsmodels' `ttost_paired`.
    #[test]
    fn statsmodels_goldens() {
        for golden in inference("tests") {
            let deltas: Vec<f64> = serde_json::from_value(golden["deltas"].clone()).unwrap();
            let sizes = vec![1.0; deltas.len()];
            let value = ratio(deltas.iter().sum(), sizes.iter().sum());
            let error = standard_error(value, &deltas, &sizes).unwrap();
            let degrees = (deltas.len() - 1) as f64;
            let sampled = Sampled { value: value.unwrap(), error, degrees };
            let number = |key: &str| golden[key].as_f64().unwrap();
            close(sampled.p(), number("p"), "p");
            let margins = (number("low"), number("high"));
            close(sampled.equivalence_p(margins), number("equivalence_p"), "equivalence p");
        }
    }

    #[test]
    fn without_spread_the_value_decides() {
        let of = |value| Sampled { value, error: 0.0, degrees: 3.0 };
        assert_eq!((of(0.0).p(), of(-1e-9).p()), (1.0, 0.0));
        let margins = (-0.5, 0.5);
        let found = [0.0, 0.4, 0.5, -0.6].map(|value| of(value).equivalence_p(margins));
        assert_eq!(found, [0.0, 0.0, 1.0, 1.0]);
    }
}
