//! Claims judged against `tests/golden/hypotheses.json` (scipy, pingouin, statsmodels; `tests/reference/make_hypotheses.py`).

use serde_json::Value;

use super::*;
use crate::reduce::example::tested;
use crate::statistics::goldens::{close, hypotheses, numbers};

/// The rows of a model's languages and cells: x is the predictor, y the outcome.
fn measured(
    model: &str,
    points: &[(String, f64, Option<f64>)],
) -> (Vec<LanguageRow>, Vec<SensitivityRow>) {
    let language = |(language, x, _): &(String, f64, Option<f64>)| LanguageRow {
        model: model.to_owned(),
        language: language.clone(),
        weighted_kurtosis_block_out: Some(*x),
        ..LanguageRow::default()
    };
    let cell = |(language, _, y): &(String, f64, Option<f64>)| SensitivityRow {
        model: model.to_owned(),
        language: language.clone(),
        scope: "all".to_owned(),
        components: "mlp".to_owned(),
        config: "int4-channel".to_owned(),
        delta_nll: *y,
        ..SensitivityRow::default()
    };
    (points.iter().map(language).collect(), points.iter().map(cell).collect())
}

fn points(golden: &Value, languages: &[Value]) -> Vec<(String, f64, Option<f64>)> {
    let pairs = numbers(&golden["x"]).into_iter().zip(numbers(&golden["y"]));
    let named = pairs.zip(languages);
    named.map(|((x, y), name)| (name.as_str().unwrap().to_owned(), x, Some(y))).collect()
}

