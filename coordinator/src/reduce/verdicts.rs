//! What is to be concluded from one cell's ΔNLL: is it there, is it small enough, and do few documents carry it? Not the corrections for the
//! number of cells (`families`).

use super::documents::{Cell, Score};
use super::tables::WORST_ONE_IN;
use crate::statistics::{Sampled, largest_share};
use crate::study::Analysis;

/// Conclusions about a cell; each is absent where its ΔNLL or standard error is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Verdict {
    /// Two-sided p of ΔNLL = 0.
    pub(super) p: Option<f64>,
    /// p of a relative change of perplexity that is not within the margin.
    pub(super) near_lossless_p: Option<f64>,
    /// Whether it was shown to be within the margin, at level 1 − confidence.
    pub(super) near_lossless: Option<bool>,
    /// Share of the damage that the worst documents carry.
    pub(super) worst_share: Option<f64>,
}

impl Verdict {
    /// The conclusions from a cell's ΔNLL and its standard error over so many groups.
    pub(super) fn of(
        cell: &Cell,
        (delta_nll, error): (Option<f64>, Option<f64>),
        groups: u64,
        analysis: &Analysis,
    ) -> Self {
        let deltas = || cell.scores.iter().map(Score::delta).collect::<Option<Vec<f64>>>();
        let worst_share = || largest_share(&deltas()?, WORST_ONE_IN);
        let sampled = delta_nll.zip(error).filter(|_| groups > 1);
        let sampled =
            sampled.map(|(value, error)| Sampled { value, error, degrees: (groups - 1) as f64 });
        let margins = ((-analysis.margin).ln_1p(), analysis.margin.ln_1p());
        let near_lossless_p = sampled.map(|sampled| sampled.equivalence_p(margins));
        Self {
            p: sampled.map(Sampled::p),
            near_lossless_p,
            near_lossless: near_lossless_p.map(|p| p <= analysis.level()),
            worst_share: delta_nll.and_then(|_| worst_share()),
        }
    }
}
