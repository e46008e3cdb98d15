//! Positive decimals as configs spell them. Exact: what is parsed is what is printed.

use std::fmt;
use std::str::FromStr;

use crate::parse::ParseError;

/// A number above 0 with three decimals at most, so that its spelling is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    thousandths: u32,
}

impl Decimal {
    /// The number `thousandths`/1000.
    pub const fn from_thousandths(thousandths: u32) -> Self {
        Self { thousandths }
    }

    /// The number.
    pub fn value(self) -> f64 {
        f64::from(self.thousandths) / 1000.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
    }
}

impl FromStr for Decimal {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("number", text, "0.001 to 1000, three decimals at most");
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(rest) || whole.len() > 4 || rest.len() > 3 {
            return Err(error());
        }
        let whole: u32 = whole.parse().map_err(|_| error())?;
        let rest: u32 = format!("{rest:0<3}").parse().map_err(|_| error())?;
        let thousandths = whole * 1000 + rest;
        if thousandths == 0 || thousandths > 1_000_000 {
            return Err(error());
        }
        Ok(Self { thousandths })
    }
}
