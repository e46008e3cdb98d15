//! Scores → what a model is worth by itself, a byte and a word of text: as it is, and as each config at each scope leaves it. Not what a config changes
//! (`sensitivity`), nor how an evaluation is written (`report::harness`).

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use babelquant_proto::Layers;
use babelquant_proto::quant::QuantConfig;

use super::documents::{Cell, Document, LanguageScores, Size};
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
    pub languages: BTreeMap<String, PerLanguage>,
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
pub struct PerLanguage {
    /// Documents of the language.
    pub documents: u64,
    /// Those that were scored.
    pub scored: u64,
    /// ΣNLL / (Σbytes·ln 2).
    pub bits_per_byte: Metric,
    /// exp(ΣNLL / Σbytes).
    pub byte_perplexity: Metric,
    /// exp(ΣNLL / Σwords); where a script sets no white space between words, a word is a line or a sentence.
    pub word_perplexity: Metric,
    /// Why a number is absent.
    pub reason: Option<String>,
}

/// A number with its standard error over groups of documents.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Metric {
    /// The number.
    pub value: Option<f64>,
    /// Its standard error; that of a perplexity by the delta method.
    pub se: Option<f64>,
}

/// In the order of the tables: scopes and configs by meaning, the baseline first.
type Key = (String, Option<(Spelled<Layers>, String, Spelled<QuantConfig>)>);

/// A document with its NLL.
type Scored<'a> = (&'a Document, Option<f64>);

