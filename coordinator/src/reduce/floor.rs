//! The config `f32` → the table `floor`: how far rounding alone moves each language's scores. Not a quantization (`sensitivity`).

use super::documents::{Cell, LanguageScores};
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::tables::FloorRow;
use crate::statistics::ratio;

/// The table: every (model, language) that was measured in f32 too.
pub(super) fn rows(languages: &ByLanguage<LanguageScores>) -> Vec<FloorRow> {
    let cells = |scores| LanguageScores::reference(scores);
    let measured = languages.iter().filter_map(|(key, scores)| Some((key, scores, cells(scores)?)));
    measured.map(|((model, language), scores, cell)| row((model, language), scores, cell)).collect()
}

fn row((model, language): (&str, &str), scores: &LanguageScores, cell: &Cell) -> FloorRow {
    let size = scores.size(cell);
    let tokens = size.tokens as f64;
    let nll_defined = cell.scores.iter().all(|score| score.nll.is_some());
    let kl_defined = cell.scores.iter().all(|score| score.kl.is_some());
    let deltas: Vec<(f64, f64)> = cell
        .scores
        .iter()
        .filter_map(|score| {
            let tokens = scores.documents[score.slot].size.tokens as f64;
            Some((score.base_nll - score.nll?, tokens))
        })
        .collect();
    let per_token = |sum: f64| ratio(sum, tokens).filter(|_| nll_defined);
    let delta_nll = per_token(deltas.iter().map(|(delta, _)| delta).sum());
    let squares: f64 = deltas.iter().map(|(delta, _)| delta * delta).sum();
    let each: Vec<f64> =
        deltas.iter().filter_map(|&(delta, tokens)| ratio(delta.abs(), tokens)).collect();
    let mut reasons = Reasons::default();
    reasons.add_where(!nll_defined, || "NLL of a document is not finite".to_owned());
    reasons.add_where(!kl_defined, || "KL was not measured or is not finite".to_owned());
    reasons.add_where(size.tokens == 0, || "no scored token".to_owned());
    FloorRow {
        model: model.to_owned(),
        language: language.to_owned(),
        documents: cell.scores.len() as u64,
        tokens: size.tokens,
        delta_nll,
        document_abs_delta_nll: ratio(each.iter().sum(), each.len() as f64).filter(|_| nll_defined),
        kl: ratio(scores.sum(cell, |score, _| score.kl.unwrap_or(0.0)), tokens)
            .filter(|_| kl_defined),
        top1_agreement: ratio(scores.sum(cell, |score, _| score.top1.unwrap_or(0) as f64), tokens),
        floor: delta_nll.zip(per_token(squares.sqrt())).map(|(sum, each)| sum.abs().max(each)),
        reason: reasons.column(),
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::rows::Row;

    use super::super::example::{LANGUAGES, Rows, document_row};
    use super::FloorRow;
    use crate::study::Analysis;

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
        assert!((row.floor.unwrap() - squares.sqrt() / tokens).abs() < 1e-12);
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
