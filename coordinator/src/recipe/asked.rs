//! What is asked of a recipe: how many bits a weight may take, and whose loss counts. Their spelling; not the answer (`solve`).

use std::fmt;
use std::str::FromStr;

/// Bits per weight over the matrices in scope, scales included: `4.5bpw`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget(f64);

impl Budget {
    /// The bits.
    pub fn bits_per_weight(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}bpw", self.0)
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix("bpw").unwrap_or(text).parse().ok();
        let positive = number.filter(|bits: &f64| bits.is_finite() && *bits > 0.0);
        positive.map(Self).ok_or_else(|| "expected bits per weight such as 4.5bpw".to_owned())
    }
}

/// Whose predicted ΔNLL is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// The language's that loses most.
    WorstLanguage,
    /// The mean over languages, each counted once.
    Mean,
}

impl Objective {
    const ALL: [(Self, &'static str); 2] =
        [(Self::WorstLanguage, "worst-language"), (Self::Mean, "mean")];

    /// Whose loss it is.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::WorstLanguage => "the worst language",
            Self::Mean => "the mean language",
        }
    }

    /// What it makes of the languages' losses; nothing of none.
    pub fn of(self, losses: &[f64]) -> Option<f64> {
        match self {
            Self::WorstLanguage => losses.iter().copied().reduce(f64::max),
            Self::Mean => {
                (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
            }
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::WorstLanguage => Self::ALL[0].1,
            Self::Mean => Self::ALL[1].1,
        };
        f.write_str(name)
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(_, name)| *name == text);
        let names = Self::ALL.map(|(_, name)| name).join(" or ");
        found.map(|(objective, _)| objective).ok_or_else(|| format!("expected {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for text in ["4.5bpw", "4bpw", "2.625bpw"] {
            assert_eq!(text.parse::<Budget>().unwrap().to_string(), text);
        }
        assert_eq!("4.5".parse(), Ok(Budget(4.5)));
        for wrong in ["", "bpw", "-1bpw", "0", "infbpw", "NaN", "4 bpw"] {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong:?}");
        }
        for text in ["worst-language", "mean"] {
            assert_eq!(text.parse::<Objective>().unwrap().to_string(), text);
        }
        assert!("best".parse::<Objective>().is_err());
    }

    #[test]
    fn objectives() {
        let losses = [0.1, 0.4, -0.2];
        assert_eq!(Objective::WorstLanguage.of(&losses), Some(0.4));
        assert!((Objective::Mean.of(&losses).unwrap() - 0.1).abs() < 1e-15);
        assert_eq!((Objective::Mean.of(&[]), Objective::WorstLanguage.of(&[])), (None, None));
    }
}
