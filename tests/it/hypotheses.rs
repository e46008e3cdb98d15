//! Hypotheses as a user meets them: planned, registered with the run, judged in its report, and refused once changed.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::golden::json;
use crate::process::babelquant_in;

const CLAIM: &str = "[[hypothesis]]\nid = \"kurtosis-protects\"\nscope = \"all\"\n\
                     claim = \"pearson(weighted_kurtosis, delta_nll) < 0\"\n";

/// A folder with a golden model's study over five languages.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, language) in ["eng", "fin", "deu", "fra", "tur"].into_iter().enumerate() {
        let line = |i: usize| {
            format!("{language} {} {}\n", "word ".repeat(1 + (i + index) % 7), i * i + index)
        };
        let text: String = (0..12).map(line).collect();
        fs::write(folder.path().join(format!("{language}.txt")), text).unwrap();
    }
    folder
}

/// Writes a study file with these hypotheses.
fn write(folder: &Path, name: &str, hypotheses: &str) {
    let model = crate::golden::folder().join("bloom/six_heads_f16_sharded");
    let text = format!(
        "models = [{:?}]\nscopes = [\"all\"]\nconfigs = [\"int4-channel\", \"int3-channel\"]\n\
         corpus.path = \"{{language}}.txt\"\nanalysis.bootstrap_draws = 50\n{hypotheses}",
        model.canonicalize().unwrap()
    );
    fs::write(folder.join(name), text).unwrap();
}

/// A folder with a finished run that registered the claim.
fn measured() -> TempDir {
    let folder = folder();
    write(folder.path(), "study.toml", CLAIM);
    babelquant_in(folder.path(), &["run", "study.toml"], 0);
    folder
}

#[test]
fn hypotheses_are_planned_registered_judged_and_kept() {
    let folder = folder();
    let folder = folder.path();
    write(folder, "study.toml", CLAIM);
    let plan = babelquant_in(folder, &["plan", "study.toml"], 0);
    assert!(
        plan.contains("2 tests, in a family of 2 (holm): supported alone by p ≤ 0.05 / 2"),
        "{plan}"
    );
    babelquant_in(folder, &["run", "study.toml"], 0);

    let registered = &json(&folder.join("results/run.json"))["registration"]["hypotheses"][0];
    assert_eq!(registered["claim"], "pearson(weighted_kurtosis_block_out, delta_nll) < 0");
    let summary = json(&folder.join("results/analysis/summary.json"));
    let rows = summary["hypotheses"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let of = |correlation: &&Value| {
            ["scope", "config"].iter().all(|key| correlation[key] == row[key])
                && correlation["predictor"] == "weighted_kurtosis_block_out"
                && correlation["outcome"] == "delta_nll"
        };
        let correlation = summary["correlations"].as_array().unwrap().iter().find(of).unwrap();
        assert_eq!((&row["n"], &row["estimate"]), (&5.into(), &correlation["pearson_r"]));
        let orders = row["p"].as_f64().unwrap() * 120.0;
        assert!(orders >= 1.0 && (orders - orders.round()).abs() < 1e-9, "{orders}");
        assert_eq!((&row["family_tests"], &row["registered"]), (&2.into(), &true.into()));
        assert!(row["verdict"].is_string() && row["power"].as_f64().unwrap() < 0.8);
    }
    for name in ["report.md", "report.html"] {
        let report = fs::read_to_string(folder.join("results/analysis").join(name)).unwrap();
        let verdict = report.find("INSUFFICIENT DATA").unwrap_or(usize::MAX);
        assert!(verdict < report.find("Model ").unwrap(), "{name}");
    }

    write(folder, "edited.toml", &CLAIM.replace("< 0", "> 0"));
    write(folder, "more.toml", &format!("{CLAIM}{}", CLAIM.replace("protects", "harms")));
    write(folder, "without.toml", "");
    let edited = babelquant_in(folder, &["run", "edited.toml"], 78);
    assert!(edited.contains("claim of kurtosis-protects is pearson("), "{edited}");
    assert!(babelquant_in(folder, &["run", "more.toml"], 78).contains("was not registered"));
    assert!(babelquant_in(folder, &["run", "without.toml"], 78).contains("missing here"));
    babelquant_in(folder, &["report", "results", "--study", "edited.toml"], 78);
    assert!(
        babelquant_in(folder, &["report", "results", "--study", "without.toml"], 0)
            .contains("Hypotheses")
    );
    babelquant_in(folder, &["report", "results"], 0);
    assert_eq!(
        json(&folder.join("results/analysis/summary.json"))["hypotheses"].as_array(),
        Some(rows)
    );

    // The same of a run that is not complete.
    fs::remove_file(folder.join("results/_SUCCESS.json")).unwrap();
    babelquant_in(folder, &["run", "edited.toml"], 78);
    babelquant_in(folder, &["serve", "more.toml", "--listen", "127.0.0.1:0"], 78);
    babelquant_in(folder, &["run", "study.toml"], 0);
}

