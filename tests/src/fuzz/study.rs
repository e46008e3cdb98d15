//! Study files: read, written and read again, and resolved over a model and a corpus that are there. What a file says of paths is replaced
//! first, so that no text can name the files of whoever fuzzes.

use std::fs;
use std::path::{Path, PathBuf};

use babelquant_coordinator::scheduler::Geometry;
use babelquant_coordinator::study::plan::Plan;
use babelquant_coordinator::study::{ModelSource, Place, Repository, Study};
use babelquant_proto::hub::{HubError, Snapshot};
use babelquant_proto::{Spec, UnitIndex};

/// Where paths of a study lead: nowhere.
const NOWHERE: &str = "/no/such/folder";
/// Most models of a study that is resolved.
const MODELS_MAX: usize = 4;

/// A decoder and an encoder–decoder, by their configurations.
const MODELS: [(&str, &str); 2] = [
    ("tiny", r#"{"model_type": "bloom", "n_layer": 12, "hidden_size": 8, "vocab_size": 16}"#),
    (
        "masked",
        r#"{"model_type": "mt5", "num_layers": 2, "num_decoder_layers": 3, "d_model": 8, "vocab_size": 300}"#,
    ),
];

/// Reads the text of a study.
///
/// # Panics
/// A study is not read again as it was, or a spec counts its units in two ways.
pub fn study(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parse = |text: &str| Study::parse(text, "study.toml", Path::new(NOWHERE));
    let Ok(study) = parse(text) else { return };
    let written = study.to_toml();
    let again = parse(&written).unwrap_or_else(|error| panic!("{error} in\n{written}"));
    let nowhere = Path::new(NOWHERE);
    // Paths are written in full.
    assert_eq!(placed(again, nowhere), placed(study.clone(), nowhere), "{written}");
    let alone = Study::parse_analysis(text, "study.toml", Path::new(NOWHERE));
    let (analysis, hypotheses) = alone.expect("the whole of it was read");
    assert_eq!((&analysis, &hypotheses), (&study.analysis, &study.hypotheses));
    let folder = tempfile::tempdir().expect("there is room for a model");
    write_files(folder.path());
    if let Ok(resolved) = placed(study, folder.path()).resolve(&mut no_hub) {
        check(&resolved.spec);
    }
}

/// The study with every path in `folder`.
fn placed(mut study: Study, folder: &Path) -> Study {
    study.models.truncate(MODELS_MAX);
    for ModelSource { name, place, .. } in &mut study.models {
        let (model, _) = MODELS[name.len() % MODELS.len()];
        *place = Place::Directory(folder.join(model));
    }
    let texts = |file: &str| folder.join(file).to_string_lossy().into_owned();
    study.corpus.path = texts("{language}.txt");
    if study.corpus.groups.is_some() {
        study.corpus.groups = Some(folder.join("groups.tsv"));
    }
    if let Some(calibration) = &mut study.calibration {
        calibration.path = texts("held-out-{language}.txt");
    }
    for checkpoint in &mut study.checkpoints {
        checkpoint.path = folder.join(MODELS[0].0);
    }
    study
}

fn write_files(folder: &Path) {
    let write = |path: PathBuf, text: &str| {
        fs::write(path, text).expect("there is room for a model");
    };
    for (name, config) in MODELS {
        let model = folder.join(name);
        fs::create_dir(&model).expect("there is room for a model");
        write(model.join("config.json"), config);
        write(model.join("tokenizer.json"), "{}");
        write(model.join("model.safetensors"), "weights");
    }
    for language in ["eng", "deu", "xho_Latn"] {
        write(folder.join(format!("{language}.txt")), "one\ntwo\n\nfour\n");
        write(folder.join(format!("held-out-{language}.txt")), "five\nsix\n");
    }
    write(folder.join("groups.tsv"), "a\na\nb\nb\n");
}

fn no_hub(repository: &Repository) -> Result<Snapshot, HubError> {
    panic!("{} has a directory", repository.name)
}

fn check(spec: &Spec) {
    let json = spec.to_json().expect("a spec is JSON");
    assert_eq!(Spec::from_json(&json).expect("what is written can be read"), *spec);
    let units = spec.units();
    assert_eq!(Geometry::of(spec).units(), units);
    assert_eq!(Plan::of(spec, 1.0).units, units);
    assert!(spec.unit(UnitIndex(units)).is_none());
    for unit in [0, units / 2, units - 1].map(UnitIndex) {
        assert!(spec.unit(unit).is_some(), "unit {unit} of {units}");
        assert!(spec.lane(unit).contains(&unit.0), "unit {unit} of {units}");
    }
}
