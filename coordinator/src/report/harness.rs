//! Evaluations → results files of lm-evaluation-harness, so that its readers show them beside those of the harness itself: one file for the
//! baseline of each model and for each scope, components and config, a task for each language. No statistic is computed here.
//!
//! Bits per byte, byte and word perplexity are defined as there. What is scored is what this study scores: its windows, and every token but the
//! first, of masked models the masked ones; so files of one study are comparable, and with other tools no further than the scored text is.
//! The standard errors are those of a ratio over groups of documents, where the harness resamples documents or gives none. Words are what white
//! space leaves, so that word perplexity means little for scripts that set none between words, here as there.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::file_name::file_name;
use crate::reduce::{Evaluation, Metric, PerLanguage, Summary};

/// Version of the tasks; raised with what their numbers mean.
const TASK_VERSION: u32 = 1;

/// The files, each with its name below `analysis/`. An evaluation without any number has none.
///
/// # Errors
/// The provenance does not serialize.
pub fn harness(
    summary: &Summary,
    provenance: &impl Serialize,
) -> Result<Vec<(String, String)>, serde_json::Error> {
    let provenance = serde_json::to_value(provenance)?;
    let scored = |of: &&Evaluation| of.languages.values().any(is_scored);
    let file = |evaluation: &Evaluation| {
        let text = serde_json::to_string_pretty(&document(evaluation, &provenance))?;
        Ok((format!("lm-eval/results_{}.json", file_name(&words(evaluation))), text + "\n"))
    };
    summary.evaluations.iter().filter(scored).map(file).collect()
}

fn is_scored(of: &PerLanguage) -> bool {
    of.bits_per_byte.value.is_some()
}