#[test]
fn the_same_question_by_the_command_for_tables() {
    let folder = measured();
    let folder = folder.path();
    let summary = json(&folder.join("results/analysis/summary.json"));
    let rows = summary["hypotheses"].as_array().unwrap();
    let question =
        ["correlate", "results", "--x", "weighted_kurtosis_block_out", "--y", "delta_nll"];
    let found = babelquant_in(folder, &[&question[..], &["--json", "-"]].concat(), 0);
    let found: Value = serde_json::from_str(&found).unwrap();
    let samples = found["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2, "one for each config: {samples:?}");
    for sample in samples {
        let row = rows.iter().find(|row| row["config"] == sample["group"][2]).unwrap();
        let correlation = &sample["predictors"][0]["correlation"];
        assert_eq!((&sample["n"], &correlation["pearson_r"]), (&row["n"], &row["estimate"]));
    }
    let said = babelquant_in(folder, &["correlate", ".", "--x", "fertility", "--y", "kl"], 2);
    assert!(said.contains("analysis/sensitivity.parquet"), "{said}");
}

#[test]
fn a_claim_that_is_edited_where_it_is_registered_gets_no_verdict() {
    let folder = measured();
    let folder = folder.path();
    let files = ["run.json", "study.toml"].map(|name| folder.join("results").join(name));
    let registered = files.each_ref().map(|file| fs::read_to_string(file).unwrap());
    for (file, text) in files.iter().zip(&registered) {
        let turned = text.replace(", delta_nll) < 0", ", delta_nll) > 0");
        assert_ne!(turned, *text, "{file:?}");
        fs::write(file, turned).unwrap();
    }
    let said = babelquant_in(folder, &["report", "results"], 78);
    assert!(said.contains("run.json was changed after the run was finished"), "{said}");
    files.iter().zip(&registered).for_each(|(file, text)| fs::write(file, text).unwrap());
    babelquant_in(folder, &["report", "results"], 0);
}

#[test]
fn a_run_from_before_hypotheses_has_none_and_takes_none() {
    let folder = folder();
    let folder = folder.path();
    write(folder, "study.toml", "");
    write(folder, "late.toml", CLAIM);
    babelquant_in(folder, &["run", "study.toml"], 0);
    assert!(json(&folder.join("results/run.json")).get("registration").is_none());
    let report = babelquant_in(folder, &["report", "results"], 0);
    assert!(!report.contains("Hypotheses"), "{report}");
    babelquant_in(folder, &["run", "late.toml"], 78);
    babelquant_in(folder, &["report", "results", "--study", "late.toml"], 78);
}

#[test]
fn mistakes_are_found_before_any_work() {
    let folder = folder();
    let folder = folder.path();
    for (hypotheses, part) in [
        (CLAIM.replace("\"all\"", "\"only(1)\""), "hypothesis kurtosis-protects: scope = only(1)"),
        (CLAIM.replace("delta_nll", "delta_nl"), "did you mean `delta_nll`?"),
        (format!("{CLAIM}{CLAIM}"), "two hypotheses have it"),
        (format!("{CLAIM}alpha = 1.0"), "hypothesis.alpha = 1"),
        (
            format!("{CLAIM}config = \"int8-channel\""),
            "the study measures int3-channel, int4-channel",
        ),
    ] {
        write(folder, "study.toml", &hypotheses);
        for command in ["run", "plan"] {
            let said = babelquant_in(folder, &[command, "study.toml"], 2);
            assert!(said.contains(part), "{said}");
        }
        assert!(!folder.join("results").exists());
    }
}
