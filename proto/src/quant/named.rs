//! Rules that are known by a name: those of the earlier study, as it ran them, for replication. Never defaults.

use std::fmt;

use super::{Bits, Clip, Granularity, Symmetry, Uniform};

/// A rule of the earlier study: a symmetric grid per tensor whose end, in population standard deviations of the tensor, follows from the excess
/// kurtosis κ of its layer's group (κ counts as 0 where it is undefined or negative).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// Its table: 3.5 σ, but 5 σ above κ = 100. `phase1-kurtosis-int4`.
    KurtosisInt4,
    /// Its text: 3.5358·(1 + 0.1·κ) σ. The factor is what its program computed; Banner's own would be 2.5225.
    /// `phase1-methodology-int4`.
    MethodologyInt4,
    /// (C + 0.3·ln(1 + κ)) σ, with C = 2 at three bits. `phase1-laaciq-int3`.
    LaaciqInt3,
    /// The same with C = 2.5 at four bits. `phase1-laaciq-int4`.
    LaaciqInt4,
    /// The same with C = 4 at eight bits. `phase1-laaciq-int8`.
    LaaciqInt8,
    /// 2.5 σ below κ = 4, 3 σ below 8, then (3.5 + 0.1·(κ − 8)) σ. `phase1-exp092-int4`.
    Exp092Int4,
}

impl Named {
    /// Every rule with its name.
    const NAMES: [(Self, &'static str); 6] = [
        (Self::KurtosisInt4, "phase1-kurtosis-int4"),
        (Self::MethodologyInt4, "phase1-methodology-int4"),
        (Self::LaaciqInt3, "phase1-laaciq-int3"),
        (Self::LaaciqInt4, "phase1-laaciq-int4"),
        (Self::LaaciqInt8, "phase1-laaciq-int8"),
        (Self::Exp092Int4, "phase1-exp092-int4"),
    ];

    /// Every rule.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().map(|(named, _)| named)
    }

    /// The grid, but for where it ends.
    pub fn grid(self) -> Uniform {
        let bits = match self {
            Self::LaaciqInt3 => const { Bits::new(3).expect("3 is a width") },
            Self::KurtosisInt4 | Self::MethodologyInt4 | Self::LaaciqInt4 | Self::Exp092Int4 => {
                const { Bits::new(4).expect("4 is a width") }
            }
            Self::LaaciqInt8 => const { Bits::new(8).expect("8 is a width") },
        };
        let (symmetry, granularity) = (Symmetry::Symmetric, Granularity::Tensor);
        Uniform { bits, symmetry, granularity, clip: Clip::AbsMax }
    }

    /// Where it ends, in standard deviations, for a layer group of this excess kurtosis (dimensionless).
    pub fn sigmas(self, group_kurtosis: Option<f64>) -> f64 {
        let kurtosis = group_kurtosis.unwrap_or(0.0).max(0.0);
        let laaciq = |base: f64| base + 0.3 * kurtosis.ln_1p();
        match self {
            Self::KurtosisInt4 if kurtosis > 100.0 => 5.0,
            Self::KurtosisInt4 => 3.5,
            Self::MethodologyInt4 => 3.5358 * (1.0 + 0.1 * kurtosis),
            Self::LaaciqInt3 => laaciq(2.0),
            Self::LaaciqInt4 => laaciq(2.5),
            Self::LaaciqInt8 => laaciq(4.0),
            Self::Exp092Int4 if kurtosis < 4.0 => 2.5,
            Self::Exp092Int4 if kurtosis < 8.0 => 3.0,
            Self::Exp092Int4 => 3.5 + 0.1 * (kurtosis - 8.0),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Self::NAMES.into_iter().filter(|(named, _)| named == self);
        names.try_for_each(|(_, name)| f.write_str(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_widen_with_kurtosis() {
        for (named, kurtosis, sigmas) in [
            (Named::KurtosisInt4, Some(100.0), 3.5),
            (Named::KurtosisInt4, Some(100.1), 5.0),
            (Named::KurtosisInt4, None, 3.5),
            (Named::MethodologyInt4, Some(-1.0), 3.5358),
            (Named::MethodologyInt4, Some(10.0), 7.0716),
            (Named::LaaciqInt3, Some(0.0), 2.0),
            (Named::LaaciqInt4, Some(std::f64::consts::E - 1.0), 2.8),
            (Named::LaaciqInt8, None, 4.0),
            (Named::Exp092Int4, Some(3.9), 2.5),
            (Named::Exp092Int4, Some(4.0), 3.0),
            (Named::Exp092Int4, Some(18.0), 4.5),
        ] {
            assert!((named.sigmas(kurtosis) - sigmas).abs() < 1e-12, "{named} {kurtosis:?}");
        }
    }
}
