//! The reduction as a whole, on made-up rows: invariants, values by hand, reasons. Statistics are tested where they stand.

use babelquant_proto::rows::{DocumentRow, Row};

use super::example::{CELLS, LANGUAGES, Rows, document_row, summary};
use super::{Reducer, SensitivityRow, Summary};
use crate::study::{Analysis, Outcome, Predictor};

fn few_draws() -> Analysis {
    Analysis { bootstrap_draws: 50, ..Analysis::default() }
}

/// The Summary of documents alone.
fn of_documents(rows: &[DocumentRow]) -> Summary {
    let mut reducer = Reducer::new(few_draws());
    reducer.push_documents(rows);
    reducer.finish()
}

/// The only cell of a Summary.
fn only(summary: &Summary) -> &SensitivityRow {
    assert_eq!(summary.sensitivity.len(), 1);
    &summary.sensitivity[0]
}

/// Documents of one cell.
fn cell(documents: u32) -> Vec<DocumentRow> {
    (0..documents).map(|document| document_row("eng", document, ("all", "int4-channel"))).collect()
}

#[test]
fn the_summary_does_not_depend_on_the_order_of_pushes() {
    let rows = Rows::new(&["eng", "hin", "zho"]);
    let whole = rows.reduce(few_draws());
    let mut reducer = Reducer::new(few_draws());
    for step in [7, 3, 1] {
        let part = |count: usize| {
            (0..count)
                .rev()
                .filter(move |i| [7, 3, 1].into_iter().find(|k| i % k == 0) == Some(step))
        };
        for i in part(rows.documents.len()) {
            reducer.push_documents(&rows.documents[i..=i]);
        }
        for i in part(rows.activations.len()) {
            reducer.push_activations(&rows.activations[i..=i]);
        }
        for i in part(rows.quantization.len()) {
            reducer.push_quantization(&rows.quantization[i..=i]);
        }
        for i in part(rows.weights.len()) {
            reducer.push_weights(&rows.weights[i..=i]);
        }
    }
    assert_eq!(reducer.finish(), whole);
}

#[test]
fn threads_do_not_change_a_bit() {
    let rows = Rows::new(&["eng", "hin"]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| rows.reduce(few_draws())), rows.reduce(few_draws()));
}

/// No number is NaN or infinite, and the tables of this crate round-trip through Arrow.
#[test]
fn every_table_is_a_batch() {
    fn check<R: Row + PartialEq + std::fmt::Debug>(rows: &[R]) {
        assert!(!rows.is_empty());
        assert_eq!(R::from_batch(&R::to_batch(rows).unwrap()).unwrap(), rows);
    }
    let summary = summary();
    check(&summary.models);
    check(&summary.layers);
    check(&summary.languages);
    check(&summary.activation_shares);
    check(&summary.sensitivity);
    check(&summary.matrices);
    check(&summary.configs);
    check(&summary.limits);
    check(&summary.leanings);
    check(&summary.adjusted);
    check(&summary.regressions);
    check(&summary.correlations);
}

#[test]
fn the_config_none_is_exactly_zero() {
    let summary = summary();
    let cells: Vec<_> = summary.sensitivity.iter().filter(|row| row.config == "none").collect();
    assert_eq!(cells.len(), LANGUAGES.len());
    for row in cells {
        let interval = (row.delta_nll, row.delta_nll_low, row.delta_nll_high);
        assert_eq!(interval, (Some(0.0), Some(0.0), Some(0.0)));
        assert_eq!((row.kl, row.relative_perplexity), (Some(0.0), Some(0.0)));
        assert_eq!((row.top1_agreement, row.delta_nll_se), (Some(1.0), Some(0.0)));
        let states = (row.next_relative_error, row.next_relative_error_high, row.next_cosine);
        assert_eq!(states, (Some(0.0), Some(0.0), Some(1.0)));
        assert_eq!((row.last_relative_error, row.last_cosine), (Some(0.0), Some(1.0)));
    }
    assert!(summary.correlations.iter().all(|row| row.config != "none"));
}

#[test]
fn a_cell_by_hand() {
    let rows = cell(6);
    let summary = of_documents(&rows);
    let found = only(&summary);
    let tokens: u64 = rows.iter().map(|row| row.tokens).sum();
    let delta: f64 = rows.iter().map(|row| row.nll_sum.unwrap() - row.base_nll_sum).sum();
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    assert_eq!((found.documents, found.groups, found.tokens, found.bytes), (6, 3, tokens, bytes));
    let check =
        |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-14);
    check(found.delta_nll, delta / tokens as f64);
    check(found.delta_bits_per_byte, delta / bytes as f64 / std::f64::consts::LN_2);
    check(found.relative_perplexity, (delta / tokens as f64).exp() - 1.0);
    check(found.top1_agreement, (tokens - 6) as f64 / tokens as f64);
    let (error, base) = rows.iter().fold((0.0, 0.0), |(error, base), row| {
        (error + row.last_error_sum.unwrap(), base + row.last_base_sum.unwrap())
    });
    check(found.last_relative_error, (error / base).sqrt());
    check(found.last_cosine, (base / (error + base)).sqrt());
    assert!(found.last_relative_error_low < found.last_relative_error);
    check(found.nll_per_token, found.base_nll_per_token.unwrap() + delta / tokens as f64);
    assert!(found.delta_nll_low < found.delta_nll && found.delta_nll < found.delta_nll_high);
    assert_eq!((found.stack.as_deref(), found.layer, found.reason.as_deref()), (None, None, None));
}

