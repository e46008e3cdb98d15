//! What a sample can see: the smallest correlation that a test of it detects, and how many pairs a correlation needs. Not a test.

use std::collections::BTreeMap;

use super::distribution::{correlation_p, normal_cdf};
use super::side::Side;

/// Two-sided level of the tests whose power is stated.
pub const LEVEL: f64 = 0.05;
/// Probability of detecting the correlation that is stated.
pub const POWER: f64 = 0.8;

/// A two-sided test of a correlation at a level, and the probability with which it should find one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aim {
    /// Level of the test.
    pub level: f64,
    /// Probability of finding the correlation.
    pub power: f64,
}

/// A test at 5 % that finds with 80 %.
pub const AIM: Aim = Aim { level: LEVEL, power: POWER };

impl Aim {
    /// The smallest |r| that the test finds in `n` pairs; `None` below four. The power is Φ((z'−z_c)√(n−3)) + Φ((−z'−z_c)√(n−3)),
    /// z' = atanh r + r/(2(n−1)), z_c = atanh(critical r) (science §E.10, as pwr).
    pub fn detectable_r(self, n: usize) -> Option<f64> {
        (n > 3).then(|| {
            let critical = self.critical_r(n as f64);
            smallest((0.0, 1.0), |r| power(r, n as f64, critical) >= self.power)
        })
    }

    /// The number of pairs, a real one, from which on the test finds a correlation of `r`; `None` where no number up to 10⁹ does.
    pub fn pairs_needed(self, r: f64) -> Option<f64> {
        pairs_from(|n| power(r.abs(), n, self.critical_r(n)) >= self.power)
    }

    /// The probability of finding a correlation of size `r` in `n` pairs. A test of one side has half the level.
    pub(super) fn chance(self, r: f64, n: f64, side: Side) -> f64 {
        let critical = self.critical_r(n);
        match side {
            Side::Apart => power(r, n, critical),
            Side::Below | Side::Above => one_side(r, n, critical),
        }
    }

    /// The smallest |r| that is significant in `n` pairs.
    fn critical_r(self, n: f64) -> f64 {
        smallest((0.0, 1.0), |r| correlation_p(r, n - 2.0) <= self.level)
    }
}

/// The whole number of pairs that a correlation needs, for many correlations: what is significant in so many pairs is computed once.
#[derive(Debug, Default)]
pub struct Needed(BTreeMap<u32, f64>);

impl Needed {
    /// The least number of pairs, four at least, in which the test finds a correlation of `r`; `None` where 2³⁰ are not enough.
    pub fn pairs(&mut self, aim: Aim, r: f64) -> Option<u32> {
        let mut enough = |n: u32| {
            let critical = *self.0.entry(n).or_insert_with(|| aim.critical_r(n.into()));
            power(r.abs(), n.into(), critical) >= aim.power
        };
        let most = (2..31).map(|doublings| 1 << doublings).find(|&n| enough(n))?;
        // Powers of two are shared by all correlations; between them halves are.
        let (mut low, mut high) = (most / 2, most);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(high.max(4))
    }
}

/// The probability that a correlation of `r` in `n` pairs comes out beyond the critical one.
fn power(r: f64, n: f64, critical: f64) -> f64 {
    one_side(r, n, critical) + one_side(-r, n, critical)
}

/// The same beyond the critical one on the side of positive correlations.
fn one_side(r: f64, n: f64, critical: f64) -> f64 {
    let shifted = r.atanh() + r / (2.0 * (n - 1.0));
    normal_cdf((shifted - critical.atanh()) * (n - 3.0).sqrt())
}

/// The number of pairs, a real one, from which on `holds` is true; `None` where it is not at 10⁹.
pub fn pairs_from(holds: impl Fn(f64) -> bool) -> Option<f64> {
    let holds = |log_n: f64| holds(log_n.exp());
    let ends = (3.0_f64.ln(), 1e9_f64.ln());
    holds(ends.1).then(|| smallest(ends, holds).exp())
}

/// The smallest number between the ends from which on `holds` is true, by bisection to the last bits.
fn smallest((mut low, mut high): (f64, f64), holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match holds(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_languages_see_only_large_effects() {
        let close =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-9, "{found}");
        close(AIM.detectable_r(14).unwrap(), 0.675_762_153_376_148_4);
        close(AIM.critical_r(14.0), 0.532_412_804_681_309_6);
        close(Aim { power: 0.9, ..AIM }.detectable_r(14).unwrap(), 0.740_430_012_985_515_9);
        let layers = Aim { level: 0.05 / 24.0, ..AIM };
        close(layers.critical_r(14.0), 0.748_248_613_495_885);
        close(layers.detectable_r(14).unwrap(), 0.830_816_817_717_976);
    }

    #[test]
    fn needs_four_pairs_and_falls_with_n() {
        assert_eq!(AIM.detectable_r(3), None);
        assert!(AIM.detectable_r(4).unwrap() > AIM.detectable_r(5).unwrap());
        assert!((0.1..0.3).contains(&AIM.detectable_r(200).unwrap()));
    }

    #[test]
    fn whole_pairs_needed_are_the_real_ones_rounded_up() {
        let mut needed = Needed::default();
        for r in [0.999, 0.9, 0.7, -0.5, 0.3, 0.123, 0.01] {
            let real = AIM.pairs_needed(r).unwrap().ceil().max(4.0);
            assert_eq!(needed.pairs(AIM, r).map(f64::from), Some(real), "{r}");
        }
        assert_eq!((needed.pairs(AIM, 0.0), needed.pairs(AIM, 1e-9)), (None, None));
    }

    #[test]
    fn pairs_needed_fall_with_r() {
        for (r, expected) in [(0.3, 84.07), (0.5, 28.25), (-0.7, 12.82)] {
            assert!((AIM.pairs_needed(r).unwrap() - expected).abs() < 0.005, "{r}");
        }
        assert_eq!(AIM.pairs_needed(0.0), None);
        let n = AIM.pairs_needed(0.675_762_153_376_148_4).unwrap();
        assert!((n - 14.0).abs() < 1e-6, "{n}");
    }
}
