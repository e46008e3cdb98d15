//! One-layer int4 cells of a BLOOM checkpoint over given token ids: seconds per unit with NLL and top-1, then with KL as well.
//!
//! ```text
//! cargo bench -p babelquant-worker --bench sweep -- MODEL_DIR TOKENS_JSON [LAYERS such as 0,12,23 [GIB]]
//! ```
//! TOKENS_JSON is a list of lists of token ids, such as a peer that scores the same tokens writes. The ids become text through
//! a tokenizer made for them, so that units are evaluated exactly as in a run. A model that does not fit into GIB is read layer
//! by layer.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{DocumentRow, TokenRow, decode_both};
use babelquant_proto::{
    Batch, Document, Dtype, LanguageCorpus, Layer, Layers, Metrics, Model, ModelPart, Scope, Shard,
    ShardId, ShardText, Spec, UnitIndex, Windows,
};
use babelquant_worker::eval::{Evaluator, Places};
use babelquant_worker::{Device, engine_class};
use serde_json::{Map, Value, json};

fn main() -> Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [model, tokens, rest @ ..] = arguments.as_slice() else {
        report("SKIPPED: give MODEL_DIR TOKENS_JSON [LAYERS [GIB]]");
        return Ok(());
    };
    let layers = rest.first().map_or("0,12,23", String::as_str);
    let tokens: Vec<Vec<u32>> = serde_json::from_slice(&fs::read(tokens)?)?;
    let folder = tempfile::tempdir()?;
    borrow(Path::new(model), folder.path(), &tokens)?;
    let layers = layers.split(',').map(str::parse).collect::<Result<Vec<Layer>, _>>()?;
    let gib: Option<f64> = rest.get(1).map(|gib| gib.parse()).transpose()?;
    let memory_bytes = gib.map(|gib| (gib * f64::from(1 << 30)) as u64);
    for kl in [false, true] {
        measure(folder.path(), &tokens, &layers, (kl, memory_bytes))?;
    }
    report(&format!("peak resident {:.2} GB", peak_bytes()? / 1e9));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}

/// Links the model's files into `folder` and writes a tokenizer in which each id is spelled `<id>`.
fn borrow(model: &Path, folder: &Path, tokens: &[Vec<u32>]) -> Result<()> {
    for name in Model::weight_files(model)?.iter().map(String::as_str).chain(["config.json"]) {
        std::os::unix::fs::symlink(fs::canonicalize(model.join(name))?, folder.join(name))?;
    }
    let ids: BTreeSet<u32> = tokens.iter().flatten().copied().collect();
    let vocabulary: Map<String, Value> =
        ids.iter().map(|id| (format!("<{id}>"), json!(id))).collect();
    let added = |id: &u32| {
        json!({"id": id, "content": format!("<{id}>"), "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false})
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null, "added_tokens": ids.iter().map(added).collect::<Vec<_>>(),
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    });
    Ok(fs::write(folder.join("tokenizer.json"), serde_json::to_vec(&tokenizer)?)?)
}

fn documents(tokens: &[Vec<u32>]) -> Vec<Document> {
    let text = |ids: &Vec<u32>| ids.iter().map(|id| format!("<{id}>")).collect::<String>();
    let document = |(index, ids): (usize, &Vec<u32>)| {
        let (index, id) = (index as u32, index.to_string());
        Document { index, group: id.clone(), id, text: text(ids) }
    };
    tokens.iter().enumerate().map(document).collect()
}

fn spec(model: &Path, documents: &[Document], layers: &[Layer], kl: bool) -> Result<Spec> {
    let config: QuantConfig = "int4-channel".parse()?;
    let components: babelquant_proto::Components = "mlp".parse()?;
    let cell = |&layer| {
        (Scope { layers: Layers::only(layer), components: components.clone() }, config.clone())
    };
    let shard = Shard {
        first_document: 0,
        documents: documents.len() as u32,
        bytes: documents.iter().map(|document| document.text.len() as u64).sum(),
        digest: ShardText::digest_of(documents),
    };
    Ok(Spec {
        version: Spec::VERSION,
        models: vec![ModelPart {
            model: Model::describe("bench", model)?,
            cells: layers.iter().map(cell).collect(),
            checkpoints: Vec::new(),
        }],
        corpus: vec![LanguageCorpus { language: "eng".parse()?, shards: vec![shard] }],
        windows: Windows { tokens: 1024, stride: 512 },
        batch: Batch::default(),
        dtype: Dtype::F32,
        metrics: Metrics { kl },
        seed: 1,
        calibration: Vec::new(),
    })
}

fn measure(
    model: &Path,
    tokens: &[Vec<u32>],
    layers: &[Layer],
    (kl, memory_bytes): (bool, Option<u64>),
) -> Result<()> {
    let documents = documents(tokens);
    let spec = spec(model, &documents, layers, kl)?;
    let text = ShardText { id: ShardId { language: 0, shard: 0 }, documents };
    let first = spec.quantization_units().end;
    let units: Vec<UnitIndex> = (first..spec.units()).map(UnitIndex).collect();
    let places = Places { directories: vec![model.to_owned()], hub: None };
    let device = (candle_core::Device::Cpu, engine_class(&Device::Cpu));
    let evaluator = Evaluator::new(spec, places, device);
    let mut evaluator = evaluator.with_memory(None, memory_bytes);
    let label = if kl { "NLL, top-1, KL" } else { "NLL, top-1" };
    // The first pass loads the model, runs the baseline and warms up; it is not counted.
    let start = Instant::now();
    run(&mut evaluator, &units, &text, |_, _| {})?;
    report(&format!(
        "{label}: first pass with loading and baseline {:.2} s",
        start.elapsed().as_secs_f64()
    ));
    for _ in 0..3 {
        let start = Instant::now();
        let mut deltas = Vec::new();
        run(&mut evaluator, &units[1..], &text, |_, delta| deltas.push(delta))?;
        let seconds = start.elapsed().as_secs_f64() / layers.len() as f64;
        report(&format!("{label}: {seconds:.3} s per unit, delta nll {deltas:?}"));
    }
    Ok(())
}

fn run(
    evaluator: &mut Evaluator,
    units: &[UnitIndex],
    text: &ShardText,
    mut seen: impl FnMut(UnitIndex, f64),
) -> Result<()> {
    let mut failure = None;
    let mut emit = |unit: UnitIndex, outcome: Result<bytes::Bytes, _>| match outcome {
        Ok(ipc) => {
            if let Ok((rows, _)) = decode_both::<DocumentRow, TokenRow>(&ipc) {
                let delta = |row: &DocumentRow| row.nll_sum.map(|nll| nll - row.base_nll_sum);
                let tokens: u64 = rows.iter().map(|row| row.tokens).sum();
                seen(unit, rows.iter().filter_map(delta).sum::<f64>() / tokens as f64);
            }
        }
        Err(error) => failure = Some(error),
    };
    evaluator.compute(units, Some(text), &mut emit)?;
    match failure {
        Some(error) => bail!(error),
        None => Ok(()),
    }
}

/// The largest resident size of this process so far, in bytes.
fn peak_bytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0)
}
