//! Reports of a made-up study: shape, width, marks, and what is said where something is missing.

use super::{TERMINAL_WIDTH, json, markdown, terminal};
use crate::reduce::Reducer;
use crate::reduce::example::{LANGUAGES, Rows, summary};
use crate::study::Analysis;

fn few_draws() -> Analysis {
    Analysis { bootstrap_draws: 50, ..Analysis::default() }
}

#[test]
fn fourteen_languages_fit_a_terminal() {
    let text = terminal(&summary());
    for line in text.lines() {
        assert!(line.chars().count() <= TERMINAL_WIDTH, "{}: {line}", line.chars().count());
    }
    let header =
        text.lines().find(|line| line.starts_with("layer") && line.contains("eng")).unwrap();
    assert!(LANGUAGES.iter().all(|language| header.contains(language)), "{header}");
}

#[test]
fn both_media_have_every_section() {
    for text in [terminal(&summary()), markdown(&summary())] {
        for part in [
            "Model toy",
            "Weights: the MLP of each layer",
            "near-Gaussian",
            "Total parameters  12 in 3 layers",
            "Languages: corpus, baseline",
            "Degradation",
            "Activation at ",
            "Sensitivity to int4-channel",
            "one layer quantized",
            "every layer but one quantized",
            "only(0,2)",
            "Check: the config none has ΔNLL = 0 exactly in all 14 cells.",
            "@ all int4-channel) r = ",
            ", n = 14",
            "visible |r| ≥ 0.68",
            "95 % bootstrap over groups of documents, 200 draws",
        ] {
            assert!(text.replace('\\', "").contains(part), "{part}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }
}

#[test]
fn the_terminal_says_what_it_leaves_out_and_markdown_has_it() {
    let (summary, scope) = (summary(), "@ only(10)");
    let text = terminal(&summary).replace('\n', " ");
    assert!(text.contains("left out: 430 more, all of them in report.md"), "{text}");
    assert!(!text.contains(scope));
    let rows = markdown(&summary).lines().filter(|line| line.contains("top1\\_agreement")).count();
    assert_eq!(rows, 9 * 10);
}

#[test]
fn without_scope_all_the_strongest_correlations_are_shown() {
    let mut rows = Rows::new(&["eng", "hin", "zho", "deu"]);
    rows.documents.retain(|row| row.scope != "all");
    let text = terminal(&rows.reduce(few_draws()));
    assert!(text.contains("no config of this study quantizes every layer"));
    assert!(text.contains("Shown: the 10 largest |r| of outcome delta_nll"));
    assert_eq!(text.matches("pearson(").count(), 10);
}

#[test]
fn undefined_correlations_say_why() {
    let text = terminal(&Rows::new(&["eng", "hin"]).reduce(few_draws()));
    assert!(text.contains("undefined: 2 languages: a correlation needs 3, n = 2"), "{text}");
}

#[test]
fn a_wrong_identity_is_shouted() {
    let mut rows = Rows::new(&["eng"]);
    let identity = rows.documents.iter_mut().find(|row| row.config == "none").unwrap();
    identity.base_nll_sum += 1e-9;
    let text = terminal(&rows.reduce(few_draws()));
    assert!(text.contains("WARNING: the config none differs from the baseline in 1 of 1 cells."));
}

#[test]
fn weights_alone_and_nothing_at_all() {
    let mut reducer = Reducer::new(few_draws());
    assert!(terminal(&Reducer::new(few_draws()).finish()).starts_with("No rows"));
    reducer.push_weights(&Rows::new(&[]).weights);
    let text = terminal(&reducer.finish());
    assert!(text.contains("Mean kurtosis") && !text.contains("Languages"));
}

#[test]
fn json_has_provenance_and_every_table() {
    let text = json(&summary(), &serde_json::json!({ "spec": "abc" })).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["provenance"]["spec"], "abc");
    assert_eq!(json["analysis"]["bootstrap_draws"], 200);
    for table in
        ["models", "layers", "languages", "activation_shares", "sensitivity", "correlations"]
    {
        assert!(!json[table].as_array().unwrap().is_empty(), "{table}");
    }
}
