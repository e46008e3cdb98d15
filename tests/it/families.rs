//! Every family's states, scores and quantized cells against `transformers`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use babelquant_proto::rows::Point;
use babelquant_proto::{Layer, LayerSet, Stack};
use babelquant_worker::model::{Memory, ModelError, NoTap, Residence, Site, Tap, Transformer};
use candle_core::{D, DType, Device, Tensor};
use serde_json::Value;

use crate::cases::{cases, evaluate, evaluate_on, spec};
use crate::golden::{close, folder, json, numbers, relative_frobenius};

/// Bound on hidden states; a wrong GELU moves them 50 times as much.
pub(crate) const FROBENIUS: f64 = 3e-6;
/// Bound on a document's NLL.
pub(crate) const NLL: f64 = 1e-6;

/// Keeps every activation by the name of the golden files.
#[derive(Default)]
struct Keep {
    states: BTreeMap<String, Tensor>,
    has_encoder: bool,
}

impl Keep {
    fn keep(&mut self, stack: Stack, name: &str, values: &Tensor) {
        let prefix = if self.has_encoder { format!("{}.", stack.name()) } else { String::new() };
        let values = values.squeeze(0).unwrap().copy().unwrap();
        self.states.insert(format!("{prefix}{name}"), values);
    }
}

impl Tap for Keep {
    fn see(&mut self, point: Point, site: Site, values: &Tensor) -> Result<(), ModelError> {
        let name = match (point, site.layer) {
            (Point::EmbedOut, _) => "boundary.0".to_owned(),
            (point, None) => point.name().to_owned(),
            (point, Some(layer)) => format!("point.{layer}.{point}"),
        };
        self.keep(site.stack, &name, values);
        if let (Point::BlockOut, Some(layer)) = (point, site.layer) {
            self.keep(site.stack, &format!("boundary.{}", layer + 1), values);
        }
        Ok(())
    }
}

fn ids(values: &Tensor) -> Vec<u32> {
    let wide: Vec<i64> = values.flatten_all().unwrap().to_vec1().unwrap();
    wide.into_iter().map(|id| id as u32).collect()
}

/// What one batch of windows reads: sources with their real lengths, where there is an encoder, and the decoder's tokens.
struct Read {
    source: Option<(Tensor, Vec<u32>)>,
    ids: Tensor,
}

impl Read {
    fn one(source: Option<&[u32]>, decoder: &[u32]) -> Self {
        let row = |ids: &[u32]| Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let source = source.map(|source| (row(source), vec![source.len() as u32]));
        Self { source, ids: row(decoder) }
    }
}

/// The logits of a batch, [windows, positions, vocabulary], with every state shown to the tap.
fn logits(model: &Transformer, read: &Read, tap: &mut dyn Tap) -> Tensor {
    let architecture = model.architecture();
    let mut lengths: &[u32] = &[];
    let mut encoded: Option<Tensor> = None;
    let mut x = match &read.source {
        Some((source, real)) => {
            lengths = real;
            model.embed(model.tables(), Stack::Enc, source, tap).unwrap()
        }
        None => model.embed(model.tables(), Stack::Dec, &read.ids, tap).unwrap(),
    };
    for layer in architecture.shape.stacked_layers() {
        if read.source.is_some() && layer == Layer::dec(0) {
            encoded = Some(model.final_norm(Stack::Enc, &x, tap).unwrap());
            x = model.embed(model.tables(), Stack::Dec, &read.ids, tap).unwrap();
        }
        let memory = read.source.is_some().then_some(Memory { lengths, states: encoded.as_ref() });
        x = model.block(layer).unwrap().forward(&x, memory, tap).unwrap();
    }
    let x = model.final_norm(Stack::Dec, &x, tap).unwrap();
    let (windows, positions, width) = x.dims3().unwrap();
    let x = x.reshape((windows * positions, width)).unwrap();
    let vocabulary = architecture.shape.vocabulary as usize;
    let logits = model.head(model.tables(), &x, (0, vocabulary)).unwrap();
    logits.reshape((windows, positions, vocabulary)).unwrap()
}

