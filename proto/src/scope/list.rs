//! Lists of layers: `0,4..7`. Both ends of a range belong to it.

use std::collections::BTreeSet;

use crate::layer::{Layer, Stack};
use crate::parse::ParseError;

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

/// Longest range that a spelling may name; no model is deeper.
const RANGE_MAX: u32 = 4096;

/// Reads a list in any order.
pub(crate) fn parse(list: &str) -> Result<BTreeSet<Layer>, ParseError> {
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
