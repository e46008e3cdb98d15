//! Which text the inputs of a calibrated rule come from. Not the text.

use std::fmt;
use std::str::FromStr;

use crate::language::Language;
use crate::parse::ParseError;
use crate::serde_by_spelling;

/// A calibration set: one language, or all calibration languages in equal parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CalibrationSet {
    /// One language: `@eng`.
    Language(Language),
    /// Every calibration language, with an equal share of the budget: `@mix`.
    Mix,
}

impl fmt::Display for CalibrationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Language(language) => language.fmt(f),
            Self::Mix => f.write_str("mix"),
        }
    }
}

impl FromStr for CalibrationSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "mix" => Ok(Self::Mix),
            language => language.parse().map(Self::Language),
        }
    }
}

serde_by_spelling!(CalibrationSet);
