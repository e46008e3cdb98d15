//! Rules: how a matrix is brought onto a grid, by itself or with what is known about its inputs; their spelling.

use std::fmt;
use std::num::NonZeroU32;

use super::words::Words;
use super::{Bits, Decimal, Grid, Named, Uniform};

/// How a matrix is brought onto a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Each weight to the nearest value of the grid.
    Nearest(Grid),
    /// Column by column, each column's error made up for by those after it (Frantar et al. 2022): `gptq-int4-group128`,
    /// `gptq-actorder-int4-group128`, `gptq-damp0.1-int4-channel`. Needs calibration.
    Gptq {
        /// The grid.
        grid: Uniform,
        /// Which column comes first.
        order: ColumnOrder,
        /// Share of the mean diagonal that is added to the diagonal; 0.01 goes without saying.
        damping: Decimal,
    },
    /// Columns scaled by their inputs before rounding (Lin et al. 2023): `awq-int4-asym-group128`. Needs calibration.
    Awq(Uniform),
    /// Columns scaled to share their inputs' range (Xiao et al. 2022): `smooth0.5-int8-channel-a8`. Needs calibration.
    SmoothQuant {
        /// How much of the range moves from the inputs to the weights, α.
        strength: Decimal,
        /// The grid of the weights.
        grid: Uniform,
    },
    /// A zero point refined without data (Badri & Shaji 2023): `hqq-int4-group64`.
    Hqq {
        /// Width of a code.
        bits: Bits,
        /// Weights along a row that share scale and zero point.
        group: NonZeroU32,
    },
    /// Rows in int8, inputs in int8 but for columns of outliers (Dettmers et al. 2022): `llm-int8-6`.
    LlmInt8 {
        /// Inputs of this magnitude make their column an outlier.
        threshold: Decimal,
    },
    /// A rule with a name of its own.
    Named(Named),
}

/// Which column GPTQ rounds first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnOrder {
    /// As they are stored.
    Stored,
    /// The one with the largest inputs: `-actorder`.
    Activation,
}

impl Rule {
    /// True for a rule that needs the moments of the inputs over calibration text.
    pub fn is_calibrated(&self) -> bool {
        match self {
            Self::Gptq { .. } | Self::Awq(_) | Self::SmoothQuant { .. } => true,
            Self::Nearest(_) | Self::Hqq { .. } | Self::LlmInt8 { .. } | Self::Named(_) => false,
        }
    }

    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        if let Some(named) = Named::all().find(|named| words.take(&named.to_string())) {
            return Some(Self::Named(named));
        }
        if words.take("gptq") {
            let order = match words.take("actorder") {
                true => ColumnOrder::Activation,
                false => ColumnOrder::Stored,
            };
            let damping = words.take_after("damp").unwrap_or(DAMPING);
            return Some(Self::Gptq { grid: Uniform::parse(words)?, order, damping });
        }
        if words.take("awq") {
            return Uniform::parse(words).map(Self::Awq);
        }
        if let Some(strength) = words.take_after::<Decimal>("smooth") {
            let grid = Uniform::parse(words)?;
            return (strength.value() < 1.0).then_some(Self::SmoothQuant { strength, grid });
        }
        if words.take("hqq") {
            return Some(Self::Hqq {
                bits: words.take_after("int")?,
                group: words.take_after("group")?,
            });
        }
        if words.take("llm-int8") {
            return Some(Self::LlmInt8 { threshold: words.take_after("").unwrap_or(THRESHOLD) });
        }
        Grid::parse(words).map(Self::Nearest)
    }
}

/// Damping of GPTQ where none is given.
const DAMPING: Decimal = Decimal::from_thousandths(10);
/// Threshold of LLM.int8() where none is given.
const THRESHOLD: Decimal = Decimal::from_thousandths(6000);

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(grid) => grid.fmt(f),
            Self::Gptq { grid, order, damping } => {
                let order = if *order == ColumnOrder::Activation { "actorder-" } else { "" };
                match *damping == DAMPING {
                    true => write!(f, "gptq-{order}{grid}"),
                    false => write!(f, "gptq-{order}damp{damping}-{grid}"),
                }
            }
            Self::Awq(grid) => write!(f, "awq-{grid}"),
            Self::SmoothQuant { strength, grid } => write!(f, "smooth{strength}-{grid}"),
            Self::Hqq { bits, group } => write!(f, "hqq-int{bits}-group{group}"),
            Self::LlmInt8 { threshold } => write!(f, "llm-int8-{threshold}"),
            Self::Named(named) => named.fmt(f),
        }
    }
}
