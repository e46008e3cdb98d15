//! The cells of a model: what is evaluated on it, and what all of them come to. Not their units (`unit`).

use std::ops::Deref;

use serde::{Deserialize, Serialize, Serializer};

use crate::quant::QuantConfig;
use crate::scope::Scope;

/// A scope and the config that quantizes it.
pub type Cell = (Scope, QuantConfig);

/// The (scope, config) pairs of a model in the fixed order of its units. They never change, so what they come to is known from the start: every
/// unit's meaning depends on it, and a study has thousands of cells.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(from = "Vec<Cell>")]
pub struct Cells {
    list: Vec<Cell>,
    quantizing: bool,
    outside: bool,
}

impl Cells {
    /// True where some config changes a weight.
    pub(crate) fn quantize(&self) -> bool {
        self.quantizing
    }

    /// True where some config changes a table outside the layers.
    pub(crate) fn quantize_outside_layers(&self) -> bool {
        self.outside
    }
}

impl From<Vec<Cell>> for Cells {
    fn from(list: Vec<Cell>) -> Self {
        let mut quantizing = list.iter().filter(|(_, config)| !config.is_identity()).peekable();
        let quantizes = quantizing.peek().is_some();
        let outside = quantizing.any(|(scope, _)| !scope.outside_layers().is_empty());
        Self { quantizing: quantizes, outside, list }
    }
}

impl<const N: usize> From<[Cell; N]> for Cells {
    fn from(list: [Cell; N]) -> Self {
        Vec::from(list).into()
    }
}

impl FromIterator<Cell> for Cells {
    fn from_iter<I: IntoIterator<Item = Cell>>(cells: I) -> Self {
        Vec::from_iter(cells).into()
    }
}

impl Deref for Cells {
    type Target = [Cell];

    fn deref(&self) -> &[Cell] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Cells {
    type Item = &'a Cell;
    type IntoIter = std::slice::Iter<'a, Cell>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}
