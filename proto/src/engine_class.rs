//! Engine class: what decides the last bits of a number. Two workers of one class return identical bytes; not a device name.

use std::fmt;

use crate::parse::ParseError;
use crate::serde_by_spelling;

/// Backend, instruction set or GPU architecture, and versions, such as `cpu-x86_64-avx512f-candle0.11.1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineClass(String);

impl EngineClass {
    /// Its spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EngineClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for EngineClass {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || text.len() > 120 || !text.bytes().all(fine) {
            return Err(ParseError::new("engine class", text, "1 to 120 letters, digits, - . _"));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_by_spelling!(EngineClass);
