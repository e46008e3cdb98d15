//! A claim's bound of a correlation: below or above a number, or other than 0. The p of a number other than 0, and what so many pairs can
//! show; the tests against 0 stand with their statistics (`permutation`, `kendall`, `partial`).

use super::distribution::normal_quantile;
use super::fisher::Scale;
use super::power::{Aim, POWER, pairs_from};
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
        let distance = (self.effect(effect).atanh() - self.number.atanh()).abs();
        Some(Side::Below.p_of_normal(distance * (n - 3.0).sqrt() + normal_quantile(level)))
    }

    /// The number of pairs, a real one, from which on a test at `level` finds a correlation of size `effect` with 80 %; `None` where no
    /// number up to 10⁹ does.
    pub fn pairs_needed(self, effect: f64, level: f64) -> Option<f64> {
        pairs_from(|n| self.power(effect, n, level).is_some_and(|power| power >= POWER))
    }
}

#[cfg(test)]
mod tests {
    use super::super::goldens::hypotheses;
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
            let needed = bound.pairs_needed(effect, level).unwrap();
            assert!((bound.power(effect, needed, level).unwrap() - POWER).abs() < 1e-9, "{golden}");
        }
        assert_eq!(Bound { side: Side::Below, number: 0.0 }.power(0.5, 3.0, 0.05), None);
    }
}
