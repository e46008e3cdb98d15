//! Uniform grids: bits, symmetry, which weights share a grid and where it ends; their spelling.

use std::fmt;
use std::str::FromStr;

use super::words::Words;
use super::{Clip, Granularity};

/// A uniform grid: `int4-channel`, `int4-asym-group128`, `int4-tensor-sigma3.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uniform {
    /// Width of a code.
    pub bits: Bits,
    /// Whether zero is the middle of the grid.
    pub symmetry: Symmetry,
    /// Which weights share a scale.
    pub granularity: Granularity,
    /// Where the grid ends.
    pub clip: Clip,
}

/// Width of a code in bits: 2 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bits(u8);

impl Bits {
    /// The width, if it is 2 to 8.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            2..=8 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The width.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Bits {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bits = (text.len() == 1).then(|| text.parse().ok()).flatten();
        bits.and_then(Self::new).ok_or(())
    }
}

/// Whether zero is the middle of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symmetry {
    /// Codes −(2^(b−1)−1) … 2^(b−1)−1, scale only.
    Symmetric,
    /// Codes 0 … 2^b−1, scale and zero point: `-asym`.
    Asymmetric,
}

impl fmt::Display for Uniform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symmetry = match self.symmetry {
            Symmetry::Symmetric => "",
            Symmetry::Asymmetric => "-asym",
        };
        write!(f, "int{}{symmetry}-{}{}", self.bits, self.granularity, self.clip)
    }
}

impl Uniform {
    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        let bits = words.take_after("int")?;
        let symmetry = match words.take("asym") {
            true => Symmetry::Asymmetric,
            false => Symmetry::Symmetric,
        };
        let granularity = words.take_after("")?;
        Some(Self { bits, symmetry, granularity, clip: Clip::parse(words) })
    }
}
