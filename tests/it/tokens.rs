//! What is said of single tokens, from the worker's rows to the table `divergence`, beside what NumPy says of `transformers`' logits by
//! the formulas of llama.cpp's perplexity tool (`tests/reference/make_tokens.py`).

use std::collections::BTreeMap;
use std::path::Path;

use babelquant_coordinator::reduce::{DivergenceRow, Reducer};
use babelquant_coordinator::study::Analysis;
use serde_json::Value;

use crate::cases::{CellRows, evaluate_tokens_in, spec};
use crate::golden::{close, folder, json, numbers};

/// The cells of a golden case in the order of its file, after `none`.
fn evaluated(case: &str, cells: &[&Value]) -> Vec<CellRows> {
    let case = folder().join(case);
    let mut expected = json(&case.join("expected.json"));
    expected["cells"] = cells.iter().map(|&cell| cell.clone()).collect();
    let study = spec(&case, &expected);
    let outcomes = evaluate_tokens_in(vec![case], study, None);
    outcomes.into_iter().map(Result::unwrap).collect()
}

fn reduced((documents, tokens): &CellRows) -> DivergenceRow {
    let mut reducer = Reducer::new(Analysis { bootstrap_draws: 10, ..Analysis::default() });
    reducer.push_documents(documents);
    reducer.push_tokens(tokens);
    reducer.finish().divergence.remove(0)
}

/// Every number of the row that has a name in the golden file, as (mean, standard error) or alone.
fn check(row: &DivergenceRow, golden: &Value) {
    assert_eq!(row.tokens, golden["tokens"].as_u64().unwrap());
    for (name, value, se) in [
        ("ppl", row.ppl, row.ppl_token_se),
        ("base_ppl", row.base_ppl, row.base_ppl_token_se),
        ("delta_nll", row.delta_nll, row.delta_nll_token_se),
        ("ppl_ratio", row.ppl_ratio, row.ppl_ratio_token_se),
        ("ppl_difference", row.ppl_difference, row.ppl_difference_token_se),
        ("kl", row.kl, row.kl_token_se),
        ("dp", row.dp, row.dp_token_se),
        ("dp_rms", row.dp_rms, row.dp_rms_token_se),
        ("top1_agreement", row.top1_agreement, row.top1_agreement_token_se),
    ] {
        let expected = numbers(&golden[name]);
        // Perplexities of some hundred carry the rounding of logits with them.
        let absolute = if name == "ppl_difference" { 2e-4 } else { 4e-7 };
        close(value.unwrap(), expected[0], 2e-4, absolute);
        close(se.unwrap(), expected[1], 2e-3, absolute);
    }
    close(row.nll_correlation.unwrap(), golden["nll_correlation"].as_f64().unwrap(), 1e-5, 0.0);
}

fn check_quantiles(row: &DivergenceRow, golden: &Value) {
    let [kl, dp] = ["kl", "dp"].map(|name| {
        [numbers(&golden[format!("{name}_ends")]), numbers(&golden[format!("{name}_quantiles")])]
    });
    for (found, expected) in
        [([row.kl_min, row.kl_max], &kl[0]), ([row.dp_min, row.dp_max], &dp[0])]
    {
        for (found, expected) in found.iter().zip(expected) {
            close(found.unwrap(), *expected, 1e-3, 4e-7);
        }
    }
    let of_kl = [
        row.kl_p99_9,
        row.kl_p99,
        row.kl_p95,
        row.kl_p90,
        row.kl_median,
        row.kl_p10,
        row.kl_p5,
        row.kl_p1,
        row.kl_p0_1,
    ];
    let of_dp = [
        row.dp_p99_9,
        row.dp_p99,
        row.dp_p95,
        row.dp_p90,
        row.dp_p75,
        row.dp_median,
        row.dp_p25,
        row.dp_p10,
        row.dp_p5,
        row.dp_p1,
        row.dp_p0_1,
    ];
    for (found, expected) in [(&of_kl[..], &kl[1]), (&of_dp[..], &dp[1])] {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            close(found.unwrap(), *expected, 1.0 / 16.0, 2e-6);
        }
    }
}

#[test]
fn tokens_diverge_as_numpy_says_of_transformers() {
    let golden = json(&folder().join("tokens.json"));
    let mut cases: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for cell in golden["cells"].as_array().unwrap() {
        cases.entry(cell["case"].as_str().unwrap()).or_default().push(cell);
    }
    assert_eq!(cases.len(), 3);
    for (case, cells) in cases {
        let rows = evaluated(case, &cells);
        let none = reduced(&rows[0]);
        assert_eq!(
            (none.kl, none.kl_max, none.dp_min, none.dp_rms),
            (Some(0.0), Some(0.0), Some(0.0), Some(0.0))
        );
        assert_eq!(
            (none.ppl, none.ppl_ratio, none.top1_agreement),
            (none.base_ppl, Some(1.0), Some(1.0))
        );
        for (rows, golden) in rows[1..].iter().zip(&cells) {
            let row = reduced(rows);
            check(&row, golden);
            check_quantiles(&row, golden);
            assert_eq!(row.reason, None);
        }
        let words: Vec<f64> = rows[0].0.iter().map(|row| row.words as f64).collect();
        assert_eq!(words, numbers(&golden["words"][case]), "{}", Path::new(case).display());
    }
}
