//! What moves scores although nothing is quantized → the table `floor`: rounding in the study's dtype, by the config `f32`, and engines of
//! several classes. Not a quantization (`sensitivity`).

use std::collections::BTreeMap;

use super::documents::{Cell, LanguageScores, Score};
use super::engines::Pair;
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::tables::{DTYPE, FloorRow};
use crate::statistics::ratio;

/// The table: every (model, language) that was measured in f32 too, and every two engine classes.
pub(super) fn rows(languages: &ByLanguage<LanguageScores>) -> Vec<FloorRow> {
    let rows = languages.iter().flat_map(|((model, language), scores)| {
        let dtype = LanguageScores::reference(scores).map(|cell| of_dtype(scores, cell));
        let engines = scores.engines.iter().map(|pair| of_engines(scores, pair));
        let named = |row| FloorRow { model: model.clone(), language: language.clone(), ..row };
        dtype.into_iter().chain(engines).map(named)
    });
    rows.collect()
}

fn of_dtype(scores: &LanguageScores, cell: &Cell) -> FloorRow {
    let tokens = scores.size(cell).tokens as f64;
    let kl_defined = cell.scores.iter().all(|score| score.kl.is_some());
    let mut reasons = Reasons::default();
    reasons.add_where(!kl_defined, || "KL was not measured or is not finite".to_owned());
    let difference = |score: &Score| (score.slot, score.nll.map(|nll| score.base_nll - nll));
    FloorRow {
        compared: DTYPE.to_owned(),
        kl: ratio(scores.sum(cell, |score, _| score.kl.unwrap_or(0.0)), tokens)
            .filter(|_| kl_defined),
        top1_agreement: ratio(scores.sum(cell, |score, _| score.top1.unwrap_or(0) as f64), tokens),
        ..of_differences(scores, cell.scores.iter().map(difference), reasons)
    }
}

fn of_engines(scores: &LanguageScores, Pair { engines: [a, b], documents }: &Pair) -> FloorRow {
    let mut reasons = Reasons::default();
    reasons.add_where(documents.is_empty(), || "no document was scored on both".to_owned());
    reasons.add("KL and top-1 agreement take both distributions, which nobody has");
    let differences = documents.iter().map(|&(slot, [on_a, on_b])| (slot, Some(on_a - on_b)));
    FloorRow { compared: format!("{a} | {b}"), ..of_differences(scores, differences, reasons) }
}

/// What is made of the documents' differences of NLL, nat, by slot, alone; `None` is one that is not defined. Where only some of the language's
/// documents were scored in both ways, the others are taken to differ like them.
fn of_differences(
    scores: &LanguageScores,
    differences: impl Iterator<Item = (usize, Option<f64>)>,
    mut reasons: Reasons,
) -> FloorRow {
    let sized = differences.map(|(slot, delta)| (delta, scores.documents[slot].size.tokens));
    let sized: Vec<(Option<f64>, u64)> = sized.collect();
    let tokens = sized.iter().map(|(_, tokens)| tokens).sum();
    let is_defined = sized.iter().all(|(delta, _)| delta.is_some());
    reasons.add_where(!is_defined, || "NLL of a document is not finite".to_owned());
    reasons.add_where(tokens == 0, || "no scored token".to_owned());
    let deltas = || sized.iter().filter_map(|&(delta, tokens)| Some((delta?, tokens as f64)));
    let defined = |value: Option<f64>| value.filter(|_| is_defined);
    let delta_nll = defined(ratio(deltas().map(|(delta, _)| delta).sum(), tokens as f64));
    let each: Vec<f64> =
        deltas().filter_map(|(delta, tokens)| ratio(delta.abs(), tokens)).collect();
    let squares: f64 = deltas().map(|(delta, _)| delta * delta).sum();
    let all = scores.documents.len() as f64;
    let all_tokens: u64 = scores.documents.iter().map(|document| document.size.tokens).sum();
    let uncancelled = ratio(squares * all, sized.len() as f64)
        .and_then(|squares| ratio(squares.sqrt(), all_tokens as f64));
    FloorRow {
        documents: sized.len() as u64,
        tokens,
        delta_nll,
        document_abs_delta_nll: defined(ratio(each.iter().sum(), each.len() as f64)),
        floor: delta_nll.zip(uncancelled).map(|(sum, each)| sum.abs().max(each)),
        reason: reasons.column(),
        ..FloorRow::default()
    }
}

