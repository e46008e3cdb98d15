//! One layer of one stack, and its spelling: `3`, `dec.3`, `enc.3`. Not a set of layers (`scope`).

use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;
use crate::serde_by_spelling;

/// A stack of transformer blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stack {
    /// The encoder of an encoder–decoder model.
    Enc,
    /// The decoder; the only stack of a decoder-only model.
    Dec,
}

impl Stack {
    /// The value of the tables' `stack` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enc => "enc",
            Self::Dec => "dec",
        }
    }
}

/// A layer: its stack and its number from 0. A plain number is a decoder's layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// The stack it stands in.
    pub stack: Stack,
    /// Its number in the stack, from 0.
    pub index: u32,
}

impl Layer {
    /// Layer `index` of the decoder.
    pub fn dec(index: u32) -> Self {
        Self { stack: Stack::Dec, index }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stack {
            Stack::Dec => write!(f, "{}", self.index),
            Stack::Enc => write!(f, "enc.{}", self.index),
        }
    }
}

impl FromStr for Layer {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (stack, number) = match text.split_once('.') {
            Some(("enc", number)) => (Stack::Enc, number),
            Some(("dec", number)) => (Stack::Dec, number),
            _ => (Stack::Dec, text),
        };
        let error = || ParseError::new("layer", text, "a number such as 3, enc.3 or dec.3");
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let index = digits.then(|| number.parse().ok()).flatten().ok_or_else(error)?;
        Ok(Self { stack, index })
    }
}

serde_by_spelling!(Layer);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!("7".parse(), Ok(Layer::dec(7)));
        assert_eq!("dec.7".parse(), Ok(Layer::dec(7)));
        assert_eq!("enc.0".parse(), Ok(Layer { stack: Stack::Enc, index: 0 }));
        for wrong in ["", "-1", "+1", "x.3", "3.", "enc.", "1 "] {
            assert!(wrong.parse::<Layer>().is_err(), "{wrong:?}");
        }
    }
}