/// A hundred and one documents: the worst two of them, Student's tests of the mean of equal documents, and the floor.
#[test]
fn verdicts_by_hand() {
    let mut rows = cell(101);
    for (document, row) in rows.iter_mut().enumerate() {
        let delta = [0.03, -0.01, 0.0, 0.02][document % 4] + if document == 50 { 7.0 } else { 0.0 };
        (row.group, row.tokens) = (document.to_string(), 10);
        row.nll_sum = Some(row.base_nll_sum + delta);
    }
    let summary = of_documents(&rows);
    let found = only(&summary);
    // 26 documents of 0.03 and 25 of 0.02 beside the one of 7.
    let share = 7.03 / (26.0 * 0.03 + 25.0 * 0.02 + 7.0);
    assert!((found.worst_share.unwrap() - share).abs() < 1e-9, "{:?}", found.worst_share);
    assert_eq!((found.margin, found.near_lossless, found.floor), (0.005, Some(false), None));
    assert!(found.near_lossless_p > Some(0.5) && found.delta_nll_p > Some(0.05));
    rows.retain(|row| row.document != 50);
    let summary = of_documents(&rows);
    let found = only(&summary);
    assert!(found.near_lossless_p < Some(1e-9) && found.near_lossless == Some(true));
    rows.iter_mut().for_each(|row| row.nll_sum = Some(row.base_nll_sum - 1.0));
    let summary = of_documents(&rows);
    let found = only(&summary);
    assert_eq!((found.worst_share, found.near_lossless), (None, Some(false)));
    assert_eq!(found.reason.as_deref(), Some("no document lost likelihood"));
}

/// The percentile interval of many independent groups is as wide as its standard error says.
#[test]
fn interval_and_standard_error_agree() {
    let mut rows = cell(400);
    rows.iter_mut().for_each(|row| row.group = row.document_id.clone());
    let mut reducer = Reducer::new(Analysis { bootstrap_draws: 4000, ..Analysis::default() });
    reducer.push_documents(&rows);
    let summary = reducer.finish();
    let found = only(&summary);
    let half = (found.delta_nll_high.unwrap() - found.delta_nll_low.unwrap()) / 2.0;
    let ratio = half / (1.96 * found.delta_nll_se.unwrap());
    assert!((0.94..1.06).contains(&ratio), "{ratio}");
}

#[test]
fn undefined_cells_say_why() {
    let check = |change: fn(&mut Vec<DocumentRow>), reason: &str| {
        let mut rows = cell(6);
        change(&mut rows);
        let summary = of_documents(&rows);
        let row = only(&summary).clone();
        assert_eq!(row.reason.as_deref(), Some(reason));
        row
    };
    let row = check(|rows| rows[3].nll_sum = None, "NLL of 1 of 6 documents is not finite");
    assert_eq!((row.delta_nll, row.delta_nll_low, row.delta_nll_se), (None, None, None));
    assert!(row.kl_low.is_some() && row.base_nll_per_token.is_some());
    let row =
        check(|rows| rows.iter_mut().for_each(|row| row.kl_sum = None), "KL was not measured");
    assert!(row.kl.is_none() && row.delta_nll.is_some());
    let row = check(
        |rows| rows[0].next_product_sum = None,
        "hidden states of 1 of 6 documents are not finite",
    );
    assert!(row.next_cosine.is_none() && row.next_relative_error_low.is_none());
    assert!(row.last_cosine.is_some() && row.delta_nll.is_some());
    let row = check(|rows| rows.truncate(2), "fewer than 2 groups: no interval");
    assert!(row.delta_nll.is_some() && row.delta_nll_low.is_none() && row.delta_nll_se.is_none());
    let row = check(|rows| rows.iter_mut().for_each(|row| row.tokens = 0), "no scored token");
    assert!(row.delta_nll.is_none() && row.top1_agreement.is_none());
    let row = check(
        |rows| rows.iter_mut().for_each(|row| row.nll_sum = Some(1e6 * row.tokens as f64)),
        "exp(ΔNLL) leaves the range of f64",
    );
    assert!(row.relative_perplexity.is_none() && row.delta_nll.is_some());
}

