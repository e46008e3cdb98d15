//! Trends of languages → the table `leanings`: do some languages lean on other layers than others do? The trends themselves stand in `trends`.

use std::collections::BTreeMap;

use babelquant_proto::Stack;
use babelquant_proto::quant::QuantConfig;

use super::contrasts::{Contrast, Drawn, known};
use super::reasons::Reasons;
use super::spelled::Spelled;
use super::tables::LeaningRow;
use crate::study::Analysis;

/// Model, components, config and stack.
pub(super) type Key<'a> = (&'a str, &'a str, &'a Spelled<QuantConfig>, Stack);

/// How the damage of single layers changes with depth in one language.
#[derive(Debug)]
pub(super) struct Leaning<'a> {
    /// Of what.
    pub(super) key: Key<'a>,
    /// In which language.
    pub(super) language: &'a str,
    /// Spearman's ρ with depth.
    pub(super) rho: Drawn,
    /// The last third's mean less the first's.
    pub(super) difference: Drawn,
    /// Why a number is missing.
    pub(super) reason: Option<String>,
}

/// The table: for each model, components, config and stack its contrasts.
pub(super) fn rows(leanings: &[Leaning<'_>], analysis: &Analysis) -> Vec<LeaningRow> {
    let mut questions: BTreeMap<Key<'_>, Vec<&Leaning<'_>>> = BTreeMap::new();
    leanings.iter().for_each(|one| questions.entry(one.key).or_default().push(one));
    let rows = questions.values().flat_map(|leanings| {
        let languages: Vec<&str> = leanings.iter().map(|leaning| leaning.language).collect();
        let row = |contrast: &Contrast| row(contrast, (leanings, &languages), analysis);
        known(&languages, analysis).iter().map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

fn row(
    contrast: &Contrast,
    (leanings, languages): (&[&Leaning<'_>], &[&str]),
    analysis: &Analysis,
) -> LeaningRow {
    let (model, components, config, stack) = leanings[0].key;
    let mut reasons = Reasons::default();
    contrast.add_obstacles(&mut reasons);
    let members = contrast.members().filter_map(|at| leanings[at].reason.as_deref());
    members.for_each(|reason| reasons.add(reason));
    let rho = contrast.difference(|at| &leanings[at].rho, analysis.confidence);
    let thirds = contrast.difference(|at| &leanings[at].difference, analysis.confidence);
    let [first, second] = contrast.codes(languages);
    LeaningRow {
        model: model.to_owned(),
        components: components.to_owned(),
        config: config.text.clone(),
        stack: stack.name().to_owned(),
        contrast: contrast.name.to_owned(),
        resource: contrast.resource(analysis),
        first,
        second,
        left_out: contrast.left_out as u64,
        spearman_difference: rho.value,
        spearman_difference_low: rho.low(),
        spearman_difference_high: rho.high(),
        thirds_difference: thirds.value,
        thirds_difference_low: thirds.low(),
        thirds_difference_high: thirds.high(),
        reason: reasons.column(),
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::{DocumentRow, Row};

    use super::super::example::{Rows, document_row};
    use super::*;

    /// ΔNLL at layers 0, 2 and 10, in nat per token, of a language of much text and of two with little.
    const DELTAS: [(&str, [f64; 3]); 3] =
        [("eng", [0.01, 0.02, 0.07]), ("tha", [0.09, 0.04, 0.01]), ("fin", [0.05, 0.02, 0.03])];

    fn rows(change: fn(&mut Vec<DocumentRow>)) -> Vec<LeaningRow> {
        let row = |language: &str, scope: &str, delta: f64, document| {
            let mut row = document_row(language, document, (scope, "int4-channel"));
            row.nll_sum = Some(row.base_nll_sum + delta * row.tokens as f64);
            row
        };
        let cells = DELTAS.into_iter().flat_map(|(language, deltas)| {
            let layers = ["only(0)", "only(2)", "only(10)"].into_iter().zip(deltas);
            layers.map(move |(scope, delta)| (language, scope, delta))
        });
        let documents = cells.flat_map(|(language, scope, delta)| {
            (0..8).map(move |document| row(language, scope, delta, document))
        });
        let mut documents: Vec<DocumentRow> = documents.collect();
        change(&mut documents);
        let analysis = Analysis { bootstrap_draws: 60, ..Analysis::default() };
        let rows = Rows { documents, ..Rows::new(&[]) }.reduce(analysis).leanings;
        assert_eq!(LeaningRow::from_batch(&LeaningRow::to_batch(&rows).unwrap()).unwrap(), rows);
        rows
    }

    /// Every document of a language does the same damage: no draw moves anything.
    #[test]
    fn languages_of_little_text_against_those_of_much() {
        let found = rows(|_| ());
        let [resource, scripts] = &found[..] else { panic!("two contrasts: {found:?}") };
        assert_eq!((resource.first.as_str(), resource.second.as_str()), ("fin,tha", "eng"));
        assert_eq!((scripts.first.as_str(), scripts.second.as_str()), ("tha", "eng,fin"));
        let close = |found: [Option<f64>; 3], expected: f64| {
            let near = |value: Option<f64>| (value.unwrap() - expected).abs() < 1e-9;
            assert!(found.into_iter().all(near), "{found:?} {expected}");
        };
        let row = resource;
        let thirds = [row.thirds_difference, row.thirds_difference_low, row.thirds_difference_high];
        close(thirds, (-0.08 - 0.02) / 2.0 - 0.06);
        let rho =
            [row.spearman_difference, row.spearman_difference_low, row.spearman_difference_high];
        close(rho, (-1.0 - 0.5) / 2.0 - 1.0);
        assert_eq!((row.resource.as_deref(), &row.reason), (Some("mc4_billion_tokens"), &None));
    }

    #[test]
    fn what_has_no_difference_says_why() {
        let found = rows(|documents| documents.retain(|row| row.language != "tha"));
        assert_eq!(found[1].reason.as_deref(), Some("no language on one side"));
        let found = rows(|documents| {
            documents.retain(|row| row.language != "tha" || row.scope != "only(2)");
        });
        let reason = found[0].reason.as_deref().unwrap();
        assert!(found[0].thirds_difference.is_none() && reason.contains("fewer than 3 layers"));
    }
}