fn load(directory: &Path, residence: Residence) -> Transformer {
    Transformer::load(directory, (&Device::Cpu, DType::F32), residence).unwrap()
}

/// Every state that the model shows for the traced window, and the logits.
fn trace(model: &Transformer, expected: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let has_encoder = model.architecture().encoder.is_some();
    let mut keep = Keep { has_encoder, ..Keep::default() };
    let read = match has_encoder {
        true => Read::one(Some(&ids(&expected["source_ids"])), &ids(&expected["decoder_ids"])),
        false => Read::one(None, &ids(&expected["input_ids"])),
    };
    let logits = logits(model, &read, &mut keep);
    keep.states.insert("logits".into(), logits.squeeze(0).unwrap());
    if let Some(lengths) = expected.get("batch.source_lengths") {
        let (rows, positions) = expected["batch.source_ids"].dims2().unwrap();
        let table = |name: &str, shape| Tensor::from_vec(ids(&expected[name]), shape, &Device::Cpu);
        let source = table("batch.source_ids", (rows, positions)).unwrap();
        let decoder = expected["batch.decoder_ids"].dims2().unwrap();
        let read = Read {
            source: Some((source, ids(lengths))),
            ids: table("batch.decoder_ids", decoder).unwrap(),
        };
        let logits = self::logits(model, &read, &mut NoTap);
        keep.states.insert("batch.logits".into(), logits);
    }
    keep.states
}

