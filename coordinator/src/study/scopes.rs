//! Scopes as a study writes them: one set of layers, or a shorthand for many. Not what the sets mean (proto `scope`), nor what is
//! evaluated at them (`cells`).

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use babelquant_proto::{Layer, LayerSet, Layers, NamedSet, ParseError, Shape};

/// A scope of the study file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopePattern {
    /// One scope.
    One(Layers),
    /// `only(SETS)`, or `SETS` for short: a scope for each of many sets.
    Only(Sets),
    /// `all-but(SETS)`: likewise, everything but the set.
    AllBut(Sets),
}

/// Many sets of layers in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// `each`: every layer alone.
    Each,
    /// `combinations(2)`: every set of so many layers.
    Combinations(NonZeroU32),
    /// `random(3,1..20)`: a random set of so many layers for each seed of a range; both ends belong to it.
    Random {
        /// Layers in a set.
        count: NonZeroU32,
        /// First and last seed.
        seeds: (u64, u64),
    },
}

/// Most sets that one word may stand for: every shard is run once for each and every config.
const SETS_MAX: u64 = 5000;

impl ScopePattern {
    /// The scopes that the pattern stands for in a model of this shape.
    ///
    /// # Errors
    /// Why the model has no such set, or too many.
    pub(super) fn expand(&self, shape: &Shape) -> Result<Vec<Layers>, String> {
        let all = |sets: &Sets, side: fn(LayerSet) -> Layers| {
            let sets = sets.expand(shape)?.into_iter();
            Ok(sets.map(side).collect())
        };
        match self {
            Self::One(layers) => {
                let named = layers.set().and_then(LayerSet::named);
                named.map_or(Ok(()), |set| deep_enough(shape, set.depth_min()))?;
                Ok(vec![layers.clone()])
            }
            Self::Only(sets) => all(sets, Layers::Only),
            Self::AllBut(sets) => all(sets, Layers::AllBut),
        }
    }
}

impl Sets {
    /// The sets of a model, in the order of the forward pass or of the seeds.
    fn expand(self, shape: &Shape) -> Result<Vec<LayerSet>, String> {
        let layers: Vec<Layer> = shape.stacked_layers().collect();
        match self {
            Self::Each => Ok(layers.into_iter().map(LayerSet::from).collect()),
            Self::Combinations(count) => {
                deep_enough(shape, count.get())?;
                few_enough(binomial(shape.depth(), count.get()))?;
                let sets = combinations(&layers, count.get() as usize).into_iter();
                Ok(sets.map(LayerSet::from).collect())
            }
            Self::Random { count, seeds: (first, last) } => {
                deep_enough(shape, count.get())?;
                let (wanted, there) = (last - first, binomial(shape.depth(), count.get()));
                few_enough(wanted.saturating_add(1))?;
                if wanted >= there {
                    return Err(format!(
                        "of its {} layers there are only {there} such sets: combinations({count}) has each of them once",
                        shape.depth()
                    ));
                }
                let set = |seed| LayerSet::Named(NamedSet::Random { count, seed });
                Ok((first..=last).map(set).collect())
            }
        }
    }
}

fn deep_enough(shape: &Shape, layers: u32) -> Result<(), String> {
    match shape.depth() {
        depth if depth < layers => Err(format!("the set needs {layers} layers, it has {depth}")),
        _ => Ok(()),
    }
}

fn few_enough(sets: u64) -> Result<(), String> {
    match sets > SETS_MAX {
        true => Err(format!(
            "it stands for {sets} sets, at most {SETS_MAX} are taken: name fewer layers, or draw some with random(K,FIRST..LAST)"
        )),
        false => Ok(()),
    }
}

/// How many sets of `count` there are in `depth` layers; the largest number where there are more than that.
pub(crate) fn binomial(depth: u32, count: u32) -> u64 {
    let count = u64::from(count.min(depth.saturating_sub(count)));
    let step =
        |product: Option<u64>, i| Some(product?.checked_mul(u64::from(depth) - i)? / (i + 1));
    (0..count).fold(Some(1), step).unwrap_or(u64::MAX)
}

/// Every set of `count` of the layers, those with the first layer first.
fn combinations(layers: &[Layer], count: usize) -> Vec<BTreeSet<Layer>> {
    if count == 0 {
        return vec![BTreeSet::new()];
    }
    let mut sets = Vec::new();
    for first in 0..(layers.len() + 1).saturating_sub(count) {
        for mut set in combinations(&layers[first + 1..], count - 1) {
            set.insert(layers[first]);
            sets.push(set);
        }
    }
    sets
}

impl fmt::Display for ScopePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(layers) => layers.fmt(f),
            Self::Only(sets) => write!(f, "only({sets})"),
            Self::AllBut(sets) => write!(f, "all-but({sets})"),
        }
    }
}

