//! Sets of layers, listed or named. Not whether they are quantized or left out (`Layers`).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::list;
use super::named::NamedSet;
use crate::layer::Layer;
use crate::model::Shape;
use crate::parse::ParseError;

/// A set of layers: `3`, `0,4..7`, `prefix(3)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerSet {
    /// Layer by layer.
    Listed(BTreeSet<Layer>),
    /// By a name that means the same in every model.
    Named(NamedSet),
}

impl LayerSet {
    /// The layers that a list spells out.
    pub fn listed(&self) -> impl Iterator<Item = Layer> + '_ {
        let layers = match self {
            Self::Listed(layers) => Some(layers),
            Self::Named(_) => None,
        };
        layers.into_iter().flatten().copied()
    }

    /// Its name, where it has one.
    pub fn named(&self) -> Option<NamedSet> {
        match self {
            Self::Listed(_) => None,
            Self::Named(set) => Some(*set),
        }
    }

    /// The layer of a list of one.
    pub fn single(&self) -> Option<Layer> {
        let mut layers = self.listed();
        layers.next().filter(|_| layers.next().is_none())
    }

    pub(super) fn resolve<E>(
        &self,
        shape: &Shape,
        ranking: impl FnOnce() -> Result<Vec<Layer>, E>,
    ) -> Result<BTreeSet<Layer>, E> {
        match self {
            Self::Listed(layers) => Ok(layers.clone()),
            Self::Named(set) => set.resolve(shape, ranking),
        }
    }

    /// How many layers of a model of so many it has.
    pub(super) fn count(&self, depth: u32) -> u32 {
        match self {
            Self::Listed(layers) => layers.len() as u32,
            Self::Named(set) => set.count(depth),
        }
    }
}

impl From<Layer> for LayerSet {
    fn from(layer: Layer) -> Self {
        Self::Listed(BTreeSet::from([layer]))
    }
}

impl From<BTreeSet<Layer>> for LayerSet {
    fn from(layers: BTreeSet<Layer>) -> Self {
        Self::Listed(layers)
    }
}

impl fmt::Display for LayerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(layers) => f.write_str(&list::spell(layers)),
            Self::Named(set) => set.fmt(f),
        }
    }
}

impl FromStr for LayerSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse() {
            Ok(named) => Ok(Self::Named(named)),
            Err(_) => list::parse(text).map(Self::Listed),
        }
    }
}
