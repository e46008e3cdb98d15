//! Scope: which layers and components are quantized, and its spelling. Not how they are quantized (`quant`).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::components::Components;
use crate::layer::{Layer, Stack};
use crate::parse::{ParseError, serde_by_spelling};

/// The layers and, in them, the components that a config is applied to.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Scope {
    /// Which layers.
    pub layers: Layers,
    /// Which tensors of those layers.
    pub components: Components,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.layers, self.components)
    }
}

/// A set of layers: `all`, `only(3)`, `only(0,4..7)`, `all-but(3)`. Both ends of a range belong to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layers {
    /// Every layer.
    All,
    /// These layers.
    Only(BTreeSet<Layer>),
    /// Every layer but these.
    AllBut(BTreeSet<Layer>),
}

impl Layers {
    /// One layer alone.
    pub fn only(layer: Layer) -> Self {
        Self::Only(BTreeSet::from([layer]))
    }

    /// Every layer but one.
    pub fn all_but(layer: Layer) -> Self {
        Self::AllBut(BTreeSet::from([layer]))
    }

    /// True where `layer` belongs to the set.
    pub fn contains(&self, layer: Layer) -> bool {
        match self {
            Self::All => true,
            Self::Only(layers) => layers.contains(&layer),
            Self::AllBut(layers) => !layers.contains(&layer),
        }
    }

    /// The layers that the spelling names.
    pub fn named(&self) -> impl Iterator<Item = Layer> + '_ {
        let layers = match self {
            Self::All => None,
            Self::Only(layers) | Self::AllBut(layers) => Some(layers),
        };
        layers.into_iter().flatten().copied()
    }

    /// The single layer of `only(layer)`.
    pub fn single(&self) -> Option<Layer> {
        match self {
            Self::Only(layers) if layers.len() == 1 => layers.first().copied(),
            Self::Only(_) | Self::All | Self::AllBut(_) => None,
        }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Only(layers) => write!(f, "only({})", spell(layers)),
            Self::AllBut(layers) => write!(f, "all-but({})", spell(layers)),
        }
    }
}

/// The canonical list: ascending, runs of three or more as ranges.
pub(crate) fn spell(layers: &BTreeSet<Layer>) -> String {
    let mut runs: Vec<(Layer, Layer)> = Vec::new();
    for &layer in layers {
        match runs.last_mut() {
            Some((_, last)) if last.stack == layer.stack && last.index + 1 == layer.index => {
                *last = layer;
            }
            _ => runs.push((layer, layer)),
        }
    }
    let words = runs.iter().map(|&(first, last)| match last.index - first.index {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}..{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

impl FromStr for Layers {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("scope", text, EXPECTED);
        if text == "all" {
            return Ok(Self::All);
        }
        let (head, list) =
            text.strip_suffix(')').and_then(|t| t.split_once('(')).ok_or_else(error)?;
        let layers = parse_list(list).map_err(|_| error())?;
        match head {
            "only" => Ok(Self::Only(layers)),
            "all-but" => Ok(Self::AllBut(layers)),
            _ => Err(error()),
        }
    }
}

const EXPECTED: &str = "all, only(LAYERS) or all-but(LAYERS) with layers such as 3, 0,5 or 4..7";

/// Longest range that a spelling may name; no model is deeper.
const RANGE_MAX: u32 = 4096;

pub(crate) fn parse_list(list: &str) -> Result<BTreeSet<Layer>, ParseError> {
    let mut layers = BTreeSet::new();
    for word in list.split(',') {
        let word = word.trim();
        let (first, last) = word.split_once("..").unwrap_or((word, word));
        let (first, last): (Layer, Layer) = (first.parse()?, last.parse()?);
        if first.stack != last.stack || first.index > last.index || last.index > RANGE_MAX {
            return Err(ParseError::new("range of layers", word, "ascending, of one stack"));
        }
        let stack: Stack = first.stack;
        layers.extend((first.index..=last.index).map(|index| Layer { stack, index }));
    }
    Ok(layers)
}

serde_by_spelling!(Layers);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        let layers: Layers = text.parse().unwrap();
        assert_eq!(layers.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(layers));
    }

    #[test]
    fn spellings_are_canonical_and_round_trip() {
        check("all", "all");
        check("only(3)", "only(3)");
        check("only(5, 3,4,9)", "only(3..5,9)");
        check("only(0..1)", "only(0,1)");
        check("all-but(0,enc.2..enc.4)", "all-but(enc.2..enc.4,0)");
    }

    #[test]
    fn mistakes_are_errors() {
        for wrong in ["", "only()", "only", "some(1)", "only(3..1)", "only(1", "all-but(x)", "All"]
        {
            assert!(wrong.parse::<Layers>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn membership() {
        let layers: Layers = "all-but(1)".parse().unwrap();
        assert!(layers.contains(Layer::dec(0)) && !layers.contains(Layer::dec(1)));
        assert_eq!(Layers::only(Layer::dec(2)).single(), Some(Layer::dec(2)));
    }
}
