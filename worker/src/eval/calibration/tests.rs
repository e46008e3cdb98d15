//! Moments of golden models against `transformers` (`tests/reference/make_calibration.py`), and what must not change them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use babelquant_proto::{
    Batch, Calibration, Cells, Dtype, Metrics, Model, ModelPart, Protocol, Stack, Windows,
};
use candle_core::{DType, Device, Tensor};

use super::*;
use crate::cache::Cache;
use crate::eval::find::Places;
use crate::eval::loaded::Loaded;
use crate::model::Residence;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

/// A spec whose set `mix` is the documents of a golden case.
fn spec(case: &str) -> Arc<Spec> {
    let text = std::fs::read(golden(case).join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let documents = expected["documents"].as_array().unwrap().iter();
    let mut model = Model::describe("golden", &golden(case)).unwrap();
    if let Protocol::SpanCorruption { marks, .. } = model.protocol {
        model.protocol = Protocol::PrefixInfill { marks };
    }
    let (tokens, stride) = if model.shape.encoder_layers > 0 { (64, 32) } else { (24, 12) };
    Arc::new(Spec {
        version: Spec::VERSION,
        models: vec![ModelPart { model, cells: Cells::default(), checkpoints: Vec::new() }],
        corpus: Vec::new(),
        windows: Windows { tokens, stride },
        batch: Batch { tokens: 96, ..Batch::default() },
        dtype: Dtype::F32,
        metrics: Metrics { kl: false },
        seed: 1,
        calibration: vec![Calibration {
            set: CalibrationSet::Mix,
            texts: documents.map(|d| d["text"].as_str().unwrap().to_owned()).collect(),
        }],
    })
}

fn load(case: &str, spec: &Arc<Spec>, residence: Residence) -> Loaded {
    let store = MomentStore::default();
    let places = Places { directories: Vec::new(), hub: None };
    Loaded::load(&golden(case), (spec, 0), &Device::Cpu, residence, (&places, store)).unwrap()
}

/// The inputs that a layer's matrices read.
fn inputs(loaded: &Loaded, layer: Layer) -> BTreeSet<Input> {
    let matrices = loaded.transformer.architecture().matrices(layer).iter();
    let roles = matrices.flat_map(|matrix| &matrix.roles).map(|&(role, _)| Input::of(role));
    roles.collect()
}

fn moments(
    calibrator: &mut Calibrator,
    loaded: &Loaded,
    layer: Layer,
) -> BTreeMap<Input, Arc<InputMoments>> {
    let wanted = inputs(loaded, layer);
    calibrator.moments(loaded.baseline(), (&CalibrationSet::Mix, layer), &wanted).unwrap()
}

/// The golden values of one layer and input; the encoder's layers are `enc.0` there too.
fn expected(tensors: &HashMap<String, Tensor>, layer: Layer, input: Input) -> InputMoments {
    let values = |part: &str| -> Vec<f32> {
        let tensor = tensors[&format!("{layer}.{input}.{part}")].flatten_all().unwrap();
        tensor.to_dtype(DType::F32).unwrap().to_vec1().unwrap()
    };
    InputMoments {
        tokens: values("tokens")[0] as u64,
        second: values("second"),
        mean_abs: values("mean_abs"),
        max_abs: values("max_abs"),
    }
}

#[test]
fn every_input_has_the_moments_of_transformers() {
    let mut compared = 0;
    for case in ["bloom/four_heads_f32", "families/gpt2", "families/llama_linear", "families/mt5"] {
        let name = case.split_once('/').unwrap().1;
        let file = golden("calibration").join(format!("{name}.safetensors"));
        let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
        let spec = spec(case);
        let loaded = load(case, &spec, Residence::Whole);
        let mut calibrator = Calibrator::new(&spec, 0, MomentStore::default());
        for layer in loaded.transformer.architecture().shape.stacked_layers() {
            for (input, found) in moments(&mut calibrator, &loaded, layer) {
                let expected = expected(&tensors, layer, input);
                check(&found, &expected, &format!("{case} {layer} {input}"));
                compared += 1;
            }
        }
    }
    assert!(compared >= 40, "{compared}");
}

/// Second moments may differ by rounding of what their columns' magnitudes make possible.
#[track_caller]
fn check(found: &InputMoments, expected: &InputMoments, place: &str) {
    assert_eq!(found.tokens, expected.tokens, "{place}");
    let width = expected.mean_abs.len();
    let power = |column: usize| expected.second[column * (width + 1)];
    for (index, (a, b)) in found.second.iter().zip(&expected.second).enumerate() {
        let scale = (power(index / width) * power(index % width)).sqrt();
        assert!((a - b).abs() <= 1e-5 * scale, "{place} {index}: {a} {b}");
    }
    let pairs = found.mean_abs.iter().zip(&expected.mean_abs);
    for (a, b) in pairs.chain(found.max_abs.iter().zip(&expected.max_abs)) {
        assert!((a - b).abs() <= 1e-5 * b.abs(), "{place}: {a} {b}");
    }
}

#[test]
fn order_residence_and_what_is_asked_for_do_not_change_a_bit() {
    for case in ["families/llama_linear", "families/mt5"] {
        let spec = spec(case);
        let (whole, streamed) =
            (load(case, &spec, Residence::Whole), load(case, &spec, Residence::Streamed));
        let layers: Vec<Layer> = whole.transformer.architecture().shape.stacked_layers().collect();
        let new = || Calibrator::new(&spec, 0, MomentStore::default());
        let mut calibrator = new();
        let in_order: Vec<_> =
            layers.iter().map(|&layer| moments(&mut calibrator, &whole, layer)).collect();
        let mut calibrator = new();
        for (index, &layer) in layers.iter().enumerate().rev() {
            assert_eq!(moments(&mut calibrator, &streamed, layer), in_order[index], "{layer}");
        }
        let mut calibrator = new();
        for input in inputs(&whole, layers[1]) {
            let wanted = BTreeSet::from([input]);
            let at = (&CalibrationSet::Mix, layers[1]);
            let found = calibrator.moments(whole.baseline(), at, &wanted).unwrap();
            assert!(found.iter().all(|(input, found)| in_order[1][input] == *found));
        }
    }
}

#[test]
fn what_the_cache_holds_is_not_computed() {
    let case = "families/llama_linear";
    let spec = spec(case);
    let loaded = load(case, &spec, Residence::Whole);
    let folder = tempfile::tempdir().unwrap();
    let store = |engine: &str| {
        let cache = Cache::new(folder.path().to_owned(), 1 << 20);
        MomentStore::in_cache(cache, engine.parse().unwrap())
    };
    let last = Layer { stack: Stack::Dec, index: 1 };
    let mut first = Calibrator::new(&spec, 0, store("cpu-a"));
    let computed = moments(&mut first, &loaded, last);
    assert!(first.running.is_some());
    let mut second = Calibrator::new(&spec, 0, store("cpu-a"));
    assert_eq!(moments(&mut second, &loaded, last), computed);
    assert!(second.running.is_none());
    let mut other = Calibrator::new(&spec, 0, store("cpu-b"));
    assert_eq!(moments(&mut other, &loaded, last), computed);
    assert!(other.running.is_some());
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2 * computed.len());
}

#[test]
fn a_set_without_text_is_refused_by_name() {
    let case = "families/llama_linear";
    let spec = spec(case);
    let loaded = load(case, &spec, Residence::Whole);
    let mut calibrator = Calibrator::new(&spec, 0, MomentStore::default());
    let set: CalibrationSet = "eng".parse().unwrap();
    let wanted = inputs(&loaded, Layer::dec(0));
    let at = (&set, Layer::dec(0));
    let error = calibrator.moments(loaded.baseline(), at, &wanted).unwrap_err().to_string();
    assert!(error.contains("calibration set eng") && error.contains("layer 0"), "{error}");
}
