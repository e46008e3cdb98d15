//! Sets of layers that have a name: the same words mean the same in every model. Not lists of layers (`list`).
//!
//! A set is a choice among all layers in the order of the forward pass: of an encoder–decoder, the encoder's layers come first and
//! are counted together with the decoder's.

use std::collections::BTreeSet;
use std::fmt;
use std::iter;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::layer::Layer;
use crate::model::Shape;
use crate::parse::ParseError;
use crate::random::{below, key, stream};

/// A set of layers by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedSet {
    /// The first so many: `prefix(3)`.
    Prefix(NonZeroU32),
    /// The last so many: `suffix(3)`.
    Suffix(NonZeroU32),
    /// Every second layer: `every-other`, `every-other(1)`.
    EveryOther(Parity),
    /// The first and the last: `first+last`.
    Ends,
    /// So many with the highest excess kurtosis of the MLP's weights taken together: `top(3,kurtosis)`.
    Top(NonZeroU32),
    /// So many, drawn with a seed, each set as likely as any other: `random(3,1)`. The control of every claim about a set of
    /// this size.
    Random {
        /// How many.
        count: NonZeroU32,
        /// The seed.
        seed: u64,
    },
}

/// Which places of the forward pass, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parity {
    /// 0, 2, 4, …
    Even,
    /// 1, 3, 5, …
    Odd,
}

impl NamedSet {
    /// How many layers a model must have at least.
    pub fn depth_min(self) -> u32 {
        match self {
            Self::Prefix(count) | Self::Suffix(count) | Self::Top(count) => count.get(),
            Self::Random { count, .. } => count.get(),
            Self::EveryOther(Parity::Even) | Self::Ends => 1,
            Self::EveryOther(Parity::Odd) => 2,
        }
    }

    /// How many layers of a model of so many it has.
    pub(super) fn count(self, depth: u32) -> u32 {
        let count = match self {
            Self::Prefix(count) | Self::Suffix(count) | Self::Top(count) => count.get(),
            Self::Random { count, .. } => count.get(),
            Self::EveryOther(Parity::Even) => depth.div_ceil(2),
            Self::EveryOther(Parity::Odd) => depth / 2,
            Self::Ends => 2,
        };
        count.min(depth)
    }

    pub(super) fn resolve<E>(
        self,
        shape: &Shape,
        ranking: impl FnOnce() -> Result<Vec<Layer>, E>,
    ) -> Result<BTreeSet<Layer>, E> {
        let layers: Vec<Layer> = shape.stacked_layers().collect();
        let count = self.count(shape.depth()) as usize;
        let every_other = |first| layers.iter().skip(first).step_by(2).copied().collect();
        Ok(match self {
            Self::Prefix(_) => layers[..count].iter().copied().collect(),
            Self::Suffix(_) => layers[layers.len() - count..].iter().copied().collect(),
            Self::EveryOther(Parity::Even) => every_other(0),
            Self::EveryOther(Parity::Odd) => every_other(1),
            Self::Ends => layers.first().into_iter().chain(layers.last()).copied().collect(),
            Self::Top(_) => ranking()?.into_iter().take(count).collect(),
            Self::Random { seed, .. } => drawn(layers, count, seed),
        })
    }
}

/// The layers of a model, given in the order of the forward pass with their kurtosis, by falling kurtosis. Equal ones keep their
/// order; those without one come last.
pub fn ranked_by_kurtosis(layers: impl IntoIterator<Item = (Layer, Option<f64>)>) -> Vec<Layer> {
    let mut layers: Vec<(Layer, Option<f64>)> = layers.into_iter().collect();
    let key = |kurtosis: Option<f64>| kurtosis.unwrap_or(f64::NEG_INFINITY);
    layers.sort_by(|(_, a), (_, b)| key(*b).total_cmp(&key(*a)));
    layers.into_iter().map(|(layer, _)| layer).collect()
}

/// The first `count` layers of a shuffle (Fisher and Yates, from the front) that depends on the seed and on how many layers there
/// are.
fn drawn(mut layers: Vec<Layer>, count: usize, seed: u64) -> BTreeSet<Layer> {
    let mut random = stream(key("babelquant layers 1", seed, iter::empty()), 0);
    for place in 0..count {
        let chosen = place + below(layers.len() - place, &mut random);
        layers.swap(place, chosen);
    }
    layers.into_iter().take(count).collect()
}

impl fmt::Display for NamedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(count) => write!(f, "prefix({count})"),
            Self::Suffix(count) => write!(f, "suffix({count})"),
            Self::EveryOther(Parity::Even) => f.write_str("every-other"),
            Self::EveryOther(Parity::Odd) => f.write_str("every-other(1)"),
            Self::Ends => f.write_str("first+last"),
            Self::Top(count) => write!(f, "top({count},kurtosis)"),
            Self::Random { count, seed } => write!(f, "random({count},{seed})"),
        }
    }
}

