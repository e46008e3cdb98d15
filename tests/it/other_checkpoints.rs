//! Checkpoints quantized elsewhere, as configs: one that is the model's own changes nothing, one that our own quantizer wrote gives
//! the rows of its config, and what is none of the model is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use babelquant_proto::quant::{Applied, QuantConfig};
use babelquant_proto::rows::DocumentRow;
use babelquant_proto::{CheckpointPart, ModelFile, ShardText, Spec};
use babelquant_worker::check_checkpoint;
use babelquant_worker::eval::EvalError;
use babelquant_worker::model::{Architecture, Checkpoint, Layout, Matrix};
use babelquant_worker::quant::{MatrixShape, WeightContext, quantize};
use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cases::{cell, evaluate_in, spec};
use crate::golden;
use crate::process::Process;

/// One case of each way to store matrices.
const CASES: [&str; 7] = [
    "bloom/six_heads_f16_sharded",
    "families/gpt2",
    "families/gpt_neox",
    "families/xglm",
    "families/gemma3",
    "families/qwen2",
    "families/mt5",
];

const CONTEXT: WeightContext<'_> = WeightContext { group_kurtosis: None, inputs: None, seed: 1 };

/// A stored matrix that is [out, in] as it is used.
fn as_stored(matrix: &Matrix, weights: Vec<f32>) -> Tensor {
    let shape = (matrix.rows(), matrix.columns);
    let tensor = Tensor::from_vec(weights, shape, &Device::Cpu).unwrap();
    match matrix.layout {
        Layout::Rows | Layout::ByHead { .. } => tensor,
        Layout::Turned => tensor.t().unwrap().contiguous().unwrap(),
    }
}

/// Every tensor of a case in f32, the matrices of its layers and its tables as `config` leaves them.
fn quantized(case: &Path, config: &str) -> BTreeMap<String, Tensor> {
    let architecture = Architecture::read(case).unwrap();
    let checkpoint = Checkpoint::open(case, architecture.names.prefixes).unwrap();
    let cpu = Device::Cpu;
    let tensors = checkpoint
        .tensors()
        .map(|(name, stored)| (name.to_owned(), stored.load(&cpu, DType::F32).unwrap()));
    let mut tensors: BTreeMap<String, Tensor> = tensors.collect();
    let config: QuantConfig = config.parse().unwrap();
    for layer in architecture.shape.stacked_layers() {
        let Applied::Weights(config) = config.at(Some(layer)) else { continue };
        for matrix in architecture.matrices(layer) {
            let name = architecture.weight_name(layer, matrix);
            let weights = matrix.in_use(checkpoint.require(&name).unwrap().to_f32());
            let shape = MatrixShape { rows: matrix.rows(), columns: matrix.columns };
            let weights = quantize(&weights, shape, config, &CONTEXT).unwrap().weights;
            tensors.insert(name, as_stored(matrix, weights));
        }
    }
    let Applied::Weights(config) = config.at(None) else { return tensors };
    for name in [Some(architecture.names.embedding), architecture.head.name].into_iter().flatten() {
        let table = checkpoint.require(name).unwrap();
        let shape = MatrixShape { rows: table.shape[0], columns: table.shape[1] };
        let weights = quantize(&table.to_f32(), shape, config, &CONTEXT).unwrap().weights;
        let table = Tensor::from_vec(weights, (shape.rows, shape.columns), &cpu).unwrap();
        tensors.insert(name.to_owned(), table);
    }
    tensors
}