impl fmt::Display for Sets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Each => f.write_str("each"),
            Self::Combinations(count) => write!(f, "combinations({count})"),
            Self::Random { count, seeds: (first, last) } => {
                write!(f, "random({count},{first}..{last})")
            }
        }
    }
}

impl FromStr for ScopePattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let inner = |head: &str| {
            Sets::parse(text.strip_prefix(head)?.strip_prefix('(')?.strip_suffix(')')?)
        };
        let only = Sets::parse(text).or_else(|| inner("only")).map(Self::Only);
        let many = only.or_else(|| inner("all-but").map(Self::AllBut));
        let one = || text.parse().map(Self::One);
        many.map_or_else(one, Ok).map_err(|error| ParseError { expected: EXPECTED, ..error })
    }
}

impl Sets {
    fn parse(text: &str) -> Option<Self> {
        if text == "each" {
            return Some(Self::Each);
        }
        let (name, arguments) = text.strip_suffix(')')?.split_once('(')?;
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        match (name, &arguments[..]) {
            ("combinations", [count]) => count.parse().ok().map(Self::Combinations),
            ("random", [count, seeds]) => {
                let (first, last) = seeds.split_once("..")?;
                let seeds = (first.trim().parse().ok()?, last.trim().parse().ok()?);
                let count = count.parse().ok()?;
                (seeds.0 <= seeds.1).then_some(Self::Random { count, seeds })
            }
            _ => None,
        }
    }
}

const EXPECTED: &str = "all, only(SET) or all-but(SET), where SET is layers such as 3, 0,5 or 4..7, or one of prefix(K), suffix(K), \
     every-other, first+last, top(K,kurtosis), random(K,SEED), or stands for many: each, combinations(K), random(K,FIRST..LAST)";

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(encoder_layers: u32, layers: u32) -> Shape {
        Shape { encoder_layers, layers, hidden: 8, vocabulary: 16, positions: None }
    }

    fn expand(text: &str, shape: &Shape) -> Result<Vec<String>, String> {
        let pattern: ScopePattern = text.parse().unwrap();
        Ok(pattern.expand(shape)?.iter().map(Layers::to_string).collect())
    }

    #[test]
    fn spellings_are_canonical_and_round_trip() {
        for (text, canonical) in [
            ("each", "only(each)"),
            ("only(each)", "only(each)"),
            ("all-but(each)", "all-but(each)"),
            ("combinations(2)", "only(combinations(2))"),
            ("all-but(combinations(2))", "all-but(combinations(2))"),
            ("random(3, 1 .. 20)", "only(random(3,1..20))"),
            ("all-but(random(3,7..7))", "all-but(random(3,7..7))"),
            ("random(3,7)", "only(random(3,7))"),
            ("all", "all"),
        ] {
            let pattern: ScopePattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(pattern));
        }
        for wrong in [
            "all(each)",
            "combinations",
            "combinations(0)",
            "combinations(1..2)",
            "random(3,5..4)",
            "random(0,1..4)",
            "only(each,0)",
            "only(only(each))",
        ] {
            let error = wrong.parse::<ScopePattern>().unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("FIRST..LAST"), "{error}");
        }
    }

    #[test]
    fn a_word_stands_for_many_scopes() {
        assert_eq!(
            expand("combinations(2)", &shape(1, 2)).unwrap(),
            ["only(enc.0,0)", "only(enc.0,1)", "only(0,1)"]
        );
        assert_eq!(
            expand("all-but(random(2,5..7))", &shape(0, 24)).unwrap(),
            ["all-but(random(2,5))", "all-but(random(2,6))", "all-but(random(2,7))"]
        );
        assert_eq!(expand("combinations(3)", &shape(0, 24)).unwrap().len(), 2024);
        assert_eq!(expand("combinations(6)", &shape(0, 6)).unwrap(), ["only(0..5)"]);
    }

    #[test]
    fn sets_that_a_model_lacks_or_has_too_many_of_are_refused() {
        for (text, depth, part) in [
            ("prefix(7)", 6, "needs 7 layers, it has 6"),
            ("all-but(random(7,1))", 6, "needs 7 layers"),
            ("every-other(1)", 1, "needs 2 layers, it has 1"),
            ("combinations(7)", 6, "needs 7 layers"),
            ("combinations(12)", 24, "stands for 2704156 sets, at most 5000"),
            ("combinations(1000)", 4000, "at most 5000"),
            ("random(3,0..18446744073709551615)", 24, "at most 5000"),
            ("all-but(random(5,1..7))", 6, "only 6 such sets: combinations(5)"),
        ] {
            let error = expand(text, &shape(0, depth)).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(expand("random(5,1..6)", &shape(0, 6)).is_ok());
    }

    #[test]
    fn binomials() {
        assert_eq!([(6, 3), (24, 0), (24, 24), (5, 1)].map(|(n, k)| binomial(n, k)), [20, 1, 1, 5]);
        assert_eq!(binomial(24, 12), 2_704_156);
        assert_eq!(binomial(4000, 2000), u64::MAX);
    }
}
