//! Golden cases: where they are, the study that one makes, and the rows of its cells. What they are held against stands in the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{DocumentRow, TokenRow, decode_both};
use babelquant_proto::{
    Batch, Document, Dtype, EngineClass, LanguageCorpus, Metrics, Model, ModelPart, Protocol,
    Scope, Shard, ShardId, ShardText, Spec, UnitIndex, Windows,
};
use babelquant_worker::engine_class;
use babelquant_worker::eval::{EvalError, Evaluator, Places};
use candle_core::Device;
use serde_json::Value;

use crate::golden::folder;

/// The engine class of this machine's processor.
pub(crate) fn engine() -> EngineClass {
    engine_class(&babelquant_worker::Device::Cpu)
}

/// The folders of golden cases.
pub(crate) fn cases() -> Vec<PathBuf> {
    let list = |name: &str| {
        let entries = folder().join(name).read_dir().unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut cases = [list("bloom"), list("families")].concat();
    cases.sort();
    assert!(cases.len() >= 25, "golden cases are missing");
    cases
}

fn document(index: usize, expected: &Value) -> Document {
    let (index, id) = (index as u32, index.to_string());
    Document { index, group: id.clone(), id, text: expected["text"].as_str().unwrap().to_owned() }
}

/// The model as the golden case reads it.
fn described(case: &Path, expected: &Value) -> Model {
    let mut model = Model::describe("golden", case).unwrap();
    let token = |key: &str| expected.get(key).and_then(Value::as_u64).map(|id| id as u32);
    match model.protocol {
        Protocol::SpanCorruption { marks, .. } => {
            model.protocol = Protocol::PrefixInfill { marks };
        }
        Protocol::Causal { prefix, newline } => {
            assert_eq!(
                (prefix, newline),
                (token("prefix"), token("newline")),
                "{}",
                case.display()
            );
        }
        Protocol::PrefixInfill { .. } => {}
    }
    model
}

/// A cell from the spellings of its layers, components and config.
pub(crate) fn cell(layers: &str, components: &str, config: &str) -> (Scope, QuantConfig) {
    let (layers, components) = (layers.parse().unwrap(), components.parse().unwrap());
    (Scope { layers, components }, config.parse().unwrap())
}

/// A cell as golden files have it.
pub(crate) fn golden_cell(golden: &Value) -> (Scope, QuantConfig) {
    let text = |key: &str| golden[key].as_str().unwrap();
    cell(text("scope"), text("components"), text("config"))
}

/// The spec of a case with its one shard; the first cell is `none` at `all`.
pub(crate) fn spec(case: &Path, expected: &Value) -> (Spec, ShardText) {
    let documents = expected["documents"].as_array().unwrap().iter().enumerate();
    let documents: Vec<Document> = documents.map(|(i, d)| document(i, d)).collect();
    let number = |key: &str| expected.get(key).map(|n| n.as_u64().unwrap() as u32);
    let none = std::iter::once(cell("all", "mlp", "none"));
    let cells = none.chain(expected["cells"].as_array().unwrap().iter().map(golden_cell)).collect();
    let shard = Shard {
        first_document: 0,
        documents: documents.len() as u32,
        bytes: documents.iter().map(|document| document.text.len() as u64).sum(),
        digest: ShardText::digest_of(&documents),
    };
    let spec = Spec {
        version: Spec::VERSION,
        models: vec![ModelPart {
            model: described(case, expected),
            cells,
            checkpoints: Vec::new(),
        }],
        corpus: vec![LanguageCorpus { language: "eng".parse().unwrap(), shards: vec![shard] }],
        windows: Windows {
            tokens: number("window").unwrap_or(64),
            stride: number("stride").unwrap_or(32),
        },
        batch: Batch { tokens: 96, head_rows: 48, head_columns: 100 },
        dtype: Dtype::F32,
        metrics: Metrics { kl: true },
        seed: 1,
        calibration: Vec::new(),
    };
    (spec, ShardText { id: ShardId { language: 0, shard: 0 }, documents })
}

/// Rows of every cell, in the order of the spec.
pub(crate) fn evaluate(case: &Path, study: (Spec, ShardText)) -> Vec<Vec<DocumentRow>> {
    evaluate_on(case, study, None)
}

/// As `evaluate`, on a device with so many bytes.
pub(crate) fn evaluate_on(
    case: &Path,
    study: (Spec, ShardText),
    device: Option<u64>,
) -> Vec<Vec<DocumentRow>> {
    let outcomes = evaluate_in(vec![case.to_owned()], study, device);
    outcomes.into_iter().map(Result::unwrap).collect()
}

/// The same, or why there are none, with the model in one of the directories.
pub(crate) fn evaluate_in(
    directories: Vec<PathBuf>,
    study: (Spec, ShardText),
    device: Option<u64>,
) -> Vec<Result<Vec<DocumentRow>, EvalError>> {
    let outcomes = evaluate_tokens_in(directories, study, device);
    outcomes.into_iter().map(|outcome| outcome.map(|(documents, _)| documents)).collect()
}

/// What a cell returns.
pub(crate) type CellRows = (Vec<DocumentRow>, Vec<TokenRow>);

/// As `evaluate_in`, with the rows on single tokens.
pub(crate) fn evaluate_tokens_in(
    directories: Vec<PathBuf>,
    (spec, text): (Spec, ShardText),
    device: Option<u64>,
) -> Vec<Result<CellRows, EvalError>> {
    let cells = spec.models[0].cells.len() as u64;
    let units: Vec<UnitIndex> = (spec.units() - cells..spec.units()).map(UnitIndex).collect();
    let places = Places { directories, hub: None };
    let mut evaluator =
        Evaluator::new(spec, places, (Device::Cpu, engine())).with_memory(None, device);
    let mut rows = BTreeMap::new();
    let mut emit = |unit: UnitIndex, outcome: Result<bytes::Bytes, EvalError>| {
        rows.insert(unit, outcome.map(|ipc| decode_both(&ipc).unwrap()));
    };
    evaluator.compute(&units, Some(&text), &mut emit).unwrap();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), units);
    rows.into_values().collect()
}
