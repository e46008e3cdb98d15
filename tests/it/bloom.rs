//! The decoder, the scores and the quantized cells of BLOOM checkpoints against `transformers`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use babelquant_proto::rows::{DocumentRow, Point, decode};
use babelquant_proto::{
    Batch, Document, Dtype, LanguageCorpus, Metrics, Model, ModelPart, Scope, Shard, ShardId,
    ShardText, Spec, UnitIndex, Windows,
};
use babelquant_worker::eval::{EvalError, Evaluator};
use babelquant_worker::model::{Decoder, ModelError, Tap};
use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use crate::golden::{close, folder, json, numbers, relative_frobenius};

/// Bound on hidden states; a wrong GELU moves them 50 times as much.
const FROBENIUS: f64 = 3e-6;
/// Bound on a document's NLL.
const NLL: f64 = 1e-6;

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        folder().join("bloom").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    assert!(cases.len() >= 6, "golden cases are missing");
    cases
}

/// Keeps every activation by the name of the golden files.
#[derive(Default)]
struct Keep(BTreeMap<String, Tensor>);

impl Tap for Keep {
    fn see(&mut self, point: Point, layer: Option<u32>, values: &Tensor) -> Result<(), ModelError> {
        let name = match (point, layer) {
            (Point::EmbedOut, _) => "boundary.0".to_owned(),
            (point, None) => point.name().to_owned(),
            (point, Some(layer)) => format!("point.{layer}.{point}"),
        };
        self.0.insert(name, values.squeeze(0)?.copy()?);
        Ok(())
    }
}

/// Every state that the decoder shows for one window of tokens, and the logits.
fn trace(directory: &Path, ids: &[u32]) -> BTreeMap<String, Tensor> {
    let decoder = Decoder::load(directory, &Device::Cpu, DType::F32).unwrap();
    let mut keep = Keep::default();
    let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let mut x = decoder.embed(&ids, &mut keep).unwrap();
    for layer in 0..decoder.architecture().shape.layers {
        x = decoder.layer(layer, &x, &mut keep).unwrap();
        keep.0.insert(format!("boundary.{}", layer + 1), x.squeeze(0).unwrap().copy().unwrap());
    }
    let x = decoder.final_norm(&x, &mut keep).unwrap().squeeze(0).unwrap();
    let vocabulary = decoder.architecture().shape.vocabulary as usize;
    keep.0.insert("logits".into(), decoder.head(&x, 0, vocabulary).unwrap());
    keep.0
}

/// Largest relative distance of a state from the golden file's, and its name.
fn worst_state(directory: &Path, golden: &Path) -> (f64, String) {
    let expected = candle_core::safetensors::load(golden, &Device::Cpu).unwrap();
    let ids: Vec<i64> = expected["input_ids"].to_vec1().unwrap();
    let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
    let ours = trace(directory, &ids);
    let names: Vec<&String> = expected.keys().filter(|name| *name != "input_ids").collect();
    let distance = |name: &&String| {
        let ours = ours.get(*name).unwrap_or_else(|| panic!("nothing is called {name}"));
        (relative_frobenius(ours, &expected[*name]), (*name).clone())
    };
    names.iter().map(distance).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
fn every_activation_equals_transformers() {
    for case in cases() {
        let (distance, name) = worst_state(&case, &case.join("expected.safetensors"));
        assert!(distance < FROBENIUS, "{}: {name} is off by {distance:e}", case.display());
    }
}

fn document(index: usize, expected: &Value) -> Document {
    let (index, id) = (index as u32, index.to_string());
    Document { index, group: id.clone(), id, text: expected["text"].as_str().unwrap().to_owned() }
}

fn spec(case: &Path, documents: &[Document], expected: &Value) -> Spec {
    let number = |key: &str| expected[key].as_u64().unwrap() as u32;
    let mut cells = vec![("all".parse().unwrap(), "mlp".parse().unwrap(), "none".parse().unwrap())];
    for cell in expected["cells"].as_array().unwrap() {
        let text = |key: &str| cell[key].as_str().unwrap();
        cells.push((
            text("scope").parse().unwrap(),
            text("components").parse().unwrap(),
            text("config").parse().unwrap(),
        ));
    }
    let cells = cells.into_iter();
    let shard = Shard {
        first_document: 0,
        documents: documents.len() as u32,
        bytes: documents.iter().map(|document| document.text.len() as u64).sum(),
        digest: ShardText::digest_of(documents),
    };
    Spec {
        version: Spec::VERSION,
        models: vec![ModelPart {
            model: Model::describe("golden", case).unwrap(),
            cells: cells
                .map(|(layers, components, config)| (Scope { layers, components }, config))
                .collect(),
        }],
        corpus: vec![LanguageCorpus { language: "eng".parse().unwrap(), shards: vec![shard] }],
        windows: Windows { tokens: number("window"), stride: number("stride") },
        batch: Batch { tokens: 96, head_rows: 48, head_columns: 100 },
        dtype: Dtype::F32,
        metrics: Metrics { kl: true },
        seed: 1,
    }
}

/// Rows of every cell, in the order of the spec; the first is `none` at `all`.
fn evaluate(case: &Path, expected: &Value) -> Vec<Vec<DocumentRow>> {
    let documents: Vec<Document> = expected["documents"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, d)| document(i, d))
        .collect();
    let spec = spec(case, &documents, expected);
    let text = ShardText { id: ShardId { language: 0, shard: 0 }, documents };
    let first = u64::from(spec.models[0].model.shape.layers) + 2;
    let units: Vec<UnitIndex> = (first..spec.units()).map(UnitIndex).collect();
    let mut evaluator = Evaluator::new(spec, vec![case.to_owned()], Device::Cpu);
    let mut rows = BTreeMap::new();
    let mut emit = |unit: UnitIndex, outcome: Result<bytes::Bytes, EvalError>| {
        rows.insert(unit, decode::<DocumentRow>(&outcome.unwrap()).unwrap());
    };
    evaluator.compute(&units, Some(&text), &mut emit).unwrap();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), units);
    rows.into_values().collect()
}

