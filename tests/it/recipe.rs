//! `babelquant recipe` as a real process on a real run: what it predicts, what it then measures, and the files for other tools.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;

/// A finished run: a golden model of two layers, two languages, each layer alone and all together.
fn finished() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for language in ["eng", "fin"] {
        let line = |i: usize| format!("{language} {} {}\n", "word ".repeat(1 + i % 7), i * i);
        let text: String = (0..40).map(line).collect();
        fs::write(folder.path().join(format!("{language}.txt")), text).unwrap();
    }
    let model = crate::golden::folder().join("bloom/six_heads_f16_sharded");
    let text = format!(
        "models = [{:?}]\nscopes = [\"all\", \"only(each)\"]\ncomponents = [\"linear\"]\n\
         configs = [\"int8-channel\", \"int4-channel\", \"int2-tensor\"]\n\
         corpus.path = \"{{language}}.txt\"\nanalysis.bootstrap_draws = 50\n",
        model.canonicalize().unwrap()
    );
    fs::write(folder.path().join("study.toml"), text).unwrap();
    run(folder.path(), &["run", "study.toml", "--out", "results"], 0);
    folder
}

fn run(folder: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
    command.args(arguments).current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache"));
    Process::start("babelquant", &mut command).expect(code)
}

fn recipe(folder: &Path, arguments: &[&str]) -> Value {
    let all = [&["recipe", "results", "--out", "recipe"][..], arguments].concat();
    run(folder, &all, 0);
    serde_json::from_slice(&fs::read(folder.join("recipe/recipe.json")).unwrap()).unwrap()
}

/// ΔNLL at scope all of the run's own summary.
fn measured_by_the_run(folder: &Path, config: &str, language: &str) -> f64 {
    let summary = fs::read(folder.join("results/analysis/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let rows = summary["sensitivity"].as_array().unwrap();
    let is_row = |row: &&Value| {
        (&row["scope"], &row["config"], &row["language"])
            == (&"all".into(), &config.into(), &language.into())
    };
    rows.iter().find(is_row).unwrap()["delta_nll"].as_f64().unwrap()
}

#[test]
fn a_recipe_of_one_config_measures_what_the_run_measured_of_it() {
    let folder = finished();
    let arguments = ["--budget", "5bpw", "--config", "int4-channel", "--objective", "mean"];
    let recipe = recipe(folder.path(), &arguments);
    let layers = recipe["layers"].as_array().unwrap();
    assert!(layers.iter().all(|layer| layer["config"] == "int4-channel"), "{layers:?}");
    for language in ["eng", "fin"] {
        let measured = recipe["measured"][language]["delta_nll"].as_f64().unwrap();
        let expected = measured_by_the_run(folder.path(), "int4-channel", language);
        assert!((measured - expected).abs() < 1e-12, "{measured} {expected}");
    }
}

#[test]
fn a_mixed_recipe_is_evaluated_and_can_be_run_again_from_its_keys() {
    let folder = finished();
    let recipe = recipe(folder.path(), &["--budget", "6.5bpw"]);
    let config = recipe["config"].as_str().unwrap();
    assert!(config.starts_with("mixed("), "{config}");
    assert!(recipe["bits_per_weight"].as_f64().unwrap() <= 6.5);
    assert!(recipe["measured"]["fin"]["delta_nll"].is_f64());
    let keys = fs::read_to_string(folder.path().join("recipe/study-keys.toml")).unwrap();
    let own = fs::read_to_string(folder.path().join("study.toml")).unwrap();
    let kept = |line: &&str| ["models", "corpus", "analysis"].iter().any(|k| line.starts_with(k));
    let rest: Vec<&str> = own.lines().filter(kept).collect();
    fs::write(folder.path().join("again.toml"), keys + &rest.join("\n")).unwrap();
    run(folder.path(), &["run", "again.toml", "--out", "again"], 0);
    let summary = fs::read(folder.path().join("again/analysis/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let rows = summary["sensitivity"].as_array().unwrap();
    let row = rows.iter().find(|row| row["config"] == config && row["language"] == "fin").unwrap();
    assert_eq!(row["delta_nll"], recipe["measured"]["fin"]["delta_nll"]);
}

#[test]
fn mistakes_are_named_and_files_stand_before_the_evaluation() {
    let folder = finished();
    let check = |arguments: &[&str], code: i32, part: &str| {
        let said = run(folder.path(), arguments, code);
        assert!(said.contains(part), "{said}");
    };
    check(&["recipe", "nowhere", "--budget", "4"], 2, "there is no directory nowhere");
    check(&["recipe", "results", "--budget", "1bpw"], 2, "smallest measured configs take");
    check(&["recipe", "results", "--budget", "99bpw", "--objective", "mean"], 0, "Written to");
    check(&["recipe", "results", "--budget", "4", "--model", "x"], 2, "six_heads_f16_sharded");
    let only = ["recipe", "results", "--budget", "5", "--no-verify", "--out", "plain"];
    check(&only, 0, "not evaluated");
    for file in
        ["recipe.json", "study-keys.toml", "llama.cpp.sh", "gptqmodel.json", "llm-compressor.yaml"]
    {
        assert!(folder.path().join("plain").join(file).is_file(), "{file}");
    }
    // The corpus is gone: the recipe is written, the evaluation says what it lacks.
    fs::remove_file(folder.path().join("fin.txt")).unwrap();
    let lost = ["recipe", "results", "--budget", "5", "--out", "lost"];
    check(&lost, 78, "the corpus is no longer what the run measured");
    assert!(folder.path().join("lost/recipe.json").is_file());
}
