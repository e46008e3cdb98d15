//! Reports of a made-up study: shape, width, marks, and what is said where something is missing.

use babelquant_proto::Digest;
use babelquant_proto::rows::{ActivationRow, DocumentRow};

use super::{Provenance, TERMINAL_WIDTH, json, markdown, terminal};
use crate::reduce::example::{LANGUAGES, Rows, document_row, summary, tested};
use crate::reduce::{Reducer, Summary};
use crate::study::hypothesis::Correction;
use crate::study::{Analysis, Families};

fn few_draws() -> Analysis {
    Analysis { bootstrap_draws: 50, ..Analysis::default() }
}

/// The run behind the example.
pub(super) fn provenance() -> Provenance {
    Provenance {
        study: "toy study".to_owned(),
        spec_digest: Digest::of(b"spec"),
        engines: vec!["cpu-x86_64-v3-candle0.11.1".to_owned()],
        reused: None,
        quarantined: Vec::new(),
    }
}

#[test]
fn fourteen_languages_fit_a_terminal() {
    let text = terminal(&summary(), None);
    for line in text.lines() {
        assert!(line.chars().count() <= TERMINAL_WIDTH, "{}: {line}", line.chars().count());
    }
    let header =
        text.lines().find(|line| line.starts_with("layer") && line.contains("eng")).unwrap();
    assert!(LANGUAGES.iter().all(|language| header.contains(language)), "{header}");
}

/// Two hypotheses about the demo's languages.
fn claimed() -> Families {
    let claim = |id: &str, claim: &str| tested(id, "toy", claim, Correction::Holm);
    Families(vec![
        claim("a-first", "pearson(weighted_kurtosis, delta_nll) < 0"),
        claim("b", "partial(fertility, relative_perplexity | latin, log_mc4) > 0.25"),
    ])
}

#[test]
fn hypotheses_come_before_what_was_looked_at_afterwards() {
    let summary = Rows::new(&LANGUAGES).judge(few_draws(), claimed());
    for text in [terminal(&summary, None), markdown(&summary, &provenance()).replace('\\', "")] {
        let parts = [
            "Hypotheses",
            "a-first: pearson(weighted_kurtosis_block_out, delta_nll) < 0",
            "toy, all int4-channel",
            "p by every order of the languages, corrected by holm for 2 tests of a-first, b; alpha 0.05",
            "b: partial(fertility, relative_perplexity | latin, log_mc4) > 0.25",
            "p by Fisher's z",
            "14 languages show |r| = 0.5 with probability",
            "Registered in run.json",
            "Model toy",
        ];
        let mut from = 0;
        for part in parts {
            let joined = text[from..].replace('\n', " ");
            from += joined.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        }
    }
    let fits = |line: &str| line.chars().count() <= TERMINAL_WIDTH;
    assert!(terminal(&summary, None).lines().all(fits));
}

