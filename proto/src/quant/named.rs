//! Rules that are known by a name: those of the earlier study, for replication. Never defaults.

use std::fmt;

use super::{Bits, Clip, Decimal, Granularity, Symmetry, Uniform};

/// A rule of the earlier study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// int4 per tensor, clipped at 3.5 σ, but at 5 σ where the layer group's excess kurtosis exceeds 100.
    Phase1KurtosisInt4,
}

impl Named {
    /// Every rule.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Phase1KurtosisInt4].into_iter()
    }

    /// The uniform grid that the rule picks for a tensor whose layer group has this excess kurtosis (dimensionless; `None`
    /// where it is undefined, which does not exceed any bound).
    pub fn grid(self, group_kurtosis: Option<f64>) -> Uniform {
        match self {
            Self::Phase1KurtosisInt4 => {
                let extreme = group_kurtosis.is_some_and(|kurtosis| kurtosis > 100.0);
                let thousandths = if extreme { 5000 } else { 3500 };
                Uniform {
                    bits: const { Bits::new(4).expect("4 is a width") },
                    symmetry: Symmetry::Symmetric,
                    granularity: Granularity::Tensor,
                    clip: Clip::Sigma(Decimal::from_thousandths(thousandths)),
                }
            }
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Phase1KurtosisInt4 => "phase1-kurtosis-int4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase1_rule_widens_above_a_kurtosis_of_100() {
        let clip = |kurtosis| Named::Phase1KurtosisInt4.grid(kurtosis).to_string();
        assert_eq!(clip(Some(100.0)), "int4-tensor-sigma3.5");
        assert_eq!(clip(Some(100.1)), "int4-tensor-sigma5");
        assert_eq!(clip(None), "int4-tensor-sigma3.5");
    }
}
