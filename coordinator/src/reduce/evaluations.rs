//! Scores → what a model is worth by itself, a byte of text: as it is, and as each config at each scope leaves it. Not what a config changes
//! (`sensitivity`), nor how an evaluation is written (`report::harness`).

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::documents::{Cell, Document, LanguageScores};
use super::names::ByLanguage;
use super::reasons::Reasons;
use super::spelled::Spelled;
use crate::statistics::{ratio, standard_error};

/// A model as something leaves it, in the languages of its study.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The model.
    pub model: String,
    /// What was done to it; `None` for the baseline.
    pub change: Option<Change>,
    /// Its numbers in every language.
    pub languages: BTreeMap<String, PerByte>,
}

/// What was done to a model, in the spellings of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which layers are quantized.
    pub scope: String,
    /// Which tensors of them.
    pub components: String,
    /// How.
    pub config: String,
}

/// The numbers of one language; those that are undefined are absent with a reason.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PerByte {
    /// Documents of the language.
    pub documents: u64,
    /// Those that were scored.
    pub scored: u64,
    /// ΣNLL / (Σbytes·ln 2).
    pub bits_per_byte: Option<f64>,
    /// Its standard error over groups of documents.
    pub bits_per_byte_se: Option<f64>,
    /// exp(ΣNLL / Σbytes).
    pub byte_perplexity: Option<f64>,
    /// Its standard error, by the delta method.
    pub byte_perplexity_se: Option<f64>,
    /// Why a number is absent.
    pub reason: Option<String>,
}

/// In the order of the tables: scopes and configs by meaning, the baseline first.
type Key = (String, Option<(Spelled<Layers>, String, Spelled<QuantConfig>)>);

/// The evaluations of every model.
pub(super) fn all(scores: &ByLanguage<LanguageScores>) -> Vec<Evaluation> {
    let mut evaluations: BTreeMap<Key, BTreeMap<String, PerByte>> = BTreeMap::new();
    let mut add = |key: Key, language: &str, numbers: PerByte| {
        evaluations.entry(key).or_default().insert(language.to_owned(), numbers);
    };
    for ((model, language), scores) in scores {
        add((model.clone(), None), language, of_baseline(scores));
        for cell in scores.cells.iter().chain(scores.reference()) {
            let change = (cell.scope.clone(), cell.components.clone(), cell.config.clone());
            add((model.clone(), Some(change)), language, of_cell(scores, cell));
        }
    }
    let evaluation = |((model, change), mut languages): (Key, BTreeMap<String, PerByte>)| {
        let asked = scores.iter().filter(|((of, _), _)| *of == model);
        for ((_, language), scores) in asked {
            languages.entry(language.clone()).or_insert_with(|| unscored(scores));
        }
        let change = change.map(|(scope, components, config)| Change {
            scope: scope.text,
            components,
            config: config.text,
        });
        Evaluation { model, change, languages }
    };
    evaluations.into_iter().map(evaluation).collect()
}

fn of_baseline(scores: &LanguageScores) -> PerByte {
    let baseline = scores.baseline();
    let documents = baseline.into_iter().map(|(document, nll)| (document, Some(nll)));
    per_byte(scores, &documents.collect::<Vec<_>>(), Reasons::default())
}

fn of_cell(scores: &LanguageScores, cell: &Cell) -> PerByte {
    let mut reasons = Reasons::default();
    match &cell.unsupported {
        Some(reason) => reasons.add(reason.as_str()),
        None => cell.layers.as_ref().err().into_iter().for_each(|&reason| reasons.add(reason)),
    }
    let documents = cell.scores.iter().map(|score| (&scores.documents[score.slot], score.nll));
    per_byte(scores, &documents.collect::<Vec<_>>(), reasons)
}

fn unscored(scores: &LanguageScores) -> PerByte {
    let mut reasons = Reasons::default();
    reasons.add("no scored documents");
    per_byte(scores, &[], reasons)
}

