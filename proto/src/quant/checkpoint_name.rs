//! Names of the checkpoints that a study measures beside its configs. Not where they lie.

use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;
use crate::serde_by_spelling;

/// The name of a checkpoint of the study: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointName(String);

impl fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CheckpointName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        match !text.is_empty() && text.chars().all(fine) {
            true => Ok(Self(text.to_owned())),
            false => Err(ParseError::new(
                "name of a checkpoint",
                text,
                "letters, digits, '.', '_' and '-'",
            )),
        }
    }
}

serde_by_spelling!(CheckpointName);
