//! ΔNLL of a cell in each language, and over the languages. Which cells those are is said by who asks (`configs`, `depth`).

use std::collections::BTreeMap;

use super::documents::{Cell, LanguageScores};
use super::draws;
use super::names::ByLanguage;
use crate::statistics::{Estimate, Interval, estimate, ratio};
use crate::study::Analysis;

/// ΔNLL of the cells of one key in the languages, in their order.
#[derive(Debug, Default)]
pub(super) struct Losses<'a> {
    /// The languages and their losses.
    pub(super) languages: Vec<(&'a str, Estimate)>,
    /// Σ over languages of the ΔNLL of each draw.
    draws: Vec<Option<f64>>,
    /// Why the config does not fit.
    pub(super) unsupported: Option<&'a str>,
    /// Why there are no intervals.
    pub(super) obstacle: Option<&'static str>,
}

/// The losses by key; cells without a key are left out. Languages that share groups are resampled together.
pub(super) fn by<'a, K: Ord>(
    scores: &'a ByLanguage<LanguageScores>,
    analysis: &Analysis,
    key: impl Fn(&'a str, &'a Cell) -> Option<K>,
) -> BTreeMap<K, Losses<'a>> {
    let mut losses: BTreeMap<K, Losses<'a>> = BTreeMap::new();
    for ((model, language), scores) in scores {
        let keyed = scores.cells.iter().filter_map(|cell| Some((key(model, cell)?, cell)));
        let columns = |(_, cell): &(K, &Cell)| [scores.deltas(cell), scores.tokens(cell)];
        let resampling = scores.groups.resampling(analysis);
        let draw = |columns: &[Vec<f64>]| resampling.totals(columns);
        draws::for_each(keyed, columns, draw, |(key, cell), _, draws| {
            losses.entry(key).or_default().add(language, (scores, cell), draws, analysis);
        });
    }
    losses
}

impl<'a> Losses<'a> {
    fn add(
        &mut self,
        language: &'a str,
        (scores, cell): (&'a LanguageScores, &'a Cell),
        [deltas, tokens]: &[Vec<f64>; 2],
        analysis: &Analysis,
    ) {
        let loss = estimate(scores.delta_nll(cell), (deltas, tokens), analysis.confidence);
        let drawn = deltas.iter().zip(tokens).map(|(&delta, &tokens)| ratio(delta, tokens));
        match self.languages.is_empty() {
            true => self.draws = drawn.collect(),
            // Languages without draws leave none to the mean.
            false => {
                self.draws = self.draws.iter().zip(drawn).map(|(a, b)| Some((*a)? + b?)).collect()
            }
        }
        self.languages.push((language, loss));
        self.unsupported = self.unsupported.or(cell.unsupported.as_deref());
        self.obstacle = self.obstacle.or(scores.groups.obstacle(analysis));
    }

    /// The mean over languages; absent where one is undefined.
    pub(super) fn mean(&self, analysis: &Analysis) -> Estimate {
        let count = self.languages.len() as f64;
        let sum: Option<f64> = self.languages.iter().map(|(_, loss)| loss.value).sum();
        let value = sum.and_then(|sum| ratio(sum, count));
        let draws = self.draws.iter().map(|sum| ratio((*sum)?, count));
        let interval = value.and_then(|_| Interval::percentile(draws, analysis.confidence));
        Estimate { value, interval }
    }

    /// The language of the largest ΔNLL; `None` where one is undefined.
    pub(super) fn worst(&self) -> Option<(&'a str, Estimate)> {
        let mut worst: Option<(&'a str, Estimate)> = None;
        for &(language, loss) in &self.languages {
            let value = loss.value?;
            if worst.is_none_or(|(_, known)| known.value.is_none_or(|known| value > known)) {
                worst = Some((language, loss));
            }
        }
        worst
    }
}
