//! The page of a made-up study: the same bytes, escaped names, marks and a table in every chart, and what is said of nothing.

use super::super::html;
use super::super::tests::provenance;
use crate::reduce::example::{LANGUAGES, Rows, summary, tested};
use crate::reduce::{ConfigRow, DepthRow, Reducer, SensitivityRow, Summary};
use crate::study::hypothesis::Correction;
use crate::study::{Analysis, Families};

const CHARTS: [&str; 12] = [
    "degradation",
    "disparity",
    "pareto",
    "sensitivity",
    "depth",
    "trends",
    "scatter",
    "forest",
    "regressions",
    "activation",
    "weights",
    "limits",
];

fn few_draws() -> Analysis {
    Analysis { bootstrap_draws: 50, ..Analysis::default() }
}

fn page(summary: &Summary) -> String {
    html(summary, &provenance())
}

/// The part of the page that is one chart.
fn chart<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page
        .find(&format!("<section class=\"chart\" id=\"{id}\">"))
        .unwrap_or_else(|| panic!("{id}"));
    let end = page[start..].find("</section>").unwrap();
    &page[start..start + end]
}

/// Two models with these names, on the same rows.
fn models(names: [&str; 2], languages: &[&str]) -> Summary {
    let rows = Rows::new(languages);
    let mut reducer = Reducer::new(few_draws());
    for name in names {
        let mut rows = rows.clone();
        rows.weights.iter_mut().for_each(|row| row.model = name.to_owned());
        rows.quantization.iter_mut().for_each(|row| row.model = name.to_owned());
        rows.activations.iter_mut().for_each(|row| row.model = name.to_owned());
        rows.documents.iter_mut().for_each(|row| row.model = name.to_owned());
        reducer.push_weights(&rows.weights);
        reducer.push_quantization(&rows.quantization);
        reducer.push_activations(&rows.activations);
        reducer.push_documents(&rows.documents);
    }
    reducer.finish()
}

#[test]
fn the_same_summary_gives_the_same_bytes() {
    assert!(page(&summary()) == page(&summary()));
}

#[test]
fn every_chart_has_marks_and_a_table() {
    let page = page(&summary());
    for id in CHARTS {
        let chart = chart(&page, &format!("m1-{id}"));
        for part in ["<svg class=\"plot\"", "class=\"tt\"", "<title>", "<tbody><tr>"] {
            assert!(chart.contains(part), "{id}: {part}");
        }
        assert_eq!(chart.matches("<figure").count(), chart.matches("viewBox").count());
    }
    assert_eq!(page.matches("class=\"chart\"").count(), CHARTS.len());
    assert_eq!(page.matches("Source: measured in this run").count(), CHARTS.len());
    assert!(!page.contains("NaN") && !page.contains("inf\"") && !page.contains("clip-path"));
}

#[test]
fn names_are_text_wherever_they_stand() {
    let hostile = "<script>alert(1)</script>\"'&";
    let summary = models([hostile, "b"], &["<img src=x>", "ara", "deu", "eng"]);
    let mut from = provenance();
    from.study = hostile.to_owned();
    from.quarantined = vec!["<b>unit</b>".to_owned()];
    let page = html(&summary, &from);
    for part in ["<script>alert", "<img", "<b>unit"] {
        assert!(!page.contains(part), "{part}");
    }
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
            && page.contains("&lt;img src=x&gt;")
    );
    assert_eq!(page.matches("<script>").count(), 1);
}

#[test]
fn verdicts_stand_above_the_models() {
    let claims = ["kendall(fertility, delta_nll) < 0", "pearson(fertility, delta_nll) > 0"];
    let tests = claims.map(|claim| tested("h", "toy<b>", claim, Correction::None));
    let page = page(&Rows::new(&LANGUAGES).judge(few_draws(), Families(tests.to_vec())));
    let at = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part}"));
    assert!(at("<section id=\"hypotheses\">") < at("<strong>INSUFFICIENT DATA</strong>"));
    assert!(at("kendall(fertility, delta_nll) &lt; 0") < at("class=\"model\""));
    assert!(page.contains("toy&lt;b&gt;") && !page.contains("toy<b>"));
}

