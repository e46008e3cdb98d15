//! Spellings of scopes, configs and whatever else is a word in study files and tables: a word that is read is written in one way, and read
//! again as the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use babelquant_coordinator::study::{ConfigPattern, ScopePattern};
use babelquant_proto::quant::{CalibrationSet, CheckpointName, QuantConfig};
use babelquant_proto::{
    Components, EngineClass, Language, LanguageTag, Layer, LayerSet, Layers, NamedSet, Shape,
};

/// Shapes that scopes are held against.
const SHAPES: [Shape; 2] = [
    Shape { encoder_layers: 0, layers: 3, hidden: 8, vocabulary: 16, positions: None },
    Shape { encoder_layers: 2, layers: 24, hidden: 8, vocabulary: 16, positions: None },
];

/// Reads a text as every kind of word.
///
/// # Panics
/// A word that was read is not read again as it was.
pub fn spelling(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    drop(text.parse::<LanguageTag>());
    again::<CalibrationSet>(text);
    again::<CheckpointName>(text);
    again::<Components>(text);
    again::<ConfigPattern>(text);
    again::<EngineClass>(text);
    again::<Language>(text);
    again::<Layer>(text);
    again::<LayerSet>(text);
    again::<NamedSet>(text);
    again::<QuantConfig>(text);
    again::<ScopePattern>(text);
    let Some(layers) = again::<Layers>(text) else { return };
    let listed = || layers.set().into_iter().flat_map(LayerSet::listed);
    for shape in SHAPES.iter().filter(|shape| listed().all(|layer| shape.has(layer))) {
        if let Some(known) = layers.known(shape) {
            assert_eq!(known.len(), layers.count(shape), "{layers} of {shape:?}");
        }
    }
}

fn again<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Debug> + Display + PartialEq + Debug,
{
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    let same: T = written.parse().expect("what is written can be read");
    assert_eq!(same, read, "{text:?} is written as {written:?}");
    assert_eq!(same.to_string(), written, "{text:?}");
    Some(read)
}