#[test]
fn scores_equal_transformers_and_none_changes_nothing() {
    for case in cases() {
        let expected = json(&case.join("expected.json"));
        let rows = evaluate(&case, &expected).remove(0);
        for (row, expected) in rows.iter().zip(expected["documents"].as_array().unwrap()) {
            let number = |key: &str| expected[key].as_u64().unwrap();
            assert_eq!(row.tokens, number("scored_tokens"), "{}", case.display());
            assert_eq!((row.bytes, row.chars), (number("scored_bytes"), number("scored_chars")));
            close(row.base_nll_sum, expected["nll"].as_f64().unwrap(), NLL, 0.0);
            assert_eq!(row.nll_sum, Some(row.base_nll_sum));
            assert_eq!((row.kl_sum, row.top1_count), (Some(0.0), row.tokens));
        }
    }
}

#[test]
fn quantized_cells_equal_an_independent_quantizer_in_transformers() {
    let mut cells = 0;
    for case in cases() {
        let expected = json(&case.join("expected.json"));
        let rows = evaluate(&case, &expected);
        for (rows, cell) in rows[1..].iter().zip(expected["cells"].as_array().unwrap()) {
            let [nll, base, kl, top1] =
                ["nll", "base_nll", "kl_sum", "top1_count"].map(|key| numbers(&cell[key]));
            for (i, row) in rows.iter().enumerate() {
                close(row.nll_sum.unwrap(), nll[i], NLL, 0.0);
                close(row.base_nll_sum, base[i], NLL, 0.0);
                close(row.kl_sum.unwrap(), kl[i], 1e-4, 1e-7 * row.tokens as f64);
                assert_eq!(row.top1_count, top1[i] as u64);
            }
            cells += 1;
        }
    }
    assert!(cells >= 20);
}

/// A copy of a case whose single checkpoint file and config were changed.
fn planted(
    case: &Path,
    tensors: impl FnOnce(&mut BTreeMap<String, Tensor>),
    config: impl FnOnce(&mut Value),
) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let file = case.join("model.safetensors");
    let mut all: BTreeMap<String, Tensor> =
        candle_core::safetensors::load(file, &Device::Cpu).unwrap().into_iter().collect();
    tensors(&mut all);
    let all = all.into_iter().collect();
    candle_core::safetensors::save(&all, copy.path().join("model.safetensors")).unwrap();
    let mut json = json(&case.join("config.json"));
    config(&mut json);
    std::fs::write(copy.path().join("config.json"), json.to_string()).unwrap();
    copy
}

#[test]
fn each_dropped_bias_and_gain_breaks_the_comparison() {
    let case = folder().join("bloom/four_heads_f32");
    let golden = case.join("expected.safetensors");
    let unchanged = planted(&case, |_| (), |_| ());
    assert!(worst_state(unchanged.path(), &golden).0 < FROBENIUS);
    let checkpoint =
        candle_core::safetensors::load(case.join("model.safetensors"), &Device::Cpu).unwrap();
    let vectors: Vec<&String> =
        checkpoint.iter().filter(|(_, tensor)| tensor.rank() == 1).map(|(name, _)| name).collect();
    assert!(vectors.len() > 20);
    for name in vectors {
        let drop = |all: &mut BTreeMap<String, Tensor>| {
            let dropped =
                if name.ends_with("bias") { all[name].zeros_like() } else { all[name].ones_like() };
            all.insert(name.clone(), dropped.unwrap());
        };
        let copy = planted(&case, drop, |_| ());
        let (distance, state) = worst_state(copy.path(), &golden);
        assert!(
            distance > 100.0 * FROBENIUS,
            "without {name}, {state} is off by {distance:e} only"
        );
    }
}

#[test]
fn each_wrong_rule_breaks_the_comparison() {
    type Plant = (&'static str, fn(&mut Value));
    let plants: [Plant; 4] = [
        ("four_heads_f32", |config| config["layer_norm_epsilon"] = 1e-3.into()),
        ("four_heads_f32", |config| {
            config["apply_residual_connection_post_layernorm"] = true.into()
        }),
        ("four_heads_f32", |config| config["n_head"] = 2.into()),
        ("three_heads_bf16_wide", |config| config["n_head"] = 6.into()),
    ];
    for (case, plant) in plants {
        let case = folder().join("bloom").join(case);
        let copy = planted(&case, |_| (), plant);
        let (distance, _) = worst_state(copy.path(), &case.join("expected.safetensors"));
        assert!(distance > 100.0 * FROBENIUS, "{distance:e}");
    }
}

#[test]
fn the_wrong_gelu_would_break_the_comparison() {
    let case = folder().join("bloom/four_heads_f32");
    let expected =
        candle_core::safetensors::load(case.join("expected.safetensors"), &Device::Cpu).unwrap();
    let checkpoint =
        candle_core::safetensors::load(case.join("model.safetensors"), &Device::Cpu).unwrap();
    let part = |part: &str| &checkpoint[&format!("transformer.h.0.mlp.dense_h_to_4h.{part}")];
    let product = expected["point.0.mlp_in"].matmul(&part("weight").t().unwrap()).unwrap();
    let up = product.broadcast_add(part("bias")).unwrap();
    let act = &expected["point.0.mlp_act"];
    assert!(relative_frobenius(&up.gelu().unwrap(), act) < FROBENIUS);
    assert!(relative_frobenius(&up.gelu_erf().unwrap(), act) > 10.0 * FROBENIUS);
}
