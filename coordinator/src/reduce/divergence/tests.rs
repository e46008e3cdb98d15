//! The table `divergence` of a few tokens, by hand.

use babelquant_proto::Histogram;
use babelquant_proto::rows::{DocumentRow, TokenRow};

use super::*;
use crate::reduce::Reducer;
use crate::reduce::example::document_row;
use crate::study::Analysis;

/// A document of a shard and its tokens, each with the NLL under both models and a KL.
fn rows(shard: u32, tokens: &[[f64; 3]]) -> (DocumentRow, TokenRow) {
    let sum = |of: fn(&[f64; 3]) -> f64| tokens.iter().map(of).sum::<f64>();
    let dp = |token: &[f64; 3]| (-token[1]).exp() - (-token[0]).exp();
    let counts = |of: &dyn Fn(&[f64; 3]) -> Option<f64>| {
        let mut histogram = Histogram::default();
        tokens.iter().filter_map(of).for_each(|value| histogram.push(value));
        Some(histogram.into_counts())
    };
    let ends = |of: &dyn Fn(&[f64; 3]) -> f64| {
        let values = tokens.iter().map(of);
        [values.clone().reduce(f64::min), values.reduce(f64::max)]
    };
    let mut document = document_row("eng", shard, ("all", "int4-channel"));
    document.shard = shard;
    document.tokens = tokens.len() as u64;
    document.base_nll_sum = sum(|token| token[0]);
    document.nll_sum = Some(sum(|token| token[1]));
    document.kl_sum = Some(sum(|token| token[2]));
    document.top1_count = Some(document.tokens.saturating_sub(1));
    let [kl_min, kl_max] = ends(&|token| token[2]);
    let [dp_min, dp_max] = ends(&dp);
    let powers = |power| Some(tokens.iter().map(|token| dp(token).powi(power)).sum());
    let DocumentRow { model, engine, language, scope, components, config, .. } = document.clone();
    let row = TokenRow {
        model,
        engine,
        language,
        shard,
        scope,
        components,
        config,
        tokens: document.tokens,
        base_nll_square_sum: sum(|token| token[0] * token[0]),
        nll_square_sum: Some(sum(|token| token[1] * token[1])),
        nll_product_sum: Some(sum(|token| token[0] * token[1])),
        kl_square_sum: Some(sum(|token| token[2] * token[2])),
        kl_min,
        kl_max,
        kl_counts: counts(&|token| Some(token[2])),
        dp_sum: powers(1),
        dp_square_sum: powers(2),
        dp_quartic_sum: powers(4),
        dp_min,
        dp_max,
        dp_fall_counts: counts(&|token| Some(-dp(token)).filter(|fall| *fall > 0.0)),
        dp_rise_counts: counts(&|token| Some(dp(token)).filter(|rise| *rise >= 0.0)),
        reason: None,
    };
    (document, row)
}

fn reduced(rows: &[(DocumentRow, TokenRow)]) -> Vec<DivergenceRow> {
    let mut reducer = Reducer::new(Analysis { bootstrap_draws: 10, ..Analysis::default() });
    for (document, tokens) in rows {
        reducer.push_documents(std::slice::from_ref(document));
        reducer.push_tokens(std::slice::from_ref(tokens));
    }
    reducer.finish().divergence
}

/// Tokens in two shards, and a shard without any.
const SHARDS: [&[[f64; 3]]; 3] =
    [&[[1.0, 1.5, 0.25], [2.0, 2.0, 0.0]], &[], &[[0.5, 0.25, 0.5], [3.0, 3.5, 0.125]]];

#[test]
fn four_tokens_by_hand_in_any_order_of_shards() {
    let mut all: Vec<_> = (0..).zip(SHARDS).map(|(shard, tokens)| rows(shard, tokens)).collect();
    let [row] = &reduced(&all)[..] else { panic!("one cell") };
    let close = |found: Option<f64>, expected: f64| {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    };
    // NLL 1.5, 2, 0.25, 3.5 beside 1, 2, 0.5, 3: means 1.8125 and 1.625; squares 18.5625 and 14.25, products 16.125 in all.
    close(row.delta_nll, 0.1875);
    close(row.ppl, 1.8125_f64.exp());
    let [own, base] =
        [18.5625 / 4.0 - 1.8125_f64.powi(2), 14.25 / 4.0 - 1.625_f64.powi(2)].map(|v| v / 3.0);
    let covariance = (16.125 / 4.0 - 1.8125 * 1.625) / 3.0;
    close(row.nll_correlation, covariance / (own * base).sqrt());
    close(row.delta_nll_token_se, (own + base - 2.0 * covariance).sqrt());
    close(row.kl, 0.21875);
    assert_eq!((row.kl_min, row.kl_max, row.tokens), (Some(0.0), Some(0.5), 4));
    assert!((row.kl_median.unwrap() - 0.1875).abs() < 0.08, "{:?}", row.kl_median);
    assert!(row.dp_min.unwrap() < 0.0 && row.dp_max.unwrap() > 0.0);
    close(row.top1_agreement, 0.5);
    close(row.top1_agreement_token_se, (0.25_f64 / 3.0).sqrt());
    assert_eq!(row.reason, None);
    let expected = reduced(&all);
    all.rotate_left(1);
    assert_eq!(reduced(&all), expected);
}

#[test]
fn what_is_undefined_says_why() {
    let [first, ..] = SHARDS;
    let check = |change: fn(&mut (DocumentRow, TokenRow)), part: &str| {
        let mut row = rows(0, first);
        change(&mut row);
        let row = reduced(&[row]).remove(0);
        assert!(row.reason.as_deref().unwrap().contains(part), "{:?}", row.reason);
        row
    };
    let row = check(
        |(document, row)| {
            (document.nll_sum, document.kl_sum) = (None, None);
            *row = TokenRow {
                reason: Some("not finite".to_owned()),
                nll_square_sum: None,
                nll_product_sum: None,
                kl_square_sum: None,
                dp_sum: None,
                dp_square_sum: None,
                ..row.clone()
            };
        },
        "not finite",
    );
    assert_eq!((row.ppl, row.kl, row.dp_rms, row.kl_median), (None, None, None, None));
    assert!(row.base_ppl.is_some());
    let row = check(
        |(document, row)| (document.kl_sum, row.kl_square_sum) = (None, None),
        "KL was not measured",
    );
    assert!(row.ppl.is_some() && row.kl.is_none() && row.kl_max.is_none());
    let row = check(|row| *row = rows(0, &[]), "no scored token");
    assert_eq!((row.ppl, row.base_ppl, row.dp_max), (None, None, None));
    let row = check(|row| *row = rows(0, &SHARDS[0][..1]), "one scored token");
    assert!(row.ppl.is_some() && row.ppl_token_se.is_none());
}

#[test]
fn without_rows_of_tokens_there_is_no_row() {
    let mut reducer = Reducer::new(Analysis { bootstrap_draws: 10, ..Analysis::default() });
    reducer.push_documents(&[rows(0, SHARDS[0]).0]);
    assert!(reducer.finish().divergence.is_empty());
}