#[test]
fn the_answer_comes_first_in_words() {
    let page = page(&summary());
    let answer =
        page.split("<dl class=\"answers\">").nth(1).unwrap().split("</dl>").next().unwrap();
    for part in [
        "raises the perplexity of",
        "layer",
        "p\u{a0}=\u{a0}",
        "n\u{a0}=\u{a0}14",
        "|r| ≥ 0.68",
        "29 to see |r| = 0.5",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    for part in [
        "Few languages: 14.",
        "Few groups of documents: 6",
        "correlations, ",
        "analysis seed 1, 200 draws",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for language in LANGUAGES {
        assert!(page.contains(&format!("({language})")), "{language}");
    }
    assert!(page.contains("<td dir=\"auto\">עברית"));
}

#[test]
fn warnings_say_what_to_do() {
    let summary = Rows::new(&["eng", "hin"]).with_unsupported().reduce(few_draws());
    let mut from = provenance();
    from.quarantined = vec!["unit 7 (crashed)".to_owned()];
    let page = html(&summary, &from);
    for part in [
        "Unsupported configs: candle-q4k: mlp.up",
        "take a group size",
        "Quarantined units: unit 7 (crashed).",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

/// The example, its correlation significant alone and with covariates, and a language whose damage is that of one document.
fn striking() -> Summary {
    let mut summary = summary();
    for row in &mut summary.correlations {
        (row.pearson_r, row.pearson_p) = (Some(0.8), Some(0.0006));
        (row.pearson_low, row.pearson_high) = (Some(0.47), Some(0.93));
    }
    for row in &mut summary.adjusted {
        (row.plain_r, row.plain_p) = (Some(0.8), Some(0.0006));
        (row.pearson_r, row.pearson_p) = (Some(0.7), Some(0.008));
        (row.pearson_low, row.pearson_high) = (Some(0.24), Some(0.9));
    }
    summary
}

#[test]
fn what_else_is_known_of_languages_stands_beside_the_answer() {
    let mut summary = striking();
    let held = "training text and Latin script held fixed r\u{a0}=\u{a0}0.70";
    let sure = page(&summary);
    assert!(sure.contains("Yes, so far as this correlation goes") && sure.contains(held));
    assert!(!sure.contains("may not be the predictor"));
    for row in &mut summary.adjusted {
        (row.pearson_r, row.pearson_p) = (Some(0.2), Some(0.5));
        (row.pearson_low, row.pearson_high) = (Some(-0.4), Some(0.7));
    }
    let page = page(&summary);
    for part in [
        "Taken alone, yes",
        "family means r\u{a0}=\u{a0}0.20\u{a0}[−0.40,\u{a0}0.70]",
        "training text and Latin script held fixed r = 0.20 and p = 0.5",
        "add languages that differ in the predictor but not in them",
        "add languages of other families",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Where the languages whose covariates are known show nothing by themselves, the covariates explain nothing.
    summary.adjusted.iter_mut().for_each(|row| row.plain_p = Some(0.3));
    assert!(!super::super::html(&summary, &provenance()).contains("may not be the predictor"));
}

/// Where both covariates at once say nothing, each is looked at: here the second one explains it.
#[test]
fn a_covariate_alone_may_explain_it() {
    let mut summary = striking();
    for row in &mut summary.adjusted {
        match row.adjustment.as_str() {
            "log_volume+latin" => (row.pearson_r, row.pearson_p) = (None, None),
            "latin" => (row.pearson_r, row.pearson_p) = (Some(0.2), Some(0.5)),
            _ => {}
        }
    }
    let page = page(&summary);
    for part in ["Taken alone, yes", "Latin script held fixed r = 0.20 and p = 0.5"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("family means r = "), "families take nothing away");
}

#[test]
fn few_documents_that_carry_the_damage_are_named() {
    let mut summary = summary();
    let warned = |summary: &Summary| page(summary).contains("1 of 12 documents carry 63 % of");
    summary.sensitivity.iter_mut().for_each(|row| row.worst_share = Some(0.49));
    assert!(!page(&summary).contains("documents carry"));
    let of_thai = summary.sensitivity.iter_mut().filter(|row| row.language == "tha");
    of_thai.for_each(|row| row.worst_share = Some(0.63));
    assert!(warned(&summary));
    summary.sensitivity.iter_mut().for_each(|row| row.documents = 9);
    assert!(!page(&summary).contains("documents carry"));
}

#[test]
fn models_stand_side_by_side() {
    let page = page(&models(["one", "two"], &LANGUAGES[..5]));
    for id in ["m1-forest", "m2-forest", "across-forest"] {
        assert!(chart(&page, id).contains("class=\"tt\""));
    }
    let across = chart(&page, "across-forest");
    assert!(across.contains("<bdi>two</bdi>"));
    for part in
        ["as it is", "training text and Latin script held fixed", "family means", "(mlp_out)"]
    {
        assert!(across.contains(part), "{part}");
    }
}

#[test]
fn nothing_measured_is_said() {
    let mut reducer = Reducer::new(few_draws());
    assert!(page(&Reducer::new(few_draws()).finish()).contains("Nothing has been measured yet"));
    reducer.push_weights(&Rows::new(&[]).weights);
    let page = page(&reducer.finish());
    assert!(
        page.contains("No config of this study quantizes every layer")
            && page.contains("m1-weights")
    );
    assert_eq!(page.matches("class=\"chart\"").count(), 1);
}

#[test]
fn nothing_is_loaded() {
    let page = page(&summary());
    for part in ["src=", "href=", "url(", "@import", "http://", "https://"] {
        let found = page.replace("http://www.w3.org/2000/svg", "").matches(part).count();
        assert_eq!(found, 0, "{part}");
    }
}

/// 50 languages × 48 layers × 40 configs, every config on a front: numbers of the example, spread out.
fn large() -> Summary {
    let mut large = summary();
    let of = |scope: &str| {
        let rows = large.sensitivity.iter();
        let found = rows.filter(|row| row.scope == scope && row.config == "int4-channel");
        found.clone().next().unwrap().clone()
    };
    let (all, one) = (of("all"), of("only(0)"));
    let (config, depth) = (large.configs[0].clone(), large.depth[0].clone());
    let configs: Vec<String> =
        (0..40).map(|i| format!("int{}-group{}", 2 + i % 7, 8 * (1 + i / 7))).collect();
    let languages: Vec<String> = (0..50).map(|i| format!("l{i:02}")).collect();
    (large.sensitivity, large.configs, large.depth) = (Vec::new(), Vec::new(), Vec::new());
    for config_name in &configs {
        let named = config_name.clone();
        large.configs.push(ConfigRow {
            config: named,
            on_mean_front: true,
            worst_language: Some("l00".to_owned()),
            ..config.clone()
        });
        for layer in 0..48 {
            large.depth.push(DepthRow { config: config_name.clone(), layer, ..depth.clone() });
        }
        for language in &languages {
            let (config, language) = (config_name.clone(), language.clone());
            large.sensitivity.push(SensitivityRow {
                config: config.clone(),
                language: language.clone(),
                ..all.clone()
            });
            large.sensitivity.extend((0..48).map(|layer| SensitivityRow {
                config: config.clone(),
                language: language.clone(),
                scope: format!("only({layer})"),
                layer: Some(layer),
                ..one.clone()
            }));
        }
    }
    large
}

#[test]
fn a_large_study_stays_usable() {
    let page = page(&large());
    assert!(page.contains("Charts show 12 configs") && page.contains("leave out 28"));
    assert_eq!(chart(&page, "m1-sensitivity").matches("<figure").count(), 12);
    assert!(page.len() < 12_000_000, "{} bytes", page.len());
}
