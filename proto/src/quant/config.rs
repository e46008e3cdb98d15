//! Quantization configs and their only spelling: `int4-channel`, `int4-asym-group128`, `int4-tensor-sigma3.5`, `none`.

use std::fmt;
use std::str::FromStr;

use super::{Clip, Granularity, SigmaMultiple};
use crate::parse::{ParseError, serde_by_spelling};

/// How weights are quantized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuantConfig {
    /// The identity, computed like any other config.
    None,
    /// The identity, with the whole model computed in 32-bit floats: by how much the study's own dtype moves every result.
    F32,
    /// Round to nearest on a uniform grid.
    Uniform(Uniform),
    /// A rule with a name of its own.
    Named(Named),
}

/// A uniform grid.
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
    pub fn new(bits: u8) -> Option<Self> {
        (2..=8).contains(&bits).then_some(Self(bits))
    }

    /// The width.
    pub fn get(self) -> u8 {
        self.0
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

/// Rules that are known by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// The earlier study's rule: int4 per tensor, clipped at 3.5 σ, but at 5 σ where the layer group's excess kurtosis
    /// exceeds 100.
    Phase1KurtosisInt4,
}

impl Named {
    const ALL: [Self; 1] = [Self::Phase1KurtosisInt4];

    fn name(self) -> &'static str {
        match self {
            Self::Phase1KurtosisInt4 => "phase1-kurtosis-int4",
        }
    }

    /// The uniform grid that the rule picks for a tensor whose layer group has this excess kurtosis (dimensionless; `None`
    /// where it is undefined, which does not exceed any bound).
    pub fn grid(self, group_kurtosis: Option<f64>) -> Uniform {
        match self {
            Self::Phase1KurtosisInt4 => {
                let extreme = group_kurtosis.is_some_and(|kurtosis| kurtosis > 100.0);
                let thousandths = if extreme { 5000 } else { 3500 };
                Uniform {
                    bits: Bits(4),
                    symmetry: Symmetry::Symmetric,
                    granularity: Granularity::Tensor,
                    clip: Clip::Sigma(SigmaMultiple::from_thousandths(thousandths)),
                }
            }
        }
    }
}

impl fmt::Display for QuantConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::F32 => f.write_str("f32"),
            Self::Named(named) => f.write_str(named.name()),
            Self::Uniform(uniform) => uniform.fmt(f),
        }
    }
}

impl fmt::Display for Uniform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symmetry = match self.symmetry {
            Symmetry::Symmetric => "",
            Symmetry::Asymmetric => "-asym",
        };
        write!(f, "int{}{symmetry}-{}", self.bits.0, self.granularity)?;
        match self.clip {
            Clip::AbsMax => Ok(()),
            Clip::Sigma(multiple) => write!(f, "-sigma{multiple}"),
        }
    }
}

impl FromStr for QuantConfig {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "none" => return Ok(Self::None),
            "f32" => return Ok(Self::F32),
            _ => {}
        }
        if let Some(named) = Named::ALL.into_iter().find(|named| named.name() == text) {
            return Ok(Self::Named(named));
        }
        parse_uniform(text)
            .map(Self::Uniform)
            .ok_or_else(|| ParseError::new("config", text, EXPECTED))
    }
}

const EXPECTED: &str = "none, f32, phase1-kurtosis-int4, or intBITS[-asym]-GRANULARITY[-sigmaK] such as int4-channel, \
     int4-asym-group128, int3-tensor-sigma3.5 (BITS 2 to 8; GRANULARITY tensor, channel, groupN)";

fn parse_uniform(text: &str) -> Option<Uniform> {
    let mut words = text.split('-').peekable();
    let width = words.next()?.strip_prefix("int")?;
    let bits = (width.len() == 1).then(|| width.parse().ok()).flatten().and_then(Bits::new)?;
    let symmetry = match words.next_if_eq(&"asym") {
        Some(_) => Symmetry::Asymmetric,
        None => Symmetry::Symmetric,
    };
    let granularity = words.next()?.parse().ok()?;
    let clip = match words.next() {
        None => Clip::AbsMax,
        Some(word) => Clip::Sigma(word.strip_prefix("sigma")?.parse().ok()?),
    };
    words.next().is_none().then_some(Uniform { bits, symmetry, granularity, clip })
}

serde_by_spelling!(QuantConfig);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_round_trips() {
        let mut texts: Vec<String> = (2..=8).map(|bits| format!("int{bits}")).collect();
        let parts: [&[&str]; 3] = [
            &["", "-asym"],
            &["-tensor", "-channel", "-group32", "-group128"],
            &["", "-sigma3.5", "-sigma4", "-sigma2.125"],
        ];
        for part in parts {
            let longer = |text: &String| part.iter().map(|word| format!("{text}{word}")).collect();
            texts = texts.iter().flat_map::<Vec<_>, _>(longer).collect();
        }
        assert_eq!(texts.len(), 7 * 2 * 4 * 4);
        for text in texts {
            let config: QuantConfig = text.parse().unwrap();
            assert_eq!(config.to_string(), text);
        }
        for text in ["none", "phase1-kurtosis-int4"] {
            assert_eq!(text.parse::<QuantConfig>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn mistakes_are_errors() {
        for wrong in [
            "",
            "int4",
            "int1-tensor",
            "int9-tensor",
            "int4-row",
            "int4-group0",
            "int4-group",
            "int4-channel-sigma0",
            "int4-channel-sigma",
            "int4-channel-sigma3.5-x",
            "INT4-channel",
            "int4-channel-asym",
            "int4-tensor-sigma1e3",
            "int04-tensor",
            "int4-group032",
        ] {
            assert!(wrong.parse::<QuantConfig>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn phase1_rule_widens_above_a_kurtosis_of_100() {
        let clip = |kurtosis| Named::Phase1KurtosisInt4.grid(kurtosis).to_string();
        assert_eq!(clip(Some(100.0)), "int4-tensor-sigma3.5");
        assert_eq!(clip(Some(100.1)), "int4-tensor-sigma5");
        assert_eq!(clip(None), "int4-tensor-sigma3.5");
    }
}