#[test]
fn both_media_have_every_section() {
    for text in [terminal(&summary(), None), markdown(&summary(), &provenance())] {
        for part in [
            "Model toy",
            "Weights: the MLP of each layer",
            "near-Gaussian",
            "Total parameters  12 in 3 layers",
            "Languages: corpus, baseline",
            "Configs: bits against ΔNLL; every layer quantized",
            "Quantization error by kind of matrix",
            "Degradation",
            "Disparity",
            "other scripts - Latin",
            "max-T",
            "Depth: do languages lean",
            "low - high resource",
            "wild p",
            "Holm p = ",
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
    let text = terminal(&summary, None).replace('\n', " ");
    assert!(text.contains("left out: 430 more, all of them in report.md"), "{text}");
    assert!(!text.contains(scope));
    let rows = markdown(&summary, &provenance())
        .lines()
        .filter(|line| line.contains("top1\\_agreement"))
        .count();
    // Of every scope, and adjusted at scope all.
    assert_eq!(rows, 9 * 10 + 2 * 10);
}

#[test]
fn without_scope_all_the_strongest_correlations_are_shown() {
    let mut rows = Rows::new(&["eng", "hin", "zho", "deu"]);
    rows.documents.retain(|row| row.scope != "all");
    let text = terminal(&rows.reduce(few_draws()), None);
    assert!(text.contains("no config of this study quantizes every layer"));
    assert!(text.contains("Shown: the 10 largest |r| of outcome delta_nll"));
    assert_eq!(text.matches("pearson(").count(), 10);
}

#[test]
fn undefined_correlations_say_why() {
    let text = terminal(&Rows::new(&["eng", "hin"]).reduce(few_draws()), None);
    assert!(text.contains("undefined, n = 2"), "{text}");
    assert!(text.contains("    because: 2 languages: a correlation needs 3"), "{text}");
}

#[test]
fn a_wrong_identity_is_shouted() {
    let mut rows = Rows::new(&["eng"]);
    let identity = rows.documents.iter_mut().find(|row| row.config == "none").unwrap();
    identity.base_nll_sum += 1e-9;
    let text = terminal(&rows.reduce(few_draws()), None);
    assert!(text.contains("WARNING: the config none differs from the baseline in 1 of 1 cells."));
}

#[test]
fn weights_alone_and_nothing_at_all() {
    let mut reducer = Reducer::new(few_draws());
    assert!(terminal(&Reducer::new(few_draws()).finish(), None).starts_with("No rows"));
    reducer.push_weights(&Rows::new(&[]).weights);
    let text = terminal(&reducer.finish(), None);
    assert!(text.contains("Mean kurtosis") && !text.contains("Languages"));
}

#[test]
fn json_has_provenance_and_every_table() {
    let text = json(&summary(), &serde_json::json!({ "spec": "abc" })).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["provenance"]["spec"], "abc");
    assert_eq!(json["analysis"]["bootstrap_draws"], 200);
    assert_eq!(json["sources"]["disparity"], serde_json::json!(["measured", "literature"]));
    for table in
        ["models", "layers", "languages", "activation_shares", "sensitivity", "correlations"]
    {
        assert!(!json[table].as_array().unwrap().is_empty(), "{table}");
    }
}

#[test]
fn numbers_below_the_floor_are_marked_and_the_floor_is_shown() {
    let mut rows = Rows::new(&["eng", "hin"]);
    let floor = |document| {
        let mut row = document_row("eng", document, ("all", "f32"));
        row.nll_sum = Some(row.base_nll_sum - 100.0);
        row
    };
    rows.documents.extend((0..12).map(floor));
    let summary = rows.reduce(few_draws());
    for text in [terminal(&summary, None), markdown(&summary, &provenance()).replace('\\', "")] {
        let words = text.replace('\n', " ");
        assert!(text.contains("Numerical floor"), "{text}");
        assert!(words.contains("~ marks a number whose |ΔNLL| is below"), "{text}");
        let degradation = text.split("Degradation").nth(1).unwrap();
        let line = |language: &str| {
            let is_line = |line: &&str| line.trim_start_matches("| ").starts_with(language);
            degradation.lines().find(is_line).unwrap().to_owned()
        };
        assert!(line("eng").contains('~') && !line("hin").contains('~'), "{degradation}");
        let matrix = degradation.split("Sensitivity to int4-channel").nth(1).unwrap();
        assert_eq!(matrix.split("Sensitivity").next().unwrap().matches('~').count(), 3, "{matrix}");
        assert!(!text.contains("f32 has ΔNLL") && !text.contains("Sensitivity to f32"));
    }
    assert!(!terminal(&Rows::new(&["eng"]).reduce(few_draws()), None).contains("Numerical floor"));
}

#[test]
fn numbers_of_several_engines_are_named_with_what_they_differ_by() {
    let mut rows = Rows::new(&["eng", "hin"]);
    let other = |language: &str, delta: f64| {
        let row = document_row(language, 0, ("only(4)", "int4-channel"));
        let base_nll_sum = row.base_nll_sum - delta;
        DocumentRow { engine: "cuda-b".to_owned(), base_nll_sum, ..row }
    };
    rows.documents.push(other("eng", 100.0));
    let of_one = rows.reduce(few_draws());
    rows.documents.push(other("hin", 1e-9));
    let of_both = rows.reduce(few_draws());
    let text = |summary: &Summary| terminal(summary, None).replace('\n', " ");
    for summary in [&of_one, &of_both] {
        let text = text(summary);
        assert!(
            text.contains("Several engine classes made the numbers: cpu-a | cuda-b."),
            "{text}"
        );
        assert!(text.contains("Numerical floor") && text.contains("~ marks a number"), "{text}");
        assert!(text.contains("need not give the same bytes"), "{text}");
    }
    assert!(text(&of_one).contains("In 1 of 2 languages two of them scored no document in common"));
    assert!(text(&of_both).contains("differs by on them is in the numerical floor"));
    let alone = terminal(&Rows::new(&["eng"]).reduce(few_draws()), None);
    assert!(!alone.contains("engine class"), "{alone}");
}

#[test]
fn configs_that_do_not_fit_are_listed_once_with_the_reason() {
    let summary = Rows::new(&["eng", "hin"]).with_unsupported().reduce(few_draws());
    for text in [terminal(&summary, None), markdown(&summary, &provenance()).replace('\\', "")] {
        assert_eq!(text.matches("candle-q4k").count(), 1, "{text}");
        assert!(text.contains("Unsupported configs: 1"), "{text}");
        assert!(text.contains("candle-q4k: mlp.up: blocks of 256 do not divide"), "{text}");
        assert!(text.contains("ΔNLL = 0 exactly in all 2 cells"));
    }
    assert!(!terminal(&Rows::new(&["eng"]).reduce(few_draws()), None).contains("Unsupported"));
}

#[test]
fn configs_are_ranked_by_size_with_their_fronts() {
    let text = terminal(&Rows::new(&["eng", "hin"]).reduce(few_draws()), None);
    let section = text.split("Configs: bits").nth(1).unwrap();
    let lines: Vec<&str> = section.lines().filter(|line| line.starts_with("int")).take(2).collect();
    assert!(lines[0].starts_with("int3-tensor") && lines[1].starts_with("int4-channel"));
    assert!(lines[0].contains("3.00") && lines[0].contains("both"), "{section}");
    assert!(section.contains("front: no") && section.contains("20.0"), "{section}");
}

#[test]
fn the_terminal_leaves_out_configs_that_are_on_no_front_where_there_are_many() {
    let mut rows = Rows::new(&["eng", "hin"]);
    let named = |number: u32| format!("int{}-group{}", 2 + number % 7, 8 * (1 + number / 7));
    let (documents, quantization) = (rows.documents.clone(), rows.quantization.clone());
    for number in 0..9 {
        let more =
            documents.iter().filter(|row| (&*row.scope, &*row.config) == ("all", "int4-channel"));
        rows.documents.extend(more.cloned().map(|mut row| {
            row.config = named(number);
            row.nll_sum = row.nll_sum.map(|nll| nll + f64::from(number));
            row
        }));
        let more = quantization.iter().filter(|row| row.config == "int4-channel");
        rows.quantization.extend(more.cloned().map(|mut row| {
            row.config = named(number);
            row.bits_per_weight = Some(5.0 + f64::from(number));
            row
        }));
    }
    let summary = rows.reduce(few_draws());
    let beaten = named(8);
    let text = terminal(&summary, None).replace('\n', " ");
    assert_eq!(text.matches(&beaten).count(), 1, "it is ranked, and in no other section");
    assert!(text.contains("leave out 9, which report.md"), "{text}");
    assert!(markdown(&summary, &provenance()).matches(&beaten).count() > 4);
    for line in terminal(&summary, None).lines() {
        assert!(line.chars().count() <= TERMINAL_WIDTH, "{}: {line}", line.chars().count());
    }
}

#[test]
fn several_models_are_compared_and_one_is_not() {
    let languages = ["ara", "deu", "eng", "fin", "fra"];
    let mut rows = Rows::new(&languages);
    let copy = rows.clone();
    rows.documents.extend(copy.documents.into_iter().map(|mut row| {
        row.model = "other".to_owned();
        row
    }));
    rows.activations.extend(copy.activations.into_iter().map(|mut row| {
        row.model = "other".to_owned();
        row
    }));
    rows.quantization.extend(copy.quantization.into_iter().map(|mut row| {
        row.model = "other".to_owned();
        row
    }));
    rows.weights.extend(copy.weights.into_iter().map(|mut row| {
        row.model = "other".to_owned();
        row
    }));
    let summary = rows.reduce(few_draws());
    let text = terminal(&summary, None);
    let across = text.split("Across models").nth(1).unwrap();
    for part in ["other", "toy", "all", "(5)", "Left out: 430 more"] {
        assert!(across.replace('\n', " ").contains(part), "{part}: {across}");
    }
    assert!(summary.replication.iter().all(|row| row.verdict.as_deref() != Some("does not")));
    for line in text.lines() {
        assert!(line.chars().count() <= TERMINAL_WIDTH, "{}: {line}", line.chars().count());
    }
    assert!(!terminal(&Rows::new(&["eng"]).reduce(few_draws()), None).contains("Across models"));
}

#[test]
fn an_encoder_stands_above_its_decoder() {
    let mut rows = Rows::new(&["eng"]);
    let encoder = |row: &ActivationRow| ActivationRow { stack: "enc".to_owned(), ..row.clone() };
    rows.activations.extend(rows.activations.clone().iter().map(encoder));
    let text = terminal(&rows.reduce(few_draws()), None);
    let shares = text.split("Activation at block_out").nth(1).unwrap();
    let labels: Vec<&str> =
        shares.lines().skip(5).take(6).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(labels, ["enc.0", "enc.2", "enc.10", "0", "2", "10"], "{shares}");
}
