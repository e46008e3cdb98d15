//! Sets from files: which there are, what stands in them, and every mistake.

use std::fs;

use super::super::resolve::tests::{no_hub, write_study};
use babelquant_proto::Spec;

use super::super::{ConfigPattern, Study};
use super::*;

/// Two evaluated languages (eng, deu), three calibration languages with 40 bytes a line.
fn study(folder: &Path, languages: &str, configs: &str) -> Study {
    let mut study = write_study(folder, "['int4-channel']");
    fs::create_dir_all(folder.join("other")).unwrap();
    for language in ["eng", "deu", "jpn"] {
        let lines: String =
            (0..8).map(|line| format!("{language} {line} {}\n", "x".repeat(34))).collect();
        fs::write(folder.join(format!("other/{language}.txt")), lines).unwrap();
    }
    study.configs = configs.split(' ').map(|text| text.parse::<ConfigPattern>().unwrap()).collect();
    study.calibration = Some(CalibrationSource {
        path: folder.join("other/{language}.txt").to_string_lossy().into_owned(),
        languages: languages.split(' ').map(|word| word.parse().unwrap()).collect(),
        bytes: 100,
    });
    study
}

/// The spec, or the error.
fn resolve(study: &Study) -> Result<Spec, String> {
    let resolved = study.resolve(&mut no_hub);
    let resolved = resolved.map_err(|error| format!("{:#}", anyhow::Error::from(error)));
    resolved.map(|resolved| resolved.spec)
}

fn check(languages: &str, configs: &str, expected: &str, sets: &str) {
    let folder = tempfile::tempdir().unwrap();
    let spec = resolve(&study(folder.path(), languages, configs)).unwrap();
    let cells = spec.models[0].cells.iter();
    let all = cells.filter(|(scope, _)| scope.layers.to_string() == "all");
    let found: Vec<String> = all.map(|(_, config)| config.to_string()).collect();
    assert_eq!(found.join(" "), expected, "{languages} {configs}");
    let names: Vec<String> = spec.calibration.iter().map(|one| one.set.to_string()).collect();
    assert_eq!(names.join(" "), sets, "{languages} {configs}");
}

#[test]
fn open_configs_stand_for_every_set_and_only_named_sets_are_read() {
    check("mix", "int4-channel", "int4-channel", "");
    check("mix", "gptq-int4-channel", "gptq-int4-channel@mix", "mix");
    check("each", "awq-int4-channel", "awq-int4-channel@deu awq-int4-channel@eng", "deu eng");
    check("ja", "awq-int4-channel", "awq-int4-channel@jpn", "jpn");
    check(
        "eng jpn mix",
        "gptq-int4-channel awq-int4-channel@deu",
        "gptq-int4-channel@eng gptq-int4-channel@jpn gptq-int4-channel@mix awq-int4-channel@deu",
        "deu eng jpn mix",
    );
    check("eng each", "gptq-int4-channel", "gptq-int4-channel@eng", "eng");
    check("jpn", "awq-int4-channel@eng", "awq-int4-channel@eng", "eng");
    check(
        "each",
        "mixed(0=gptq-int4-channel;rest=none)",
        "mixed(0=gptq-int4-channel@deu;rest=none) mixed(0=gptq-int4-channel@eng;rest=none)",
        "deu eng",
    );
}

#[test]
fn every_set_has_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let study = study(folder.path(), "each mix", "gptq-int4-channel");
    let sets = resolve(&study).unwrap().calibration;
    let lengths = |texts: &[String]| texts.iter().map(String::len).collect::<Vec<_>>();
    assert_eq!(
        sets.iter().map(|set| lengths(&set.texts)).collect::<Vec<_>>(),
        [vec![40, 40, 20], vec![40, 40, 20], vec![40, 10, 40, 10],]
    );
    assert!(sets[2].texts[0].starts_with("deu 0") && sets[2].texts[2].starts_with("eng 0"));
    assert_eq!(
        (up_to("aéb", 2), up_to("aéb", 3), up_to("é", 1), up_to("ab", 9)),
        ("a", "aé", "", "ab")
    );
}

#[test]
fn mistakes_are_refused_before_any_work() {
    let refused = |change: &dyn Fn(&Path, &mut Study), parts: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let mut study = study(folder.path(), "each", "gptq-int4-channel");
        change(folder.path(), &mut study);
        let error = resolve(&study).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    };
    let source = |study: &mut Study, change: &dyn Fn(&mut CalibrationSource)| {
        change(study.calibration.as_mut().unwrap());
    };
    refused(&|_, study| study.calibration = None, &["gptq-int4-channel", "[calibration]"]);
    refused(
        &|_, study| {
            study.calibration = None;
            study.configs = vec!["awq-int4-channel@eng".parse().unwrap()];
        },
        &["awq-int4-channel@eng", "[calibration]"],
    );
    refused(
        &|_, study| study.configs = vec!["awq-int4-channel@fra".parse().unwrap()],
        &["fra has no file", "deu eng jpn"],
    );
    refused(
        &|_, study| source(study, &|source| source.path = "nowhere/eng.txt".to_owned()),
        &["exactly one {language}"],
    );
    refused(
        &|_, study| source(study, &|source| source.bytes = 321),
        &["deu.txt", "320 bytes", "321", "calibration.bytes"],
    );
    refused(
        &|_, study| source(study, &|source| source.bytes = 5 << 20),
        &["2 sets", "calibration.bytes"],
    );
    refused(
        &|folder, _| {
            let line = format!("eng 1 {}", "x".repeat(34));
            fs::write(folder.join("corpus/eng_Latn.txt"), format!("one\n{line} \n")).unwrap();
        },
        &["other/eng.txt", "document 2", "held-out"],
    );
}