/// The numbers of documents in order, each with its NLL. `reasons` holds what already forbids a number.
///
/// With R = ΣNLL/Σbytes, bits per byte are R/ln 2 with the standard error SE(R)/ln 2 of a ratio estimator, and byte perplexity is e^R with
/// e^R·SE(R), the first-order term of its expansion around R.
fn per_byte(
    scores: &LanguageScores,
    documents: &[(&Document, Option<f64>)],
    mut reasons: Reasons,
) -> PerByte {
    let undefined = documents.iter().filter(|(_, nll)| nll.is_none()).count();
    if undefined > 0 && reasons.is_empty() {
        let scored = documents.len();
        reasons.add(format!("NLL of {undefined} of {scored} documents is not finite"));
    }
    let bytes: f64 = documents.iter().map(|(document, _)| document.size.bytes as f64).sum();
    let nll: Option<f64> = documents.iter().map(|(_, nll)| *nll).sum();
    let nll = nll.filter(|_| reasons.is_empty());
    reasons.add_where(bytes == 0.0 && reasons.is_empty(), || "no scored byte".to_owned());
    let rate = nll.and_then(|nll| ratio(nll, bytes));
    let column = |value: fn(&(&Document, Option<f64>)) -> f64| {
        let group = |at: &(&Document, Option<f64>)| scores.groups.of(at.0.number);
        scores.groups.column(documents.iter().filter_map(|at| Some((group(at)?, value(at)))))
    };
    let [nlls, sizes] =
        [column(|(_, nll)| nll.unwrap_or(0.0)), column(|(document, _)| document.size.bytes as f64)];
    let se = standard_error(rate, &nlls, &sizes);
    reasons.add_where(rate.is_some() && se.is_none(), || {
        "fewer than 2 groups: no standard error".to_owned()
    });
    let perplexity = rate.map(f64::exp).filter(|perplexity| perplexity.is_finite());
    reasons.add_where(rate.is_some() && perplexity.is_none(), || {
        "byte perplexity overflows".to_owned()
    });
    PerByte {
        documents: scores.documents.len() as u64,
        scored: documents.len() as u64,
        bits_per_byte: nll.and_then(|nll| ratio(nll, bytes * LN_2)),
        bits_per_byte_se: se.map(|se| se / LN_2),
        byte_perplexity: perplexity,
        byte_perplexity_se: perplexity
            .zip(se)
            .map(|(perplexity, se)| perplexity * se)
            .filter(|se| se.is_finite()),
        reason: reasons.column(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use babelquant_proto::rows::DocumentRow;

    use super::super::Reducer;
    use super::super::example::document_row;
    use super::*;
    use crate::study::Analysis;

    /// Documents of 10, 20 and 30 bytes, each a group, whose NLLs are those numbers + 1, −2 and 1: R = 1, SE(R) = √(3/2·6)/60 = 0.05.
    fn rows() -> Vec<DocumentRow> {
        let row = |(document, nll): (u32, f64)| {
            let mut row = document_row("eng", document, ("all", "int4-channel"));
            (row.group, row.bytes) = (document.to_string(), 10 * u64::from(document + 1));
            (row.nll_sum, row.base_nll_sum) = (Some(nll), 2.0 * nll);
            row
        };
        [11.0, 18.0, 31.0].into_iter().enumerate().map(|(i, nll)| row((i as u32, nll))).collect()
    }

    fn evaluations(rows: &[DocumentRow]) -> Vec<Evaluation> {
        let mut reducer = Reducer::new(Analysis { bootstrap_draws: 10, ..Analysis::default() });
        reducer.push_documents(rows);
        reducer.finish().evaluations
    }

    fn check(numbers: &PerByte, rate: f64, se: f64) {
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() / expected - 1.0).abs() < 1e-14, "{found:?} {expected}");
        };
        close(numbers.bits_per_byte, rate / LN_2);
        close(numbers.bits_per_byte_se, se / LN_2);
        close(numbers.byte_perplexity, rate.exp());
        close(numbers.byte_perplexity_se, rate.exp() * se);
        assert_eq!(numbers.reason, None);
    }

    #[test]
    fn three_documents_by_hand() {
        let found = evaluations(&rows());
        assert_eq!((found.len(), &found[0].change), (2, &None));
        check(&found[0].languages["eng"], 2.0, 0.1);
        check(&found[1].languages["eng"], 1.0, 0.05);
        assert_eq!(found[1].change.as_ref().unwrap().config, "int4-channel");
    }

    #[test]
    fn documents_of_one_group_count_as_one() {
        let mut rows = rows();
        rows[1].group = "0".to_owned();
        // Two groups with residuals −1 and 1: √(2·2)/60.
        check(&evaluations(&rows)[1].languages["eng"], 1.0, 2.0 / 60.0);
        rows[2].group = "0".to_owned();
        let numbers = &evaluations(&rows)[1].languages["eng"];
        assert_eq!((numbers.bits_per_byte_se, numbers.byte_perplexity_se), (None, None));
        assert!(numbers.bits_per_byte.is_some());
        assert_eq!(numbers.reason.as_deref(), Some("fewer than 2 groups: no standard error"));
    }

    #[test]
    fn what_was_not_scored_is_absent_and_says_why() {
        let mut rows = rows();
        rows[1].nll_sum = None;
        let mut other = rows[0].clone();
        (other.language, other.config) = ("deu".to_owned(), "none".to_owned());
        rows.push(other);
        let found = evaluations(&rows);
        let reason = |language: &str| {
            let last = &found.last().unwrap().languages[language];
            assert_eq!((last.bits_per_byte, last.byte_perplexity_se), (None, None));
            last.reason.clone().unwrap()
        };
        assert_eq!(found.last().unwrap().change.as_ref().unwrap().config, "int4-channel");
        assert_eq!(reason("eng"), "NLL of 1 of 3 documents is not finite");
        assert_eq!(reason("deu"), "no scored documents");
        let asked: BTreeSet<usize> = found.iter().map(|one| one.languages.len()).collect();
        assert_eq!(asked, BTreeSet::from([2]));
    }
}