/// The largest floor of each (model, language).
pub(super) fn largest(rows: &[FloorRow]) -> BTreeMap<(&str, &str), f64> {
    let mut largest: BTreeMap<_, f64> = BTreeMap::new();
    for row in rows {
        let Some(floor) = row.floor else { continue };
        let entry = largest.entry((row.model.as_str(), row.language.as_str())).or_insert(floor);
        *entry = entry.max(floor);
    }
    largest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use babelquant_proto::rows::{DocumentRow, Row};

    use super::super::example::{LANGUAGES, Rows, document_row};
    use super::FloorRow;
    use crate::study::Analysis;

    /// How many documents of a language there are, and their tokens.
    fn scored(rows: &Rows, language: &str) -> (f64, f64) {
        let of_language = rows.documents.iter().filter(|row| row.language == language);
        let all: BTreeMap<u32, u64> = of_language.map(|row| (row.document, row.tokens)).collect();
        (all.len() as f64, all.into_values().sum::<u64>() as f64)
    }

    #[test]
    fn the_floor_by_hand_and_no_sensitivity_of_it() {
        let few = || Analysis { bootstrap_draws: 20, ..Analysis::default() };
        let mut rows = Rows::new(&LANGUAGES[..4]);
        let without = rows.reduce(few());
        assert!(without.floor.is_empty());
        let (mut sum, mut squares, mut tokens) = (0.0, 0.0, 0);
        for (document, delta) in [(0, 0.5), (1, -0.5), (2, 0.25)] {
            let mut row = document_row(LANGUAGES[0], document, ("all", "f32"));
            row.nll_sum = Some(row.base_nll_sum - delta);
            row.kl_sum = Some(0.125);
            (sum, squares, tokens) = (sum + delta, squares + delta * delta, tokens + row.tokens);
            rows.documents.push(row);
        }
        let summary = rows.reduce(few());
        let [row] = &summary.floor[..] else { panic!("one floor") };
        let (sum, squares, tokens): (f64, f64, f64) = (sum, squares, tokens as f64);
        let batch = FloorRow::to_batch(&summary.floor).unwrap();
        assert_eq!(FloorRow::from_batch(&batch).unwrap(), summary.floor);
        assert_eq!((row.documents, row.reason.as_deref()), (3, None));
        assert!((row.delta_nll.unwrap() - sum / tokens).abs() < 1e-12);
        let (count, all) = scored(&rows, LANGUAGES[0]);
        assert!((row.floor.unwrap() - (squares * count / 3.0).sqrt() / all).abs() < 1e-12);
        assert_eq!(row.kl, Some(3.0 * 0.125 / tokens));
        assert!(row.top1_agreement.unwrap() < 1.0);
        let mut cells = summary.sensitivity.clone();
        for cell in &mut cells {
            let floor = row.floor.filter(|_| cell.language == LANGUAGES[0]);
            assert_eq!(cell.floor.take(), floor);
        }
        assert_eq!(cells, without.sensitivity);
        assert_eq!(summary.correlations, without.correlations);
        assert_eq!(summary.languages, without.languages);
    }

    #[test]
    fn engines_are_compared_on_the_documents_that_both_scored() {
        let few = || Analysis { bootstrap_draws: 20, ..Analysis::default() };
        let mut rows = Rows::new(&LANGUAGES[..2]);
        let without = rows.reduce(few());
        let (mut sum, mut squares, mut tokens) = (0.0, 0.0, 0);
        for (document, delta) in [(1, 0.5), (0, -0.25)] {
            // The same cell, as a second engine would have it: what differs is the baseline.
            let row = document_row(LANGUAGES[0], document, ("only(4)", "int4-channel"));
            (sum, squares, tokens) = (sum + delta, squares + delta * delta, tokens + row.tokens);
            let base_nll_sum = row.base_nll_sum - delta;
            rows.documents.push(DocumentRow { engine: "cuda-b".to_owned(), base_nll_sum, ..row });
        }
        let summary = rows.reduce(few());
        rows.documents.reverse();
        assert_eq!(rows.reduce(few()).floor, summary.floor);
        let [shared, alone] = &summary.floor[..] else { panic!("{:?}", summary.floor) };
        assert_eq!(
            (shared.language.as_str(), alone.language.as_str()),
            (LANGUAGES[0], LANGUAGES[1])
        );
        assert_eq!(
            (shared.compared.as_str(), shared.documents, shared.tokens),
            ("cpu-a | cuda-b", 2, tokens)
        );
        let (sum, squares, tokens): (f64, f64, f64) = (sum, squares, tokens as f64);
        assert!((shared.delta_nll.unwrap() - sum / tokens).abs() < 1e-12);
        // Two of its documents were shared.
        let (count, all) = scored(&rows, LANGUAGES[0]);
        let expected = (squares * count / 2.0).sqrt() / all;
        assert!((shared.floor.unwrap() - expected.max((sum / tokens).abs())).abs() < 1e-12);
        assert_eq!((shared.kl, shared.top1_agreement), (None, None));
        assert!(shared.reason.as_deref().unwrap().starts_with("KL and top-1 agreement"));
        assert_eq!((alone.documents, alone.floor), (0, None));
        let reason = alone.reason.as_deref().unwrap();
        assert!(reason.contains("no document was scored on both"), "{reason}");
        for cell in &summary.sensitivity {
            assert_eq!(cell.floor, shared.floor.filter(|_| cell.language == LANGUAGES[0]));
        }
        assert!(without.floor.is_empty());
    }

    #[test]
    fn an_undefined_floor_says_why() {
        let mut rows = Rows::new(&[]);
        let mut row = document_row("eng", 0, ("all", "f32"));
        (row.nll_sum, row.kl_sum) = (None, None);
        rows.documents.push(row);
        let floor = rows.reduce(Analysis::default()).floor.remove(0);
        assert_eq!((floor.floor, floor.delta_nll, floor.kl), (None, None, None));
        let reason = floor.reason.unwrap();
        assert!(reason.contains("NLL of a document") && reason.contains("KL"), "{reason}");
    }
}
