//! Results of an earlier run taken over by a larger study: the bytes are those of a run that computed everything.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::golden::json;
use crate::process::babelquant_in;

fn write_study(folder: &Path, name: &str, languages: &str, configs: &str, windows: &str) {
    let model = crate::golden::folder().join("bloom/six_heads_f16_sharded");
    let text = format!(
        "models = [{:?}]\nscopes = [\"all\", \"only(each)\"]\nconfigs = [{configs}]\n{windows}\n\
         [corpus]\nlanguages = [{languages}]\npath = \"{{language}}.txt\"\nshard_bytes = 700\n[analysis]\nbootstrap_draws = 20\n",
        model.canonicalize().unwrap()
    );
    fs::write(folder.join(name), text).unwrap();
}

/// Every file of the measurement by its path, from the manifest, with its digest.
fn files(out: &Path) -> BTreeMap<String, String> {
    let manifest = json(&out.join("_SUCCESS.json"));
    let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
    let files = manifest["files"].as_array().unwrap();
    files.iter().map(|file| (text(file, "path"), text(file, "blake3"))).collect()
}

#[test]
fn a_larger_study_computes_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (n, language) in ["eng", "fin", "hin"].into_iter().enumerate() {
        let line = |i: usize| format!("{language} {} {}\n", "word ".repeat(1 + (i + n) % 7), i * i);
        fs::write(folder.join(format!("{language}.txt")), (0..40).map(line).collect::<String>())
            .unwrap();
    }
    write_study(folder, "small.toml", "\"eng\", \"hin\"", "\"int4-channel\", \"candle-q4k\"", "");
    let all = "\"int4-channel\", \"int3-tensor\", \"candle-q4k\"";
    write_study(folder, "large.toml", "\"eng\", \"fin\", \"hin\"", all, "");
    write_study(folder, "other.toml", "\"eng\"", all, "windows = { tokens = 32, stride = 16 }");
    babelquant_in(folder, &["run", "small.toml", "--out", "small"], 0);
    babelquant_in(folder, &["run", "large.toml", "--out", "whole"], 0);
    let said =
        babelquant_in(folder, &["run", "large.toml", "--out", "large", "--reuse", "small"], 0);
    assert_eq!(files(&folder.join("large")), files(&folder.join("whole")));
    let line = said.lines().find(|line| line.contains("results taken over")).unwrap();
    let number = |key: &str| -> u64 {
        line.split(key).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    let (taken, of) = (number("units="), number("of="));
    assert!(taken * 3 > of && taken < of, "{line}");
    let run = json(&folder.join("large/run.json"));
    assert_eq!(run["reused"], json(&folder.join("small/run.json"))["spec_digest"]);
    let summary = json(&folder.join("large/analysis/summary.json"));
    assert_eq!(summary["provenance"]["reused"], run["reused"]);

    let other = ["run", "other.toml", "--out", "other", "--reuse", "small"];
    let said = babelquant_in(folder, &other, 78);
    assert!(said.contains("small") && said.contains("its windows"), "{said}");
    fs::remove_file(folder.join("whole/_SUCCESS.json")).unwrap();
    let late =
        babelquant_in(folder, &["run", "large.toml", "--out", "whole", "--reuse", "small"], 78);
    assert!(late.contains("this output was begun without them"), "{late}");
    let none = babelquant_in(folder, &["run", "large.toml", "--out", "x", "--reuse", "nowhere"], 2);
    assert!(none.contains("there is no directory nowhere"), "{none}");
    fs::remove_file(folder.join("small/_SUCCESS.json")).unwrap();
    let part = babelquant_in(folder, &["run", "large.toml", "--out", "x", "--reuse", "small"], 78);
    assert!(part.contains("small") && part.contains("it is not finished"), "{part}");
    assert!(!folder.join("x").exists(), "nothing was begun");
}
