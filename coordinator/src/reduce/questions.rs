//! Families of correlations: p values corrected for the predictors and configs that are looked at together, and for layers. The correlations
//! themselves stand in `correlations`.

use std::collections::BTreeMap;

use super::design::Design;
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::CorrelationRow;
use crate::statistics::{Pairs, Shuffles, benjamini_hochberg, holm};
use crate::study::Analysis;

/// What a correlation was computed from: languages in their order, and the pairs of these.
#[derive(Debug)]
pub(super) struct Tested<'a> {
    /// The languages.
    pub(super) languages: Vec<&'a str>,
    /// Their pairs, where they have a correlation.
    pub(super) pairs: Option<Pairs>,
}

/// Fills the corrected p values of `rows`; `tested` stands beside them.
pub(super) fn correct(rows: &mut [CorrelationRow], tested: &[Tested<'_>], analysis: &Analysis) {
    for (key, members) in families(rows, choice) {
        correct_choice(&key.join(" "), &members, rows);
    }
    let shuffles = Shuffles::new(analysis.seed, analysis.bootstrap_draws);
    for members in families(rows, layers).values().filter(|_| analysis.bootstrap_draws > 0) {
        correct_layers(members, rows, (tested, shuffles));
    }
}

/// What the rows of a family share.
type Key = Vec<String>;

/// The positions of the rows with a p, by what they share; a row without that is in no family.
fn families(
    rows: &[CorrelationRow],
    key: fn(&CorrelationRow) -> Option<Key>,
) -> BTreeMap<Key, Vec<usize>> {
    let mut families: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.pearson_p.is_some()) {
        key(row).into_iter().for_each(|key| families.entry(key).or_default().push(at));
    }
    families
}

/// Every predictor and config of one model, outcome, components and scope.
fn choice(row: &CorrelationRow) -> Option<Key> {
    Some([&row.model, &row.outcome, &row.components, &row.scope].map(String::clone).to_vec())
}

/// The layers of one model, predictor, outcome, components and config, each alone.
fn layers(row: &CorrelationRow) -> Option<Key> {
    let CorrelationRow { model, predictor, outcome, components, config, .. } = row;
    let key = || [model, predictor, outcome, components, config].map(String::clone).to_vec();
    (Design::of(&Spelled::new(&row.scope)) == Design::OneLayer).then(key)
}

/// Holm's and Benjamini and Hochberg's p over a family.
fn correct_choice(name: &str, members: &[usize], rows: &mut [CorrelationRow]) {
    let p: Vec<f64> = members.iter().filter_map(|&at| rows[at].pearson_p).collect();
    let corrected = holm(&p).into_iter().zip(benjamini_hochberg(&p));
    for (&at, (holm, rate)) in members.iter().zip(corrected) {
        let row = &mut rows[at];
        row.family = Some(name.to_owned());
        row.family_tests = Some(p.len() as u64);
        (row.pearson_p_holm, row.pearson_p_bh) = (Some(holm), Some(rate));
    }
}

/// Max-T over layers: languages change places, the same way in every layer. Layers that are not over the same languages have none.
fn correct_layers(
    members: &[usize],
    rows: &mut [CorrelationRow],
    (tested, shuffles): (&[Tested<'_>], Shuffles),
) {
    let pairs: Vec<Pairs> = members.iter().filter_map(|&at| tested[at].pairs.clone()).collect();
    let languages = &tested[members[0]].languages;
    if members.iter().any(|&at| &tested[at].languages != languages) {
        let reason = "no max-T: the layers are not over the same languages";
        for &at in members {
            let mut reasons = Reasons::known(rows[at].reason.take());
            reasons.add(reason);
            rows[at].reason = reasons.column();
        }
        return;
    }
    for (&at, shuffled) in members.iter().zip(shuffles.family(&pairs)) {
        rows[at].pearson_p_max_t = Some(shuffled.family_p);
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{LANGUAGES, Rows, summary};
    use super::*;
    use crate::study::Predictor;

    #[test]
    fn a_family_is_every_predictor_and_config_of_an_outcome_and_scope() {
        let summary = summary();
        let all = |row: &&CorrelationRow| row.scope == "all" && row.outcome == "delta_nll";
        let all: Vec<_> = summary.correlations.iter().filter(all).collect();
        assert_eq!(all.len(), 2 * Predictor::ALL.len());
        // A predictor that is the same in all languages has no p.
        let found: Vec<_> = all.into_iter().filter(|row| row.pearson_p.is_some()).collect();
        let column = |of: fn(&CorrelationRow) -> Option<f64>| -> Vec<f64> {
            found.iter().map(|row| of(row).unwrap()).collect()
        };
        let p = column(|row| row.pearson_p);
        assert!(p.len() > 4, "{}", p.len());
        assert_eq!(column(|row| row.pearson_p_holm), holm(&p));
        assert_eq!(column(|row| row.pearson_p_bh), benjamini_hochberg(&p));
        for row in &found {
            assert_eq!(row.family.as_deref(), Some("toy delta_nll mlp all"));
            assert_eq!((row.family_tests, row.pearson_p_max_t), (Some(p.len() as u64), None));
        }
    }

    /// Where layers do the same, correcting for them costs nothing; where they differ, it does.
    #[test]
    fn layers_that_do_the_same_cost_nothing() {
        let of = |rows: &Rows| -> Vec<Option<f64>> {
            let analysis = Analysis { bootstrap_draws: 500, ..Analysis::default() };
            let correlations = rows.reduce(analysis).correlations;
            let second = correlations.iter().filter(|row| row.scope == "only(2)");
            second.map(|row| row.pearson_p_max_t).collect()
        };
        let mut rows = Rows::new(&LANGUAGES[..6]);
        let several = of(&rows);
        rows.documents.retain(|row| row.scope == "only(2)");
        let alone = of(&rows);
        assert!(alone.len() == 50 && several.iter().zip(&alone).all(|(more, one)| more >= one));
        assert_ne!(alone, several);
        let copy = rows.documents.clone();
        rows.documents.extend(copy.into_iter().map(|mut row| {
            (row.scope, row.layers) = ("only(0)".to_owned(), "0".to_owned());
            row
        }));
        assert_eq!(of(&rows), alone);
    }

    #[test]
    fn layers_over_other_languages_are_no_family() {
        let mut rows = Rows::new(&LANGUAGES[..6]);
        rows.documents.retain(|row| row.scope != "only(0)" || row.language != LANGUAGES[0]);
        let summary = rows.reduce(Analysis { bootstrap_draws: 50, ..Analysis::default() });
        let row = summary.correlations.iter().find(|row| row.scope == "only(2)").unwrap();
        assert!(row.pearson_p_max_t.is_none() && row.pearson_p_holm.is_some());
        assert!(row.reason.as_deref().unwrap().starts_with("no max-T"));
    }
}
