//! A config that does not fit a matrix costs its cells their numbers, and nothing else: no unit fails, no other cell changes.

use babelquant_proto::rows::DocumentRow;

use crate::cases::{cases, cell, evaluate, spec};
use crate::golden::json;

/// Rows of these (scope, config) cells of a golden case.
fn rows(case: &std::path::Path, cells: &[(&str, &str)]) -> Vec<Vec<DocumentRow>> {
    let mut spec = spec(case, &json(&case.join("expected.json")));
    let cells = cells.iter().map(|(layers, config)| cell(layers, "mlp", config));
    spec.0.models[0].cells = cells.collect();
    evaluate(case, spec)
}

#[test]
fn its_cells_have_the_baseline_and_the_reason_and_no_other_number() {
    for case in cases().into_iter().filter(|case| case.ends_with("bloom/six_heads_f16_sharded")) {
        let fits = [("all", "none"), ("all", "int4-channel")];
        let expected = rows(&case, &fits);
        let mixed = "mixed(1=candle-q4k;rest=int4-channel)";
        let found = rows(&case, &[fits[0], ("all", "candle-q4k"), fits[1], ("all", mixed)]);
        assert_eq!((&found[0], &found[2]), (&expected[0], &expected[1]));
        for rows in [&found[1], &found[3]] {
            for (row, base) in rows.iter().zip(&expected[0]) {
                let numbers = (row.nll_sum, row.kl_sum, row.top1_count);
                assert_eq!(numbers, (None, None, None));
                assert_eq!((row.base_nll_sum, row.tokens), (base.base_nll_sum, base.tokens));
                let reason = row.reason.as_deref().unwrap();
                assert!(
                    reason.starts_with("unsupported: mlp.dense_h_to_4h: blocks of 256"),
                    "{reason}"
                );
            }
        }
        let alone = rows(&case, &[("only(0)", "candle-q4k"), ("only(1)", mixed)]);
        let reasons = alone.iter().flatten().map(|row| (row.base_nll_sum, row.reason.is_some()));
        let bases = expected[0].iter().chain(&expected[0]).map(|row| (row.base_nll_sum, true));
        assert!(reasons.eq(bases));
    }
}
