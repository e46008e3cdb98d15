//! Granularity: which weights share a scale, and its spelling.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::parse::ParseError;

/// The weights that share one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// The whole stored tensor: `tensor`.
    Tensor,
    /// One output row of the matrix [out, in]: `channel`.
    Channel,
    /// Runs of so many weights along the input dimension: `group128`.
    Group(NonZeroU32),
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor => f.write_str("tensor"),
            Self::Channel => f.write_str("channel"),
            Self::Group(size) => write!(f, "group{size}"),
        }
    }
}

impl FromStr for Granularity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error =
            || ParseError::new("granularity", text, "tensor, channel or groupN such as group128");
        match text {
            "tensor" => Ok(Self::Tensor),
            "channel" => Ok(Self::Channel),
            _ => {
                let size = text.strip_prefix("group").ok_or_else(error)?;
                if size.starts_with(['0', '+']) {
                    return Err(error());
                }
                size.parse().map(Self::Group).map_err(|_| error())
            }
        }
    }
}