impl FromStr for NamedSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).ok_or_else(|| ParseError::new("set of layers", text, EXPECTED))
    }
}

fn parse(text: &str) -> Option<NamedSet> {
    match text {
        "every-other" => return Some(NamedSet::EveryOther(Parity::Even)),
        "first+last" => return Some(NamedSet::Ends),
        _ => {}
    }
    let (name, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    match (name, &arguments[..]) {
        ("prefix", [count]) => number(count).map(NamedSet::Prefix),
        ("suffix", [count]) => number(count).map(NamedSet::Suffix),
        ("every-other", ["0"]) => Some(NamedSet::EveryOther(Parity::Even)),
        ("every-other", ["1"]) => Some(NamedSet::EveryOther(Parity::Odd)),
        ("top", [count, "kurtosis"]) => number(count).map(NamedSet::Top),
        ("random", [count, seed]) => {
            Some(NamedSet::Random { count: number(count)?, seed: number(seed)? })
        }
        _ => None,
    }
}

/// A number in its only spelling: digits, no zero before others.
fn number<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

const EXPECTED: &str = "prefix(K), suffix(K), every-other, every-other(1), first+last, top(K,kurtosis) or random(K,SEED)";

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(encoder_layers: u32, layers: u32) -> Shape {
        Shape { encoder_layers, layers, hidden: 8, vocabulary: 16, positions: None }
    }

    fn held(text: &str, shape: &Shape, ranking: &[Layer]) -> String {
        let set: NamedSet = text.parse().unwrap();
        let held = set.resolve(shape, || Ok::<_, ()>(ranking.to_vec())).unwrap();
        assert_eq!(held.len() as u32, set.count(shape.depth()), "{text}");
        super::super::spell(&held)
    }

    #[test]
    fn names_count_the_forward_pass_over_both_stacks() {
        let (six, both) = (shape(0, 6), shape(3, 2));
        for (text, decoder, stacks) in [
            ("prefix(2)", "0,1", "enc.0,enc.1"),
            ("prefix(4)", "0..3", "enc.0..enc.2,0"),
            ("suffix(3)", "3..5", "enc.2,0,1"),
            ("every-other", "0,2,4", "enc.0,enc.2,1"),
            ("every-other(1)", "1,3,5", "enc.1,0"),
            ("first+last", "0,5", "enc.0,1"),
        ] {
            assert_eq!(held(text, &six, &[]), decoder, "{text}");
            assert_eq!(held(text, &both, &[]), stacks, "{text}");
        }
        assert_eq!(held("first+last", &shape(0, 1), &[]), "0");
    }

    #[test]
    fn the_highest_kurtosis_wins_the_earlier_of_equals_and_undefined_last() {
        let kurtosis = [Some(2.0), None, Some(7.0), Some(2.0), Some(-0.5)];
        let layers = shape(2, 3).stacked_layers().zip(kurtosis);
        let ranking = ranked_by_kurtosis(layers);
        for (count, expected) in
            [(1, "0"), (2, "enc.0,0"), (3, "enc.0,0,1"), (4, "enc.0,0..2"), (5, "enc.0,enc.1,0..2")]
        {
            assert_eq!(held(&format!("top({count},kurtosis)"), &shape(2, 3), &ranking), expected);
        }
    }

    #[test]
    fn a_random_set_has_its_size_and_is_the_same_everywhere() {
        for (depth, count) in [(1, 1), (6, 3), (24, 3), (24, 24), (48, 12)] {
            for seed in 0..50 {
                let text = format!("random({count},{seed})");
                let first = held(&text, &shape(0, depth), &[]);
                assert_eq!(first, held(&text, &shape(0, depth), &[]));
            }
        }
        let seeds = 0..20;
        let sets: BTreeSet<String> =
            seeds.map(|seed| held(&format!("random(6,{seed})"), &shape(0, 24), &[])).collect();
        assert_eq!(sets.len(), 20);
        assert_eq!(held("random(3,1)", &shape(0, 24), &[]), "6,7,22");
        assert_eq!(held("random(3,1)", &shape(12, 12), &[]), "enc.6,enc.7,10");
    }

    /// Each of the 20 sets of 3 out of 6 layers comes up as often as any other: χ² over 4000 draws has 19 degrees of freedom,
    /// and is below 43.8 in 999 of 1000 cases.
    #[test]
    fn every_random_set_is_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..4000 {
            *counts.entry(held(&format!("random(3,{seed})"), &shape(0, 6), &[])).or_insert(0.0) +=
                1.0;
        }
        assert_eq!(counts.len(), 20);
        let chi: f64 = counts.values().map(|count: &f64| (count - 200.0).powi(2) / 200.0).sum();
        assert!(chi < 43.8, "{chi}");
    }
}
