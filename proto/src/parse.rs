//! The error of every spelling in this crate: what was read, what was expected. Not a parser.

use thiserror::Error;

/// A text that is not a spelling of the named thing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no {what}: expected {expected}")]
pub struct ParseError {
    /// The thing that was wanted, such as `layer`.
    pub what: &'static str,
    /// What was read.
    pub text: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

impl ParseError {
    /// An error about `text`.
    pub(crate) fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        Self { what, text: text.to_owned(), expected }
    }
}

/// Implements serde by the type's `Display` and `FromStr`, its only spelling.
#[macro_export]
macro_rules! serde_by_spelling {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
