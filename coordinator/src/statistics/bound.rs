//! A claim's bound of a correlation: below or above a number, or other than 0. The p of a number other than 0, and what so many pairs can
//! show; the tests against 0 stand with their statistics (`permutation`, `kendall`, `partial`).

use super::distribution::{normal_cdf, normal_quantile};
use super::fisher::Scale;
use super::power::{Aim, POWER};
use super::side::Side;

/// Below or above a number, or other than 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Which side of the number.
    pub side: Side,
    /// Between −1 and 1; 0 for `Apart`.
    pub number: f64,
}

impl Bound {
    /// p that an estimate is beyond the number by chance: on Fisher's scale (atanh r − atanh number)/error is nearly normal. `None` without
    /// degrees of freedom.
    pub fn fisher_p(self, r: f64, scale: Scale) -> Option<f64> {
        let error = scale.error()?;
        Some(self.side.p_of_normal((r.atanh() - self.number.atanh()) / error))
    }

    /// The correlation of size `effect` that the claim speaks of: below 0 for `<`, above for `>`, either for `!=`.
    pub fn effect(self, effect: f64) -> f64 {
        if self.side == Side::Below { -effect } else { effect }
    }

    /// The probability with which a test at `level` finds a correlation of size `effect` in `n` pairs, of which covariates have been taken
    /// off; `None` below four. Against 0 the power of the t test (science §E.10, as pwr), else that of Fisher's z.
    pub fn power(self, effect: f64, n: f64, level: f64) -> Option<f64> {
        if n <= 3.0 {
            return None;
        }
        if self.number == 0.0 {
            let two_sided = if self.side == Side::Apart { level } else { (2.0 * level).min(1.0) };
            let aim = Aim { level: two_sided, power: POWER };
            return Some(aim.chance(effect, n, self.side));
        }
        self.fisher_power(effect, Scale::pearson(n - 3.0), level)
    }

    /// The same of an estimate that spreads so on Fisher's scale, against any number; `None` without degrees of freedom.
    pub fn fisher_power(self, effect: f64, scale: Scale, level: f64) -> Option<f64> {
        let distance = (self.effect(effect).atanh() - self.number.atanh()).abs() / scale.error()?;
        let beyond = |distance, level| normal_cdf(distance + normal_quantile(level));
        Some(match self.side {
            Side::Below | Side::Above => beyond(distance, level),
            Side::Apart => beyond(distance, level / 2.0) + beyond(-distance, level / 2.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::goldens::hypotheses;
    use super::super::power::pairs_from;
    use super::*;

    #[test]
    fn power_as_pingouin() {
        let goldens = hypotheses();
        for golden in goldens["power"].as_array().unwrap() {
            let number = |key: &str| golden[key].as_f64().unwrap();
            let side = match golden["relation"].as_str().unwrap() {
                "<" => Side::Below,
                ">" => Side::Above,
                _ => Side::Apart,
            };
            let (bound, effect) = (Bound { side, number: number("number") }, number("effect"));
            let (n, level) = (number("n"), number("level"));
            let found = bound.power(effect, n, level).unwrap();
            assert!((found - number("power")).abs() < 1e-7, "{found} {golden}");
            let enough = |n| bound.power(effect, n, level).is_some_and(|power| power >= POWER);
            let needed = pairs_from(enough).unwrap();
            assert!((bound.power(effect, needed, level).unwrap() - POWER).abs() < 1e-9, "{golden}");
        }
        assert_eq!(Bound { side: Side::Below, number: 0.0 }.power(0.5, 3.0, 0.05), None);
    }
}