/// All claims of a section as one family.
fn judged(section: &str, correction: Correction) -> (Vec<HypothesisRow>, Value) {
    let goldens = hypotheses();
    let names = goldens["languages"].as_array().unwrap();
    let (mut tests, mut languages, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for (at, golden) in goldens[section].as_array().unwrap().iter().enumerate() {
        let id = format!("h{at}");
        let claim = golden["claim"].as_str().unwrap();
        tests.push(tested(&id, &id, claim, correction));
        let (of, with) = measured(&id, &points(golden, names));
        languages.extend(of);
        cells.extend(with);
    }
    let rows = rows(&Families(tests), (&languages, &cells), &Analysis::default());
    (rows, goldens)
}

#[test]
fn claims_as_scipy_and_pingouin_judge_them() {
    for section in ["claims", "partials"] {
        let (rows, goldens) = judged(section, Correction::None);
        let goldens = goldens[section].as_array().unwrap();
        assert!(rows.len() == goldens.len() && rows.len() >= 9);
        for (row, golden) in rows.iter().zip(goldens) {
            let check = |found: Option<f64>, expected: &Value| {
                close(found.unwrap(), expected.as_f64().unwrap(), &row.claim);
            };
            check(row.estimate, &golden["estimate"]);
            check(row.low, &golden["interval"][0]);
            check(row.high, &golden["interval"][1]);
            check(row.p, &golden["p"]);
            assert_eq!((row.p_corrected, row.family_tests, &row.family), (row.p, 1, &row.id));
            assert_eq!(row.verdict == "SUPPORTED", row.p.unwrap() <= 0.05);
        }
    }
}

#[test]
fn families_as_statsmodels_corrects_them() {
    for (correction, key) in [(Correction::Holm, "holm"), (Correction::Bh, "bh")] {
        let (rows, goldens) = judged("claims", correction);
        for (row, expected) in rows.iter().zip(numbers(&goldens["families"][key])) {
            close(row.p_corrected.unwrap(), expected, &row.claim);
            assert_eq!(row.family_tests as usize, rows.len());
            assert_eq!(row.verdict == "SUPPORTED", expected <= 0.05, "{row:?}");
        }
    }
}

/// So many languages of the bundled table, y falling with x but for a ripple.
fn line(n: usize, ripple: f64) -> Vec<(String, f64, Option<f64>)> {
    let of = |at: usize| {
        let x = at as f64;
        (format!("q{at:02}"), x, Some(ripple * (at * 7 % 5) as f64 - x))
    };
    (0..n).map(of).collect()
}

fn judge_alone(claim: &str, points: &[(String, f64, Option<f64>)]) -> HypothesisRow {
    let (languages, cells) = measured("h", points);
    let families = Families(vec![tested("h", "h", claim, Correction::Holm)]);
    rows(&families, (&languages, &cells), &Analysis::default()).remove(0)
}

#[test]
fn verdicts() {
    let check = |claim: &str, n: usize, ripple: f64, verdict: &str| {
        let row = judge_alone(claim, &line(n, ripple));
        assert_eq!(row.verdict, verdict, "{row:?}");
        assert_eq!(row.reason.is_some(), verdict == "INSUFFICIENT DATA", "{row:?}");
        row
    };
    let claim = "pearson(weighted_kurtosis, delta_nll)";
    check(&format!("{claim} < 0"), 8, 0.1, "SUPPORTED");
    let few = check(&format!("{claim} > 0"), 8, 0.1, "INSUFFICIENT DATA");
    assert!(few.reason.as_ref().unwrap().starts_with("8 languages show |r| = 0.5 with"), "{few:?}");
    // 30 languages see |r| = 0.5 on one side with 0.9.
    let many = check(&format!("{claim} > 0"), 30, 0.1, "NOT SUPPORTED");
    assert!(many.power.is_some_and(|power| power > 0.85) && many.p == Some(1.0), "{many:?}");
    assert_eq!(many.test.as_deref(), Some("random orders"));
    let none = check(&format!("{claim} < 0"), 2, 0.1, "INSUFFICIENT DATA");
    assert_eq!((none.p, none.p_corrected, none.estimate), (None, None, None));
    assert!(none.reason.unwrap().contains("a correlation needs 3"));
    let empty = check("kendall(fertility, delta_nll) < 0", 0, 0.0, "INSUFFICIENT DATA");
    assert_eq!(empty.n, 0);
    let held = "partial(weighted_kurtosis, delta_nll | latin) < 0";
    let unknown = check(held, 8, 0.1, "INSUFFICIENT DATA");
    assert!(unknown.reason.unwrap().contains("latin of q00 is unknown"));
}

/// Random orders are 99,999 and the one observed: p is a multiple of 1/100,000, and the same again.
#[test]
fn random_orders_are_near_scipy() {
    let points = line(30, 12.0);
    let row = judge_alone("spearman(weighted_kurtosis, delta_nll) < 0", &points);
    let again = judge_alone("spearman(weighted_kurtosis, delta_nll) < 0", &points);
    assert_eq!(row, again);
    let (p, pairs) = (row.p.unwrap(), points.iter().map(|(_, x, y)| (*x, y.unwrap())));
    let pairs = Pairs::new(&pairs.collect::<Vec<_>>()).unwrap();
    let student = spearman(&pairs).p / 2.0;
    assert!(p > 1e-5 && (p - student).abs() < 0.25 * student, "{p} {student}");
}

#[test]
fn a_test_without_a_p_still_counts_in_its_family() {
    let claim = "pearson(weighted_kurtosis, delta_nll) < 0";
    let (mut languages, mut cells) = measured("a", &line(8, 3.0));
    let (of, with) = measured("b", &line(2, 0.0));
    languages.extend(of);
    cells.extend(with);
    let tests = ["a", "b"].map(|id| tested(id, id, claim, Correction::Holm)).to_vec();
    let rows = rows(&Families(tests), (&languages, &cells), &Analysis::default());
    assert_eq!(rows[0].p_corrected.unwrap(), 2.0 * rows[0].p.unwrap());
    assert_eq!(
        (rows[0].family.as_str(), rows[1].family_tests, rows[1].p_corrected),
        ("a b", 2, None)
    );
}
