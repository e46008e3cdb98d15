//! Hypotheses of study files: what is read, what is refused, which tests they stand for, and what a plan says of them.

use std::path::Path;

use super::*;
use crate::study::resolve::tests::{no_hub, write_study};
use crate::study::{Families, Study};

const CLAIM: &str = "claim = 'pearson(weighted_kurtosis, delta_nll) < 0'\n";

fn parse(tables: &str) -> Result<Vec<Hypothesis>, String> {
    let text = format!("models = ['m']\ncorpus.path = 'c/{{language}}.txt'\n{tables}");
    let study = Study::parse(&text, "s.toml", Path::new("/base"));
    study.map(|study| study.hypotheses).map_err(|error| error.to_string())
}

fn one(keys: &str) -> Result<Vec<Hypothesis>, String> {
    parse(&format!("[[hypothesis]]\nid = 'h'\n{CLAIM}{keys}"))
}

#[test]
fn what_is_absent_has_a_default() {
    assert!(parse("").unwrap().is_empty());
    let found = one("").unwrap().remove(0);
    assert_eq!((found.alpha, found.correction, found.effect), (0.05, Correction::Holm, 0.5));
    assert_eq!(
        (found.model, found.scope, found.components, found.config),
        (None, None, None, None)
    );
    let both =
        parse(&format!("[[hypothesis]]\nid = 'b'\n{CLAIM}[[hypothesis]]\nid = 'a'\n{CLAIM}"));
    assert_eq!(both.unwrap().iter().map(|found| &found.id).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn every_mistake_names_its_key() {
    let check = |found: Result<Vec<Hypothesis>, String>, parts: &[&str]| {
        let error = found.unwrap_err();
        assert!(error.starts_with("s.toml: "), "{error}");
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    };
    check(parse("hypothesis = 3"), &["hypothesis = 3", "[[hypothesis]] with id and claim"]);
    check(parse("[hypothesis]\nid = 'a'"), &["hypothesis = ", "[[hypothesis]]"]);
    check(parse("[[hypothesis]]"), &["`hypothesis.id` is missing"]);
    check(parse("[[hypothesis]]\nid = 'a'"), &["`hypothesis.claim` is missing", "pearson("]);
    check(
        parse(&format!("[[hypothesis]]\nid = ''\n{CLAIM}")),
        &["hypothesis.id = \"\"", "letters"],
    );
    check(parse(&format!("[[hypothesis]]\nid = 'A b'\n{CLAIM}")), &["hypothesis.id = \"A b\""]);
    let twice = format!("[[hypothesis]]\nid = 'a'\n{CLAIM}[[hypothesis]]\nid = 'a'\n{CLAIM}");
    check(parse(&twice), &["hypothesis.id = a", "two hypotheses"]);
    for alpha in ["0.0", "1.0", "-0.1", "5.0", "nan"] {
        let found = one(&format!("alpha = {alpha}"));
        check(found, &["hypothesis.alpha = ", "between 0 and 1"]);
    }
    check(one("alpah = 0.1"), &["`alpah` in [hypothesis]", "did you mean `alpha`?"]);
    check(one("correction = 'bonferroni'"), &["hypothesis.correction", "holm, bh or none"]);
    check(one("effect = 1.5"), &["hypothesis.effect = 1.5", "between 0 and 1"]);
    check(one("scope = 'some'"), &["hypothesis.scope = \"some\"", "all, only(SET)"]);
    check(one("config = 'int9-channel'"), &["hypothesis.config", "B 2 to 8"]);
    check(
        parse("[[hypothesis]]\nid = 'a'\nclaim = 'pearson(weighted_kurtosis, delta_nll) < -0.6'"),
        &["hypothesis.effect = 0.5", "-0.5 would not fulfil"],
    );
    check(
        parse("[[hypothesis]]\nid = 'a'\nclaim = 'pearson(kurtosis, delta_nll) < 0'"),
        &["hypothesis.claim", "at character 9", "`kurtosis`"],
    );
}

/// A study of one model of two layers and two languages.
fn study(tables: &str) -> (tempfile::TempDir, Study) {
    let folder = tempfile::tempdir().unwrap();
    let mut study = write_study(folder.path(), "['int4-channel', 'int3-channel']");
    study.hypotheses = parse(tables).unwrap();
    (folder, study)
}

#[test]
fn a_hypothesis_stands_for_every_cell_that_it_fits() {
    let tables = format!(
        "[[hypothesis]]\nid = 'a'\n{CLAIM}\
         [[hypothesis]]\nid = 'b'\nscope = 'all'\nconfig = 'int3-channel'\n{CLAIM}\
         [[hypothesis]]\nid = 'c'\nscope = 'only(1)'\ncorrection = 'bh'\n{CLAIM}\
         [[hypothesis]]\nid = 'd'\nscope = 'all'\ncorrection = 'none'\n{CLAIM}"
    );
    let (_folder, study) = study(&tables);
    let resolved = study.resolve(&mut no_hub).unwrap();
    let families = Families::of(&study.hypotheses, &resolved.spec).unwrap();
    let count = |id: &str| families.0.iter().filter(|test| test.hypothesis.id == id).count();
    assert_eq!(["a", "b", "c", "d"].map(count), [6, 1, 2, 2]);
    let sizes = families.members().iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes, [7, 2, 1, 1]);
    assert_eq!(study.hypotheses.iter().map(|h| families.size(h)).collect::<Vec<_>>(), [7, 7, 2, 1]);
    assert_eq!(families.ids(&study.hypotheses[0]), ["a", "b"]);
    assert_eq!(resolved.registration.hypotheses, study.hypotheses);
    let words = prospects(&study.hypotheses, &families, &resolved.spec);
    for part in [
        "hypothesis  a: pearson(weighted_kurtosis_block_out, delta_nll) < 0\n",
        "6 tests, in a family of 7 (holm): supported alone by p ≤ 0.05 / 7\n",
        "1 test, in a family of 7 (holm)",
        "2 tests, not corrected: supported alone by p ≤ 0.05\n",
        "2 languages: no power to see |r| = 0.5; 23 languages for power 0.8",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
}

#[test]
fn what_is_not_measured_is_refused_with_its_key() {
    let check = |keys: &str, parts: &[&str]| {
        let (_folder, study) = study(&format!("[[hypothesis]]\nid = 'h'\n{keys}"));
        let error = study.resolve(&mut no_hub).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    };
    check(&format!("{CLAIM}config = 'nf4'"), &["hypothesis h: config = nf4", "int4-channel"]);
    check(
        &format!("{CLAIM}config = 'none'"),
        &["config = none", "measures int3-channel, int4-channel"],
    );
    check(&format!("{CLAIM}model = 'other'"), &["model = other", "measures tiny"]);
    check(&format!("{CLAIM}scope = 'only(7)'"), &["scope = only(7)", "all, only(0), only(1)"]);
    check(&format!("{CLAIM}components = 'attention'"), &["components = attention", "measures mlp"]);
    let (_folder, mut study) =
        study("[[hypothesis]]\nid = 'h'\nclaim = 'pearson(fertility, kl) > 0'");
    assert!(study.resolve(&mut no_hub).is_ok());
    study.metrics.kl = false;
    let error = study.resolve(&mut no_hub).unwrap_err().to_string();
    assert!(error.contains("claim = pearson(fertility, kl) > 0: kl is not measured"), "{error}");
}

#[test]
fn registrations_differ_by_what_they_claim() {
    let registration = |hypotheses: Vec<Hypothesis>| Registration { hypotheses, outlier_layers: 3 };
    let of = |keys: &str| registration(one(keys).unwrap());
    let check = |here: &Registration, part: &str| {
        let difference = of("").difference(here);
        assert!(difference.as_ref().is_some_and(|text| text.contains(part)), "{difference:?}");
    };
    assert_eq!(of("").difference(&of("alpha = 0.05\ncorrection = 'holm'\neffect = 0.5")), None);
    assert_eq!(of("").difference(&Registration { outlier_layers: 5, ..of("") }), None);
    check(&of("alpha = 0.1"), "alpha of h is 0.05 in the run, 0.1 here");
    check(&of("scope = 'all'"), "scope of h is any in the run, all here");
    check(&registration(Vec::new()), "h, pearson(");
    let mut more = of("");
    more.hypotheses.push(Hypothesis { id: "i".to_owned(), ..more.hypotheses[0].clone() });
    check(&more, "was not registered");
    let mut outliers = of("");
    outliers.hypotheses[0].claim = "pearson(outlier_share, kl) < 0".parse().unwrap();
    let difference = outliers.difference(&Registration { outlier_layers: 5, ..outliers.clone() });
    assert!(difference.unwrap().contains("analysis.outlier_layers = 3, here 5"));
    let text = serde_json::to_string(&outliers).unwrap();
    assert_eq!(serde_json::from_str::<Registration>(&text).unwrap(), outliers);
}
