//! Scope: which layers and components are quantized, and its spelling. Not how they are quantized (`quant`).

mod list;
mod named;
mod set;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::components::Components;
use crate::layer::Layer;
use crate::model::Shape;
use crate::parse::ParseError;
use crate::serde_by_spelling;

pub(crate) use list::{parse as parse_list, spell};
pub use named::{NamedSet, Parity, ranked_by_kurtosis};
pub use set::LayerSet;

/// The layers and, in them, the components that a config is applied to.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Scope {
    /// Which layers.
    pub layers: Layers,
    /// Which tensors of those layers, and which tables outside the layers.
    pub components: Components,
}

impl Scope {
    /// What of its components stands outside the layers and is quantized: `all` and `all-but(…)` hold it, `only(…)` holds layers
    /// alone.
    pub fn outside_layers(&self) -> Components {
        match self.layers {
            Layers::All | Layers::AllBut(_) => self.components.outside_layers(),
            Layers::Only(_) => Components::none(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.layers, self.components)
    }
}

/// Which layers: `all`, `only(3)`, `only(0,4..7)`, `only(prefix(3))` or `prefix(3)` for short, `all-but(random(3,1))`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layers {
    /// Every layer.
    All,
    /// These layers.
    Only(LayerSet),
    /// Every layer but these.
    AllBut(LayerSet),
}

impl Layers {
    /// One layer alone.
    pub fn only(layer: Layer) -> Self {
        Self::Only(layer.into())
    }

    /// Every layer but one.
    pub fn all_but(layer: Layer) -> Self {
        Self::AllBut(layer.into())
    }

    /// The set that the spelling names; none for `all`.
    pub fn set(&self) -> Option<&LayerSet> {
        match self {
            Self::All => None,
            Self::Only(set) | Self::AllBut(set) => Some(set),
        }
    }

    /// The single layer of `only(layer)`.
    pub fn single(&self) -> Option<Layer> {
        match self {
            Self::Only(set) => set.single(),
            Self::All | Self::AllBut(_) => None,
        }
    }

    /// The layers of a model of `shape` that are quantized; `ranking`, its layers by falling kurtosis, is asked for only where
    /// the set is one of those with the highest.
    ///
    /// # Errors
    /// Those of `ranking`.
    pub fn resolve<E>(
        &self,
        shape: &Shape,
        ranking: impl FnOnce() -> Result<Vec<Layer>, E>,
    ) -> Result<BTreeSet<Layer>, E> {
        let all = || shape.stacked_layers();
        match self {
            Self::All => Ok(all().collect()),
            Self::Only(set) => set.resolve(shape, ranking),
            Self::AllBut(set) => {
                let left_out = set.resolve(shape, ranking)?;
                Ok(all().filter(|layer| !left_out.contains(layer)).collect())
            }
        }
    }

    /// As `resolve` by the shape alone; `None` where only the weights tell.
    pub fn known(&self, shape: &Shape) -> Option<BTreeSet<Layer>> {
        self.resolve(shape, || Err(())).ok()
    }

    /// The layers of a model of `shape` that may be quantized: every one where only the weights tell.
    pub fn possible(&self, shape: &Shape) -> BTreeSet<Layer> {
        self.known(shape).unwrap_or_else(|| shape.stacked_layers().collect())
    }

    /// How many layers of a model of `shape` are quantized.
    pub fn count(&self, shape: &Shape) -> usize {
        let of = |set: &LayerSet| set.count(shape.depth()) as usize;
        let depth = shape.depth() as usize;
        match self {
            Self::All => depth,
            Self::Only(set) => of(set),
            Self::AllBut(set) => depth.saturating_sub(of(set)),
        }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Only(set) => write!(f, "only({set})"),
            Self::AllBut(set) => write!(f, "all-but({set})"),
        }
    }
}

impl FromStr for Layers {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = || ParseError::new("scope", text, EXPECTED);
        if text == "all" {
            return Ok(Self::All);
        }
        let set = |text: &str| text.parse().map_err(|_| error());
        match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some(("only", text)) => set(text).map(Self::Only),
            Some(("all-but", text)) => set(text).map(Self::AllBut),
            Some(_) | None => {
                let named: NamedSet = text.parse().map_err(|_| error())?;
                Ok(Self::Only(LayerSet::Named(named)))
            }
        }
    }
}

const EXPECTED: &str = "all, only(SET) or all-but(SET), where SET is layers such as 3, 0,5 or 4..7, or one of prefix(K), suffix(K), \
     every-other, first+last, top(K,kurtosis), random(K,SEED)";

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
        for set in [
            "prefix(3)",
            "suffix(12)",
            "every-other",
            "every-other(1)",
            "first+last",
            "top(3,kurtosis)",
            "random(3,18446744073709551615)",
        ] {
            let (only, all_but) = (format!("only({set})"), format!("all-but({set})"));
            check(set, &only);
            check(&only, &only);
            check(&all_but, &all_but);
        }
        check("top( 3 , kurtosis )", "only(top(3,kurtosis))");
        check("every-other(0)", "only(every-other)");
    }

    #[test]
    fn mistakes_are_errors() {
        for wrong in [
            "",
            "only()",
            "only",
            "some(1)",
            "only(3..1)",
            "only(1",
            "all-but(x)",
            "All",
            "3",
            "only(all)",
            "only(only(3))",
            "all(3)",
            "prefix",
            "prefix()",
            "prefix(0)",
            "prefix(-1)",
            "prefix(03)",
            "prefix(3,1)",
            "prefix(3)x",
            "prefix(3))",
            "only(prefix(3)",
            "only(0,prefix(3))",
            "every-other(2)",
            "last+first",
            "first+last(1)",
            "top(3)",
            "top(3,std)",
            "top(0,kurtosis)",
            "random(3)",
            "random(0,1)",
            "random(3,-1)",
            "random(3,18446744073709551616)",
            "random(3,1..4)",
        ] {
            assert!(wrong.parse::<Layers>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_held() {
        let shape =
            Shape { encoder_layers: 0, layers: 3, hidden: 8, vocabulary: 16, positions: None };
        let held = |text: &str| -> Vec<String> {
            let layers: Layers = text.parse().unwrap();
            let held = layers.known(&shape).unwrap();
            assert_eq!(held.len(), layers.count(&shape), "{text}");
            held.iter().map(Layer::to_string).collect()
        };
        assert_eq!(held("all"), ["0", "1", "2"]);
        assert_eq!(held("all-but(1)"), ["0", "2"]);
        assert_eq!(held("all-but(suffix(2))"), ["0"]);
        assert!("all-but(top(1,kurtosis))".parse::<Layers>().unwrap().known(&shape).is_none());
        assert_eq!(Layers::only(Layer::dec(2)).single(), Some(Layer::dec(2)));
        assert_eq!("prefix(1)".parse::<Layers>().unwrap().single(), None);
    }
}