#[test]
fn a_config_that_does_not_fit_has_its_reason_and_no_number() {
    let rows = Rows::new(&LANGUAGES[..4]).with_unsupported();
    let summary = rows.reduce(few_draws());
    let reason = Some("unsupported: mlp.up: blocks of 256 do not divide a row of 96 weights");
    let cells: Vec<_> =
        summary.sensitivity.iter().filter(|row| row.config == "candle-q4k").collect();
    assert_eq!(cells.len(), 4);
    for row in cells {
        let numbers = (row.delta_nll, row.kl, row.top1_agreement, row.delta_nll_low);
        assert_eq!((row.reason.as_deref(), numbers), (reason, (None, None, None, None)));
        assert!(row.base_nll_per_token.is_some() && row.unsupported().is_some());
    }
    let mut correlations =
        summary.correlations.iter().filter(|row| row.config == "candle-q4k").peekable();
    assert!(correlations.peek().is_some());
    assert!(correlations.all(|row| row.reason.as_deref() == reason && row.n == 0));
}

#[test]
fn cells_are_ordered_by_meaning_and_know_their_layer() {
    let summary = Rows::new(&["eng"]).reduce(few_draws());
    assert_eq!(summary.sensitivity.len(), CELLS.len());
    let scopes: Vec<_> =
        summary.sensitivity.iter().map(|row| (row.scope.as_str(), row.layer)).collect();
    let single =
        [("only(0)", Some(0)), ("only(0,2)", None), ("only(2)", Some(2)), ("only(10)", Some(10))];
    assert_eq!(scopes[3..7], single);
    assert_eq!(scopes[9], ("all-but(10)", None));
}

#[test]
fn predictors_by_hand() {
    let rows = Rows::new(&["eng"]);
    let summary = rows.reduce(few_draws());
    let row = &summary.languages[0];
    let shares: Vec<_> =
        summary.activation_shares.iter().filter(|row| row.point == "block_out").collect();
    let share = |i: usize| shares[i].share.unwrap();
    let kurtosis = |i: usize| summary.layers[i].kurtosis.unwrap();
    let close =
        |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-12);
    close(row.weighted_kurtosis_block_out, (0..3).map(|i| share(i) * kurtosis(i)).sum());
    close(
        row.weighted_log_kurtosis_block_out,
        (0..3).map(|i| share(i) * (kurtosis(i) + 3.0).ln()).sum(),
    );
    close(row.outlier_share_block_out, 1.0);
    close(row.early_share_block_out, share(0));
    close(row.bytes_per_token, row.bytes as f64 / row.tokens as f64);
    close((0..3).map(|i| shares[i].share).sum::<Option<f64>>(), 1.0);
    assert!(row.weighted_kurtosis_mlp_out_low < row.weighted_kurtosis_mlp_out);
    assert!(row.fertility_low < row.fertility && row.fertility < row.fertility_high);
    assert_eq!(row.reason, None);
}

#[test]
fn missing_parts_are_named() {
    let mut rows = Rows::new(&["eng"]);
    rows.weights.remove(1);
    let row = rows.reduce(few_draws()).languages.remove(0);
    let reason = "block_out: no weight kurtosis of layer 2; mlp_out: no weight kurtosis of layer 2";
    assert_eq!(row.reason.as_deref(), Some(reason));
    assert!(row.weighted_kurtosis_block_out.is_none() && row.early_share_block_out.is_some());
    rows.activations.clear();
    let row = rows.reduce(few_draws()).languages.remove(0);
    assert_eq!(row.reason.as_deref(), Some("no activations"));
}

#[test]
fn correlations_join_languages_with_cells() {
    let summary = summary();
    let cells = CELLS.len() - 1;
    assert_eq!(summary.correlations.len(), cells * Predictor::ALL.len() * Outcome::ALL.len());
    let first = &summary.correlations[0];
    assert_eq!(
        (first.predictor.as_str(), first.outcome.as_str()),
        ("weighted_kurtosis_block_out", "delta_nll")
    );
    assert_eq!((first.scope.as_str(), first.config.as_str(), first.n), ("all", "int3-tensor", 14));
    assert!((first.detectable_r.unwrap() - 0.675_762_153).abs() < 1e-8);
    let two = Rows::new(&["eng", "hin"]).reduce(few_draws());
    assert_eq!(two.correlations[0].reason.as_deref(), Some("2 languages: a correlation needs 3"));
    assert_eq!(two.correlations[0].pearson_r, None);
}

/// The same groups are drawn for every cell, language and model with the same labels: a copy has the same interval.
#[test]
fn languages_with_the_same_groups_are_paired() {
    let mut rows = cell(8);
    let copies: Vec<DocumentRow> =
        rows.iter().map(|row| DocumentRow { language: "hin".to_owned(), ..row.clone() }).collect();
    rows.extend(copies);
    let summary = of_documents(&rows);
    let [a, b] = &summary.sensitivity[..] else { panic!("two cells") };
    assert_eq!((a.delta_nll_low, a.delta_nll_high), (b.delta_nll_low, b.delta_nll_high));
}