/// The metrics by the harness's names; less is better.
fn metrics(of: &PerLanguage) -> [(&'static str, Metric); 3] {
    [
        ("bits_per_byte", of.bits_per_byte),
        ("byte_perplexity", of.byte_perplexity),
        ("word_perplexity", of.word_perplexity),
    ]
}

fn document(evaluation: &Evaluation, provenance: &Value) -> Value {
    let scored: BTreeMap<String, (&str, &PerLanguage)> = evaluation
        .languages
        .iter()
        .filter(|(_, numbers)| is_scored(numbers))
        .map(|(language, numbers)| (task(language), (language.as_str(), numbers)))
        .collect();
    let by_task = |value: &dyn Fn(&str, &str, &PerLanguage) -> Value| -> Map<String, Value> {
        let entry = |(task, (language, of)): (&String, &(&str, &PerLanguage))| {
            (task.clone(), value(task, language, of))
        };
        scored.iter().map(entry).collect()
    };
    json!({
        "results": by_task(&results),
        "group_subtasks": by_task(&|_, _, _| json!([])),
        "configs": by_task(&task_config),
        "versions": by_task(&|_, _, _| json!(TASK_VERSION)),
        "n-shot": by_task(&|_, _, _| json!(0)),
        "higher_is_better": by_task(&|_, _, of| {
            metrics(of).into_iter().map(|(name, _)| (name.to_owned(), json!(false))).collect()
        }),
        "n-samples":
            by_task(&|_, _, of| json!({ "original": of.documents, "effective": of.scored })),
        "config": config(evaluation, provenance),
        "model_source": SOURCE,
        "model_name": words(evaluation).join(" "),
        "model_name_sanitized": file_name(&words(evaluation)),
    })
}

/// What stands for the harness's kind of model.
const SOURCE: &str = "babelquant";

fn task(language: &str) -> String {
    format!("{SOURCE}_{language}")
}

/// A number that is not defined has no key; a standard error that is not is `N/A`, as the harness writes it.
fn results(task: &str, language: &str, of: &PerLanguage) -> Value {
    let mut results = Map::new();
    results.insert("name".to_owned(), json!(task));
    results.insert("alias".to_owned(), json!(language));
    results.insert("sample_len".to_owned(), json!(of.scored));
    for (metric, Metric { value, se }) in metrics(of) {
        let Some(value) = value else { continue };
        results.insert(format!("{metric},none"), json!(value));
        results.insert(format!("{metric}_stderr,none"), se.map_or(json!("N/A"), |se| json!(se)));
    }
    Value::Object(results)
}

fn task_config(task: &str, language: &str, of: &PerLanguage) -> Value {
    let metric = |(name, _)| json!({ "metric": name, "higher_is_better": false });
    json!({
        "task": task,
        "task_alias": language,
        "output_type": "loglikelihood_rolling",
        "num_fewshot": 0,
        "metric_list": metrics(of).map(metric),
        "metadata": { "version": TASK_VERSION },
    })
}

/// What was evaluated, how it came about, and why numbers are missing.
fn config(evaluation: &Evaluation, provenance: &Value) -> Value {
    let arguments: Vec<String> =
        parts(evaluation).iter().map(|(name, value)| format!("{name}={value}")).collect();
    let reasons: BTreeMap<&str, &str> = evaluation
        .languages
        .iter()
        .filter_map(|(language, numbers)| Some((language.as_str(), numbers.reason.as_deref()?)))
        .collect();
    let mut config: Map<String, Value> = parts(evaluation)
        .into_iter()
        .skip(1)
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    config.insert("model".to_owned(), json!(SOURCE));
    config.insert("model_args".to_owned(), json!(arguments.join(",")));
    config.insert("provenance".to_owned(), provenance.clone());
    config.insert("reasons".to_owned(), json!(reasons));
    Value::Object(config)
}

/// Model, scope, components and config; of the baseline the model and the config `none`.
fn parts(evaluation: &Evaluation) -> Vec<(&'static str, String)> {
    let mut parts = vec![("pretrained", evaluation.model.clone())];
    match &evaluation.change {
        None => parts.push(("config", QuantConfig::None.to_string())),
        Some(change) => parts.extend([
            ("scope", change.scope.clone()),
            ("components", change.components.clone()),
            ("config", change.config.clone()),
        ]),
    }
    parts
}

fn words(evaluation: &Evaluation) -> Vec<String> {
    parts(evaluation).into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::example::Rows;
    use crate::study::Analysis;

    fn files(rows: &Rows) -> Vec<(String, Value)> {
        let summary = rows.reduce(Analysis { bootstrap_draws: 10, ..Analysis::default() });
        let files = harness(&summary, &json!({ "study": "made up" })).unwrap();
        let parsed = |(name, text): (String, String)| (name, serde_json::from_str(&text).unwrap());
        files.into_iter().map(parsed).collect()
    }

    /// The file whose `model_args` end so.
    fn of<'a>(files: &'a [(String, Value)], arguments: &str) -> &'a Value {
        let ends = |(_, file): &&(String, Value)| {
            file["config"]["model_args"].as_str().unwrap().ends_with(arguments)
        };
        &files.iter().find(ends).unwrap().1
    }

    #[test]
    fn the_baseline_and_every_cell_have_a_file_that_agrees_with_the_tables() {
        let rows = Rows::new(&["eng", "hin"]);
        let summary = rows.reduce(Analysis { bootstrap_draws: 10, ..Analysis::default() });
        let files = files(&rows);
        assert_eq!(files.len(), 11);
        let bits = |file: &Value, language: &str| {
            file["results"][format!("babelquant_{language}")]["bits_per_byte,none"].as_f64()
        };
        let baseline = of(&files, "pretrained=toy,config=none");
        for row in &summary.languages {
            assert_eq!(bits(baseline, &row.language), row.base_bits_per_byte);
        }
        let all = of(&files, "scope=all,components=mlp,config=int4-channel");
        for row in summary.sensitivity.iter().filter(|row| row.config == "int4-channel") {
            let delta = bits(all, &row.language).zip(bits(baseline, &row.language));
            let delta = delta.map(|(all, baseline)| all - baseline).unwrap();
            let expected = row.delta_bits_per_byte.unwrap();
            assert_eq!((delta - expected).abs() < 1e-12, row.scope == "all", "{}", row.scope);
        }
    }

    #[test]
    fn every_task_has_its_lines() {
        for (name, file) in files(&Rows::new(&["eng", "hin"])) {
            let tasks = |key: &str| file[key].as_object().unwrap().keys().collect::<Vec<_>>();
            assert_eq!(tasks("results"), ["babelquant_eng", "babelquant_hin"], "{name}");
            for key in ["configs", "versions", "n-shot", "higher_is_better", "n-samples"] {
                assert_eq!(tasks(key), tasks("results"), "{name} {key}");
            }
            assert_eq!(file["n-samples"]["babelquant_eng"]["effective"], 12);
            let eng = file["results"]["babelquant_eng"].as_object().unwrap();
            assert_eq!(eng["alias"], "eng");
            for metric in ["bits_per_byte", "byte_perplexity", "word_perplexity"] {
                assert!(eng[&format!("{metric},none")].is_f64());
                assert!(eng[&format!("{metric}_stderr,none")].as_f64().unwrap() > 0.0);
            }
            assert_eq!(file["config"]["provenance"]["study"], "made up");
        }
    }

    #[test]
    fn a_missing_language_is_left_out_with_its_reason() {
        let mut rows = Rows::new(&["eng", "hin"]).with_unsupported();
        let asked = |config: &str, language: &str| (config, language) != ("int3-tensor", "hin");
        rows.documents.retain(|row| asked(&row.config, &row.language));
        let files = files(&rows);
        assert_eq!(files.len(), 11, "no file of a config that does not fit");
        let file = of(&files, "config=int3-tensor");
        for key in ["results", "configs", "versions", "n-shot", "higher_is_better", "n-samples"] {
            assert_eq!(file[key].as_object().unwrap().len(), 1, "{key}");
        }
        assert_eq!(file["config"]["reasons"], json!({ "hin": "no scored documents" }));
    }

    #[test]
    fn without_a_standard_error_there_is_none() {
        let mut rows = Rows::new(&["eng"]);
        rows.documents.retain(|row| row.document == 0);
        let files = files(&rows);
        let eng = &of(&files, "config=int3-tensor")["results"]["babelquant_eng"];
        assert_eq!(eng["bits_per_byte_stderr,none"], "N/A");
        assert!(eng["byte_perplexity,none"].is_f64());
    }

    #[test]
    fn names_are_safe_short_and_different() {
        let mut rows = Rows::new(&["eng"]);
        rows.documents.iter_mut().for_each(|row| row.model = "a/ü b".repeat(99));
        let files = files(&rows);
        let names: std::collections::BTreeSet<&str> =
            files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), 11);
        for name in names {
            let file = name.strip_prefix("lm-eval/results_").unwrap();
            assert!(file.len() < 150 && file.is_ascii() && !file.contains(['/', ' ']), "{name}");
        }
    }
}