/// The evaluations of every model.
pub(super) fn all(scores: &ByLanguage<LanguageScores>) -> Vec<Evaluation> {
    let mut evaluations: BTreeMap<Key, BTreeMap<String, PerLanguage>> = BTreeMap::new();
    let mut add = |key: Key, language: &str, numbers: PerLanguage| {
        evaluations.entry(key).or_default().insert(language.to_owned(), numbers);
    };
    for ((model, language), scores) in scores {
        add((model.clone(), None), language, of_baseline(scores));
        for cell in scores.cells.iter().chain(scores.reference()) {
            let change = (cell.scope.clone(), cell.components.clone(), cell.config.clone());
            add((model.clone(), Some(change)), language, of_cell(scores, cell));
        }
    }
    let evaluation = |((model, change), mut languages): (Key, BTreeMap<String, PerLanguage>)| {
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

fn of_baseline(scores: &LanguageScores) -> PerLanguage {
    let baseline = scores.baseline();
    let documents = baseline.into_iter().map(|(document, nll)| (document, Some(nll)));
    per_language(scores, &documents.collect::<Vec<_>>(), Reasons::default())
}

fn of_cell(scores: &LanguageScores, cell: &Cell) -> PerLanguage {
    let mut reasons = Reasons::default();
    match &cell.unsupported {
        Some(reason) => reasons.add(reason.as_str()),
        None => cell.layers.as_ref().err().into_iter().for_each(|&reason| reasons.add(reason)),
    }
    let documents = cell.scores.iter().map(|score| (&scores.documents[score.slot], score.nll));
    per_language(scores, &documents.collect::<Vec<_>>(), reasons)
}

fn unscored(scores: &LanguageScores) -> PerLanguage {
    let mut reasons = Reasons::default();
    reasons.add("no scored documents");
    per_language(scores, &[], reasons)
}

/// The numbers of documents in order, each with its NLL. `reasons` holds what already forbids a number.
///
/// With R = ΣNLL/Σbytes, bits per byte are R/ln 2 with the standard error SE(R)/ln 2 of a ratio estimator, and byte perplexity is e^R with
/// e^R·SE(R), the first-order term of its expansion around R. Word perplexity is the same with words.
fn per_language(
    scores: &LanguageScores,
    documents: &[Scored<'_>],
    mut reasons: Reasons,
) -> PerLanguage {
    let undefined = documents.iter().filter(|(_, nll)| nll.is_none()).count();
    if undefined > 0 && reasons.is_empty() {
        let scored = documents.len();
        reasons.add(format!("NLL of {undefined} of {scored} documents is not finite"));
    }
    let is_defined = reasons.is_empty();
    let column = |value: &dyn Fn(&Scored<'_>) -> f64| {
        let group = |at: &Scored<'_>| scores.groups.of(at.0.number);
        scores.groups.column(documents.iter().filter_map(|at| Some((group(at)?, value(at)))))
    };
    let nll: Option<f64> = documents.iter().map(|(_, nll)| *nll).sum();
    let nll = nll.filter(|_| is_defined);
    let total = |size: fn(&Size) -> u64| -> f64 {
        documents.iter().map(|(document, _)| size(&document.size) as f64).sum()
    };
    let nlls = column(&|(_, nll)| nll.unwrap_or(0.0));
    let rate = |size: fn(&Size) -> u64| {
        let value = nll.and_then(|nll| ratio(nll, total(size)));
        let sizes = column(&|(document, _)| size(&document.size) as f64);
        Metric { value, se: standard_error(value, &nlls, &sizes) }
    };
    let (of_bytes, of_words) = (rate(|size| size.bytes), rate(|size| size.words));
    let [byte_perplexity, word_perplexity] = [of_bytes, of_words].map(Metric::perplexity);
    for (rate, perplexity, unit) in
        [(of_bytes, byte_perplexity, "byte"), (of_words, word_perplexity, "word")]
    {
        reasons.add_where(is_defined && rate.value.is_none(), || format!("no scored {unit}"));
        reasons.add_where(rate.value.is_some() && rate.se.is_none(), || {
            "fewer than 2 groups: no standard error".to_owned()
        });
        reasons.add_where(rate.value.is_some() && perplexity.value.is_none(), || {
            format!("{unit} perplexity overflows")
        });
    }
    PerLanguage {
        documents: scores.documents.len() as u64,
        scored: documents.len() as u64,
        bits_per_byte: Metric {
            value: nll.and_then(|nll| ratio(nll, total(|size| size.bytes) * LN_2)),
            se: of_bytes.se.map(|se| se / LN_2),
        },
        byte_perplexity,
        word_perplexity,
        reason: reasons.column(),
    }
}

impl Metric {
    /// e to this rate.
    fn perplexity(self) -> Self {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let value = self.value.and_then(|rate| finite(rate.exp()));
        Self { value, se: value.zip(self.se).and_then(|(value, se)| finite(value * se)) }
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
            row.words = 2 * u64::from(document + 1);
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

    /// A rate per byte; words are a fifth of the bytes.
    fn check(numbers: &PerLanguage, rate: f64, se: f64) {
        let close = |found: Metric, value: f64, se: f64| {
            for (found, expected) in [(found.value, value), (found.se, se)] {
                assert!((found.unwrap() / expected - 1.0).abs() < 1e-13, "{found:?} {expected}");
            }
        };
        close(numbers.bits_per_byte, rate / LN_2, se / LN_2);
        close(numbers.byte_perplexity, rate.exp(), rate.exp() * se);
        let of_words = (5.0 * rate).exp();
        close(numbers.word_perplexity, of_words, of_words * 5.0 * se);
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
        assert_eq!((numbers.bits_per_byte.se, numbers.word_perplexity.se), (None, None));
        assert!(numbers.bits_per_byte.value.is_some());
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
            let absent = Metric::default();
            assert_eq!((last.bits_per_byte, last.word_perplexity), (absent, absent));
            last.reason.clone().unwrap()
        };
        assert_eq!(found.last().unwrap().change.as_ref().unwrap().config, "int4-channel");
        assert_eq!(reason("eng"), "NLL of 1 of 3 documents is not finite");
        assert_eq!(reason("deu"), "no scored documents");
        let asked: BTreeSet<usize> = found.iter().map(|one| one.languages.len()).collect();
        assert_eq!(asked, BTreeSet::from([2]));
    }
}