/// A directory with the tensors and the configuration of a case, and nothing else.
fn saved(case: &Path, tensors: &BTreeMap<String, Tensor>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(case.join("config.json"), folder.path().join("config.json")).unwrap();
    let tensors = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

/// Rows of the cells of a case for the checkpoint at `path`, called `other`.
pub(crate) fn rows(
    case: &Path,
    path: &Path,
    cells: &[(&str, &str, &str)],
) -> Vec<Vec<DocumentRow>> {
    let directories = vec![case.to_owned(), path.to_owned()];
    evaluated(case, path, cells, directories).into_iter().map(Result::unwrap).collect()
}

/// The spec of a case with these (layers, components, config) cells and its one shard; `other` is the checkpoint at `path`.
pub(crate) fn spec_of(case: &Path, path: &Path, cells: &[(&str, &str, &str)]) -> (Spec, ShardText) {
    let (mut spec, text) = spec(case, &golden::json(&case.join("expected.json")));
    let files = ModelFile::of_checkpoint(path).unwrap();
    let part = &mut spec.models[0];
    part.checkpoints = vec![CheckpointPart { name: "other".parse().unwrap(), files }];
    let cells = cells.iter().map(|(layers, components, config)| cell(layers, components, config));
    part.cells = cells.collect();
    (spec, text)
}

/// The same, or why there are none, where model and checkpoint are looked for in `directories`.
fn evaluated(
    case: &Path,
    path: &Path,
    cells: &[(&str, &str, &str)],
    directories: Vec<PathBuf>,
) -> Vec<Result<Vec<DocumentRow>, String>> {
    let outcomes = evaluate_in(directories, spec_of(case, path, cells), None).into_iter();
    outcomes.map(|outcome| outcome.map_err(|error| words(&error))).collect()
}

fn scores(rows: &[DocumentRow]) -> Vec<(Option<f64>, Option<f64>, Option<u64>)> {
    rows.iter().map(|row| (row.nll_sum, row.kl_sum, row.top1_count)).collect()
}

#[test]
fn the_models_own_weights_change_nothing() {
    for case in CASES.map(|case| golden::folder().join(case)) {
        let folder = saved(&case, &quantized(&case, "none"));
        let cells = [("all", "linear"), ("only(1)", "mlp.down"), ("all", "embedding+head")];
        let cells = cells.map(|(layers, components)| (layers, components, "checkpoint:other"));
        for row in rows(&case, folder.path(), &cells).concat() {
            let unchanged = (Some(row.base_nll_sum), Some(0.0), Some(row.tokens));
            assert_eq!((row.nll_sum, row.kl_sum, row.top1_count), unchanged, "{}", case.display());
        }
        assert_eq!(check_checkpoint(&case, folder.path()).unwrap(), None);
    }
}

#[test]
fn what_our_own_quantizer_wrote_gives_the_rows_of_its_config() {
    const CONFIG: &str = "int4-asym-channel";
    for case in CASES.map(|case| golden::folder().join(case)) {
        let folder = saved(&case, &quantized(&case, CONFIG));
        for (layers, components) in [
            ("all", "linear"),
            ("only(1)", "attn.q+mlp.down"),
            ("all", "attn.v"),
            ("all", "embedding"),
            ("all", "mlp+head"),
        ] {
            let cells = [(layers, components, "checkpoint:other"), (layers, components, CONFIG)];
            let rows = rows(&case, folder.path(), &cells);
            assert_eq!(scores(&rows[0]), scores(&rows[1]), "{} {components}", case.display());
            assert!(rows[0].iter().all(|row| row.config == "checkpoint:other"));
            let moved = |row: &DocumentRow| row.nll_sum != Some(row.base_nll_sum);
            assert!(rows[0].iter().filter(|row| row.tokens > 0).all(moved), "{}", case.display());
        }
    }
}

/// The error with its causes.
pub(crate) fn words(error: &EvalError) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

/// The refusal of a copy of a case that was changed.
#[track_caller]
fn refused(
    case: &str,
    tensors: impl FnOnce(&mut BTreeMap<String, Tensor>),
    config: impl FnOnce(&mut Value),
    parts: &[&str],
) {
    let case = golden::folder().join(case);
    let mut all = quantized(&case, "none");
    tensors(&mut all);
    let folder = saved(&case, &all);
    let mut described = golden::json(&case.join("config.json"));
    config(&mut described);
    fs::write(folder.path().join("config.json"), described.to_string()).unwrap();
    let said = words(&check_checkpoint(&case, folder.path()).unwrap_err());
    let here = folder.path().to_str().unwrap();
    assert!(said.contains(here) && parts.iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn what_is_no_checkpoint_of_the_model_is_refused_in_words() {
    let case = "families/qwen2";
    let integers = |all: &mut BTreeMap<String, Tensor>| {
        let packed = Tensor::zeros((3, 4), DType::I64, &Device::Cpu).unwrap();
        all.remove("layers.0.mlp.up_proj.weight");
        all.insert("layers.0.mlp.up_proj.qweight".to_owned(), packed);
    };
    refused(case, integers, |_| (), &["layers.0.mlp.up_proj.qweight is packed", "dequantized"]);
    let misfit = |all: &mut BTreeMap<String, Tensor>| {
        all.remove("layers.1.mlp.down_proj.weight");
        all.insert("stranger".to_owned(), Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap());
        let embedding = all.get_mut("embed_tokens.weight").unwrap();
        *embedding = embedding.narrow(0, 1, embedding.dim(0).unwrap() - 1).unwrap();
    };
    let parts = ["layers.1.mlp.down_proj.weight is missing", "stranger is not part", "has shape"];
    refused(case, misfit, |_| (), &parts);
    let layers = |config: &mut Value| config["num_hidden_layers"] = json!(1);
    refused(case, |_| (), layers, &["config.json says layers 1, the model has"]);
    let heads = |config: &mut Value| config["num_attention_heads"] = json!(2);
    refused(case, |_| (), heads, &["config.json says heads 2, the model has"]);
    let vocabulary = |config: &mut Value| config["vocab_size"] = json!(7);
    refused(case, |_| (), vocabulary, &["config.json says vocabulary 7, the model has"]);
    let family = |config: &mut Value| config["model_type"] = json!("llama");
    refused(case, |_| (), family, &["another family"]);
}

#[test]
fn what_is_not_lent_and_differs_is_named() {
    let case = golden::folder().join("families/qwen2");
    let mut all = quantized(&case, "none");
    for (name, factor) in [("layers.0.input_layernorm.weight", 2.0), ("norm.weight", 1.5)] {
        let scaled = (&all[name] * factor).unwrap();
        all.insert(name.to_owned(), scaled);
    }
    let remainder = check_checkpoint(&case, saved(&case, &all).path()).unwrap().unwrap();
    assert_eq!(
        (remainder.differing, remainder.farthest.as_str()),
        (2, "layers.0.input_layernorm.weight")
    );
    assert!((remainder.distance - 1.0).abs() < 1e-9 && remainder.to_string().contains("AWQ"));
}

#[test]
fn a_worker_finds_a_checkpoint_by_its_bytes() {
    let case = golden::folder().join("families/llama3");
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("models/quantized");
    fs::create_dir_all(&below).unwrap();
    let (file, found) = (golden::folder().join("gguf/llama3.gguf"), below.join("llama3.gguf"));
    fs::copy(&file, &found).unwrap();
    let cells = [("all", "mlp", "checkpoint:other")];
    let beside = vec![case.clone(), folder.path().join("models")];
    let elsewhere = evaluated(&case, &file, &cells, beside.clone());
    assert_eq!(scores(elsewhere[0].as_ref().unwrap()), scores(&rows(&case, &file, &cells)[0]));
    let mut bytes = fs::read(&found).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&found, bytes).unwrap();
    let refused = |parts: &[&str]| {
        let error = evaluated(&case, &file, &cells, beside.clone()).remove(0).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    refused(&["holds checkpoint other", "llama3.gguf does not have BLAKE3", "--models"]);
    fs::remove_file(&found).unwrap();
    refused(&["holds checkpoint other", "--models"]);
}

/// A folder with a study of a case whose config `checkpoint:saved` lies in `saved`.
fn study(case: &Path, tensors: &BTreeMap<String, Tensor>) -> (TempDir, PathBuf) {
    let folder = saved(case, tensors);
    let line = |n: u64| format!("one text {n} of {} and a word\n", n * n);
    fs::write(folder.path().join("eng.txt"), (0..40).map(line).collect::<String>()).unwrap();
    let text = format!(
        "model = {case:?}\nconfigs = ['int3-channel', 'checkpoint:saved']\nscopes = ['all', 'only(each)']\n\
         corpus.path = '{{language}}.txt'\ncheckpoints.saved = '.'\nanalysis.bootstrap_draws = 50\n"
    );
    let path = folder.path().join("study.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn run(study: &Path, out: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_babelquant-under-test"));
    Process::start("run", command.arg("run").arg(study).arg("--out").arg(out))
}

#[test]
fn a_study_measures_a_checkpoint_beside_the_other_configs() {
    let case = golden::folder().join("bloom/four_heads_f32").canonicalize().unwrap();
    let (folder, study) = study(&case, &quantized(&case, "int3-channel"));
    let out = folder.path().join("out");
    let said = run(&study, &out).expect(0);
    let warned = said.lines().find(|line| line.contains("are not the model's")).unwrap();
    assert!(warned.contains("saved") && warned.contains("tensors outside the layers"), "{warned}");
    assert!(warned.contains("word_embeddings.weight"), "{warned}");
    let summary = golden::json(&out.join("analysis/summary.json"));
    let of = |config: &str| -> Vec<(String, f64)> {
        let rows = summary["sensitivity"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["config"] == config);
        let scope = |row: &Value| row["scope"].as_str().unwrap().to_owned();
        rows.map(|row| (scope(row), row["delta_nll"].as_f64().unwrap())).collect()
    };
    assert_eq!(of("checkpoint:saved"), of("int3-channel"));
    assert!(of("checkpoint:saved").len() > 2);
}

#[test]
fn a_checkpoint_of_another_model_stops_a_study_before_it_starts() {
    let case = golden::folder().join("bloom/four_heads_f32").canonicalize().unwrap();
    let mut tensors = quantized(&case, "none");
    tensors.remove("ln_f.bias");
    let (folder, study) = study(&case, &tensors);
    let out = folder.path().join("out");
    let said = run(&study, &out).expect(2);
    assert!(
        said.contains("cannot lend its weights") && said.contains("ln_f.bias is missing"),
        "{said}"
    );
    assert!(!out.exists());
}