/// Largest relative distance of a state from the golden file's, and its name. States that the golden file does not have are not
/// compared; one that only it has is infinitely far.
pub(crate) fn worst_state(directory: &Path, golden: &Path, residence: Residence) -> (f64, String) {
    let expected = candle_core::safetensors::load(golden, &Device::Cpu).unwrap();
    let expected: BTreeMap<String, Tensor> = expected.into_iter().collect();
    let ours = trace(&load(directory, residence), &expected);
    let inputs = |name: &&String| name.contains("_ids") || name.contains("_lengths");
    let distance = |name: &String| {
        let distance = ours.get(name).map(|ours| relative_frobenius(ours, &expected[name]));
        (distance.unwrap_or(f64::INFINITY), name.clone())
    };
    let names: Vec<&String> = expected.keys().filter(|name| !inputs(name)).collect();
    names.into_iter().map(distance).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
fn every_activation_equals_transformers() {
    for case in cases() {
        for residence in [Residence::Whole, Residence::Streamed] {
            let golden = case.join("expected.safetensors");
            let (distance, name) = worst_state(&case, &golden, residence);
            assert!(distance < FROBENIUS, "{}: {name} is off by {distance:e}", case.display());
        }
    }
}

#[test]
fn scores_equal_transformers_and_none_changes_nothing() {
    for case in cases() {
        let expected = json(&case.join("expected.json"));
        let rows = evaluate(&case, spec(&case, &expected)).remove(0);
        for (row, expected) in rows.iter().zip(expected["documents"].as_array().unwrap()) {
            let number = |key: &str| expected[key].as_u64().unwrap();
            assert_eq!(row.tokens, number("scored_tokens"), "{}", case.display());
            assert_eq!((row.bytes, row.chars), (number("scored_bytes"), number("scored_chars")));
            close(row.base_nll_sum, expected["nll"].as_f64().unwrap(), NLL, 0.0);
            assert_eq!(row.nll_sum, Some(row.base_nll_sum));
            assert_eq!((row.kl_sum, row.top1_count), (Some(0.0), Some(row.tokens)));
            assert_eq!((row.next_error_sum, row.last_error_sum), (Some(0.0), Some(0.0)));
            assert_eq!(
                (row.next_product_sum, row.last_product_sum),
                (row.next_base_sum, row.last_base_sum)
            );
        }
    }
}

#[test]
fn quantized_cells_equal_an_independent_quantizer_in_transformers() {
    let (mut cells, mut sets) = (0, 0);
    for case in cases() {
        let expected = json(&case.join("expected.json"));
        let rows = evaluate(&case, spec(&case, &expected));
        for (rows, cell) in rows[1..].iter().zip(expected["cells"].as_array().unwrap()) {
            if let Some(layers) = cell.get("layers").and_then(Value::as_array) {
                let layers = layers.iter().map(|layer| layer.as_str().unwrap().parse().unwrap());
                let layers = LayerSet::from(layers.collect::<BTreeSet<Layer>>()).to_string();
                assert!(rows.iter().all(|row| row.layers == layers), "{}: {cell}", case.display());
                sets += 1;
            }
            let [nll, base, kl, top1] =
                ["nll", "base_nll", "kl_sum", "top1_count"].map(|key| numbers(&cell[key]));
            for (i, row) in rows.iter().enumerate() {
                close(row.nll_sum.unwrap(), nll[i], NLL, 0.0);
                close(row.base_nll_sum, base[i], NLL, 0.0);
                close(row.kl_sum.unwrap(), kl[i], 1e-4, 1e-7 * row.tokens as f64);
                assert_eq!(row.top1_count, Some(top1[i] as u64));
            }
            cells += 1;
        }
    }
    assert!(cells >= 180 && sets >= 50, "{cells} {sets}");
}

#[test]
fn cells_of_a_streamed_model_are_the_same() {
    for case in ["xglm", "mistral", "mt5"].map(|name| folder().join("families").join(name)) {
        let expected = json(&case.join("expected.json"));
        let whole = evaluate(&case, spec(&case, &expected));
        assert_eq!(
            evaluate_on(&case, spec(&case, &expected), Some(1)),
            whole,
            "{}",
            case.display()
        );
    }
}

/// Largest relative distance of a span example's NLL from the golden file's of `case`, and how many examples there are.
pub(crate) fn worst_span(directory: &Path, case: &Path) -> (f64, usize) {
    let expected = json(&case.join("expected.json"));
    let examples = expected.get("span_examples").map_or(&[][..], |spans| spans.as_array().unwrap());
    let model = load(directory, Residence::Whole);
    let distance = |example: &Value| {
        let ids = |key: &str| -> Vec<u32> {
            numbers(&example[key]).into_iter().map(|id| id as u32).collect()
        };
        let read = Read::one(Some(&ids("source_ids")), &ids("decoder_ids"));
        let logits = logits(&model, &read, &mut NoTap).squeeze(0).unwrap();
        let shares = log_softmax(&logits.to_dtype(DType::F64).unwrap());
        let targets = ids("target_ids");
        let nll = |at: u32| -shares[at as usize][targets[at as usize] as usize];
        let nll: f64 = ids("scored_positions").into_iter().map(nll).sum();
        (nll / example["nll"].as_f64().unwrap() - 1.0).abs()
    };
    (examples.iter().map(distance).fold(0.0, f64::max), examples.len())
}

#[test]
fn masked_spans_score_as_in_transformers() {
    let mut examples = 0;
    for case in cases().into_iter().filter(|case| case.to_string_lossy().contains("mt5")) {
        let (distance, count) = worst_span(&case, &case);
        assert!(distance < NLL, "{}: {distance:e}", case.display());
        examples += count;
    }
    assert!(examples >= 12);
}

/// ln p by row, from f64 logits [positions, vocabulary].
fn log_softmax(logits: &Tensor) -> Vec<Vec<f64>> {
    let top = logits.max_keepdim(D::Minus1).unwrap();
    let centred = logits.broadcast_sub(&top).unwrap();
    let sums = centred.exp().unwrap().sum_keepdim(D::Minus1).unwrap().log().unwrap();
    centred.broadcast_sub(&sums).unwrap().to_vec2().unwrap()
}

#[test]
fn published_sizes_have_their_published_parameters() {
    let shapes = json(&folder().join("families/shapes.json"));
    let models = shapes["models"].as_array().unwrap();
    for model in models {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), model["config"].to_string()).unwrap();
        let parameters = babelquant_worker::parameters(folder.path()).unwrap();
        assert_eq!(Some(parameters), model["parameters"].as_u64(), "{}", model["repository"]);
    }
    assert!(models.len() >= 25, "{}", models.len());
}
