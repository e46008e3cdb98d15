//! The dry run of a study: how much work it is, before anything is computed. Estimates, each with its rule; not a promise.

use std::collections::BTreeSet;
use std::fmt;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{
    Calibration, Component, Layer, ModelPart, Protocol, Role, Scope, Shape, Spec, Stack,
};

use super::reach::in_words;

/// Bytes of UTF-8 text per token, assumed: the plan reads no tokenizer. Scripts of three bytes a letter come near it, Latin
/// scripts lie a little above.
const BYTES_PER_TOKEN: u64 = 4;

/// Bytes of a row in a Parquet file, compressed, as seen in small runs.
const BYTES_PER_ROW: u64 = 40;

/// How much work a study is.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Units, all kinds.
    pub units: u64,
    /// Units of weight statistics.
    pub weights: u64,
    /// Units of quantized matrices.
    pub quantization: u64,
    /// Units of activation statistics.
    pub baselines: u64,
    /// (language, scope, config) units.
    pub cells: u64,
    /// Layers of each model, by stack, in words.
    pub layers: String,
    /// Languages.
    pub languages: u64,
    /// Shards, all languages.
    pub shards: u64,
    /// Documents, all languages.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Tokens of the corpus: bytes / 4.
    pub tokens: u64,
    /// Calibration sets that configs name.
    pub calibration_sets: u64,
    /// Their text together, in bytes.
    pub calibration_bytes: u64,
    /// Floating-point operations of the whole study.
    pub flops: f64,
    /// Bytes that a worker holds: the model in the study's dtype and the kept hidden states of the largest shard.
    pub memory_bytes: u64,
    /// Bytes of the result files.
    pub disk_bytes: u64,
    /// What all workers together are assumed to reach.
    pub gflop_per_second: f64,
}

impl Plan {
    /// The plan of `spec` for workers that together reach `gflop_per_second`.
    pub fn of(spec: &Spec, gflop_per_second: f64) -> Self {
        let shards = || spec.corpus.iter().flat_map(|language| &language.shards);
        let bytes = shards().map(|shard| shard.bytes).sum();
        let documents = shards().map(|shard| u64::from(shard.documents)).sum();
        let tokens = bytes / BYTES_PER_TOKEN;
        let models = &spec.models;
        let largest_tokens = shards().map(|s| s.bytes).max().unwrap_or(0) / BYTES_PER_TOKEN;
        let cells_per_shard: u64 = models.iter().map(|part| part.cells.len() as u64).sum();
        let single = |units: std::ops::Range<u64>| units.end - units.start;
        let weights = single(spec.weights_units());
        let quantization = single(spec.quantization_units());
        let baselines = models.len() as u64 * spec.shards();
        let activation_rows: u64 = models
            .iter()
            .map(|part| u64::from(part.model.shape.depth()) * (7 * spec.shards() + 2 * documents))
            .sum();
        let held = |part: &ModelPart| {
            let shape = part.model.shape;
            let hidden = u64::from(shape.hidden);
            // A head of its own, as encoder–decoders have it; other heads are mostly tied.
            let tables = if shape.encoder_layers > 0 { 2 } else { 1 };
            let read = |layer: Layer| share(part.model.protocol, layer.stack);
            let boundaries = shape.stacked_layers().map(read).sum::<f64>() + 1.0;
            let matrices = shape.stacked_layers().map(|layer| matrices(shape, layer)).sum::<u64>();
            let weights = (matrices * hidden + tables * u64::from(shape.vocabulary)) * hidden;
            let states = (largest_tokens * hidden) as f64 * boundaries;
            (weights + states as u64) * spec.dtype.bytes() + moments_bytes(part)
        };
        let sets = || spec.calibration.iter();
        let calibrating =
            |part: &ModelPart| sets().map(|set| calibration_flops(set, part)).sum::<f64>();
        Self {
            units: spec.units(),
            weights,
            quantization,
            baselines,
            cells: cells_per_shard * spec.shards(),
            layers: models.iter().map(layers_in_words).collect::<Vec<_>>().join("; "),
            languages: spec.corpus.len() as u64,
            shards: spec.shards(),
            documents,
            bytes,
            tokens,
            calibration_sets: sets().count() as u64,
            calibration_bytes: sets().map(text_bytes).sum(),
            flops: models.iter().map(flops_per_token).sum::<f64>() * tokens as f64
                + models.iter().map(calibrating).sum::<f64>(),
            memory_bytes: models.iter().map(held).max().unwrap_or(0),
            disk_bytes: (documents * cells_per_shard + activation_rows) * BYTES_PER_ROW,
            gflop_per_second,
        }
    }

    /// The time estimate.
    pub fn seconds(&self) -> f64 {
        self.flops / (self.gflop_per_second * 1e9)
    }
}

/// Square matrices of the model's width in a block: attention has 4, the MLP 8, cross-attention 4.
fn matrices(shape: Shape, layer: Layer) -> u64 {
    match layer.stack {
        Stack::Dec if shape.encoder_layers > 0 => 16,
        Stack::Dec | Stack::Enc => 12,
    }
}

/// Tokens that a stack reads for each token of the corpus. A masking leaves the encoder about 0.9 of them, sentinels included,
/// and the decoder 0.2 (science §D.5).
fn share(protocol: Protocol, stack: Stack) -> f64 {
    match (protocol, stack) {
        (Protocol::Causal { .. }, Stack::Dec) => 1.0,
        (Protocol::Causal { .. }, Stack::Enc) => 0.0,
        (Protocol::SpanCorruption { draws, .. }, Stack::Enc) => 0.9 * f64::from(draws),
        (Protocol::SpanCorruption { draws, .. }, Stack::Dec) => 0.2 * f64::from(draws),
        (Protocol::PrefixInfill { .. }, Stack::Enc | Stack::Dec) => 0.5,
    }
}

/// Operations per token of one model: two per weight and token. The baseline and the config `f32` run every block and the head
/// once, any other cell the blocks from its first quantized layer on and the head: from the encoder on, the whole decoder too. An
/// embedding comes before all blocks, a head after them. A set that the weights decide is taken to begin at the first layer.
fn flops_per_token(part: &ModelPart) -> f64 {
    let (shape, protocol) = (part.model.shape, part.model.protocol);
    let hidden = f64::from(shape.hidden);
    let block = |layer: Layer| {
        let weights = matrices(shape, layer) as f64 * hidden * hidden;
        2.0 * weights * share(protocol, layer.stack)
    };
    let head = 2.0 * hidden * f64::from(shape.vocabulary) * share(protocol, Stack::Dec);
    let all: f64 = shape.stacked_layers().map(block).sum();
    let suffix = |(scope, config): &(Scope, QuantConfig)| {
        let whole =
            *config == QuantConfig::F32 || scope.outside_layers().contains(Component::Embedding);
        let held = match scope.components.in_layers().is_empty() {
            true => BTreeSet::new(),
            false => scope.layers.possible(&shape),
        };
        let before = |layer: &Layer| !whole && !held.contains(layer);
        head + shape.stacked_layers().skip_while(before).map(block).sum::<f64>()
    };
    all + head + part.cells.iter().map(suffix).sum::<f64>()
}

fn text_bytes(set: &Calibration) -> u64 {
    set.texts.iter().map(|text| text.len() as u64).sum()
}

/// Operations of one calibration set on one model: a pass over all blocks, and one triangle of the products of what their matrices
/// read. Counted once: a worker keeps the moments in its cache.
fn calibration_flops(set: &Calibration, part: &ModelPart) -> f64 {
    let named = part.cells.iter().any(|(_, config)| config.calibration_sets().contains(&&set.set));
    if !named {
        return 0.0;
    }
    let shape = part.model.shape;
    let square = f64::from(shape.hidden) * f64::from(shape.hidden);
    // Attention, its context and the MLP read vectors of the model's width, the MLP's last matrix one of four times that.
    let products = |layer: Layer| match layer.stack {
        Stack::Dec if shape.encoder_layers > 0 => 3.0 + 3.0 + 16.0,
        Stack::Dec | Stack::Enc => 3.0 + 16.0,
    };
    let layer = |layer: Layer| {
        let operations = 2.0 * matrices(shape, layer) as f64 + products(layer);
        operations * square * share(part.model.protocol, layer.stack)
    };
    let tokens = text_bytes(set) as f64 / BYTES_PER_TOKEN as f64;
    tokens * shape.stacked_layers().map(layer).sum::<f64>()
}

/// What the moments of the widest matrix take, with GPTQ's factors of them: 32 bytes an entry.
fn moments_bytes(part: &ModelPart) -> u64 {
    let calibrated = part.cells.iter().filter(|(_, config)| !config.calibration_sets().is_empty());
    let hidden = u64::from(part.model.shape.hidden);
    let width = |(scope, _): &(Scope, QuantConfig)| match scope.components.contains(Role::MlpDown) {
        true => 4 * hidden,
        false => hidden,
    };
    calibrated.map(width).max().map_or(0, |width| 32 * width * width)
}

/// `bloom-560m 24`, or `mt5-small 8 encoder, 8 decoder`.
fn layers_in_words(part: &ModelPart) -> String {
    let Shape { encoder_layers, layers, .. } = part.model.shape;
    match encoder_layers {
        0 => format!("{} {layers}", part.model.name),
        _ => format!("{} {encoder_layers} encoder, {layers} decoder", part.model.name),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = format!(
            "{} ({} weights, {} quantization, {} baseline, {} cells)",
            self.units, self.weights, self.quantization, self.baselines, self.cells
        );
        let corpus = format!(
            "{} languages, {} shards, {} documents, {}",
            self.languages,
            self.shards,
            self.documents,
            size(self.bytes)
        );
        let time = format!("{} at {} GFLOP/s", duration(self.seconds()), self.gflop_per_second);
        let calibration = match self.calibration_sets {
            0 => "none".to_owned(),
            sets => format!("{sets} sets, {}", size(self.calibration_bytes)),
        };
        let rows = [
            ("units", units),
            ("layers", self.layers.clone()),
            ("corpus", corpus),
            ("tokens", format!("{} in the corpus (estimate: 4 bytes a token)", self.tokens)),
            ("calibration", calibration),
            ("operations", format!("{:.3} TFLOP", self.flops / 1e12)),
            (
                "memory",
                format!("{} a worker: model and kept hidden states", size(self.memory_bytes)),
            ),
            ("disk", format!("{} (estimate: 40 bytes a row)", size(self.disk_bytes))),
            ("time", time),
            ("power", in_words(self.languages)),
        ];
        rows.iter().try_for_each(|(name, value)| writeln!(f, "{name:<12}{value}"))
    }
}

fn size(bytes: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let unit = units.into_iter().find(|&(_, scale)| bytes as f64 >= scale);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, scale)| format!("{:.1} {name}", bytes as f64 / scale),
    )
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.1} s"),
        seconds if seconds < 5400.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use babelquant_proto::Marks;

    use super::*;
    use crate::study::resolve::tests::{no_hub, write_study};

    #[test]
    fn the_plan_counts_every_unit() {
        let folder = tempfile::tempdir().unwrap();
        let spec =
            write_study(folder.path(), "['int4-channel']").resolve(&mut no_hub).unwrap().spec;
        let plan = Plan::of(&spec, 10.0);
        let single = plan.weights + plan.quantization;
        assert_eq!(plan.units, single + plan.baselines + plan.cells);
        assert_eq!((plan.weights, plan.quantization), (3, 2));
        assert_eq!((plan.baselines, plan.cells), (4, 20));
        assert_eq!((plan.languages, plan.documents, plan.bytes), (2, 7, 26));
        assert!(plan.flops > 0.0 && plan.to_string().contains("10 GFLOP/s"));
    }

    #[test]
    fn calibration_is_counted_once_for_each_named_set() {
        let folder = tempfile::tempdir().unwrap();
        let study = write_study(folder.path(), "['int4-channel']");
        let mut spec = study.resolve(&mut no_hub).unwrap().spec;
        let before = Plan::of(&spec, 1.0);
        let calibration = |set: &str| Calibration {
            set: set.parse().unwrap(),
            texts: vec!["x".repeat(1000), "x".repeat(600)],
        };
        spec.calibration = vec![calibration("eng"), calibration("deu")];
        assert_eq!(Plan::of(&spec, 1.0).flops, before.flops);
        for (_, config) in &mut spec.models[0].cells[3..] {
            *config = "gptq-int4-channel@eng".parse().unwrap();
        }
        let plan = Plan::of(&spec, 1.0);
        // 400 tokens through 2 layers of width 8.
        let expected = 400.0 * 2.0 * (2.0 * 12.0 + 19.0) * 64.0;
        assert!((plan.flops - before.flops - expected).abs() < 1e-6 * expected);
        assert_eq!(plan.memory_bytes - before.memory_bytes, 32 * 32 * 32);
        assert!(plan.to_string().contains("calibration 2 sets, 3.2 kB"), "{plan}");
    }

    #[test]
    fn cells_that_start_in_the_encoder_run_the_decoder_in_full() {
        let folder = tempfile::tempdir().unwrap();
        let study = write_study(folder.path(), "['int4-channel']");
        let mut spec = study.resolve(&mut no_hub).unwrap().spec;
        let part = &mut spec.models[0];
        part.model.shape.encoder_layers = 3;
        let marks = Marks { start: 0, end: 1 };
        let flops = |part: &ModelPart, protocol, cell: Option<[&str; 3]>| {
            let mut part = part.clone();
            part.model.protocol = protocol;
            let parsed = |[layers, components, config]: [&str; 3]| {
                let (layers, components) = (layers.parse().unwrap(), components.parse().unwrap());
                (Scope { layers, components }, config.parse().unwrap())
            };
            part.cells = cell.map(parsed).into_iter().collect();
            flops_per_token(&part)
        };
        let masked = |draws| Protocol::SpanCorruption { draws, marks };
        let (encoder, decoder, head) =
            (0.9 * 24.0 * 64.0, 0.2 * 32.0 * 64.0, 0.2 * 2.0 * 8.0 * 16.0);
        let base = flops(part, masked(1), None);
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
        };
        close(base, 3.0 * encoder + 2.0 * decoder + head);
        close(flops(part, masked(5), None), 5.0 * base);
        for (cell, expected) in [
            (["only(enc.2)", "mlp", "int4-channel"], encoder + 2.0 * decoder + head),
            (["only(1)", "mlp", "int4-channel"], decoder + head),
            (["all-but(enc.0)", "mlp", "int4-channel"], base - encoder),
            (["only(1)", "mlp", "f32"], base),
            (["suffix(1)", "mlp", "int4-channel"], decoder + head),
            (["all-but(top(1,kurtosis))", "mlp", "int4-channel"], base),
            (["all", "head", "int4-channel"], head),
            (["all", "embedding", "int4-channel"], base),
            (["all-but(enc.0)", "embedding+mlp", "int4-channel"], base),
            (["all-but(enc.0)", "mlp+head", "int4-channel"], base - encoder),
        ] {
            close(flops(part, masked(1), Some(cell)), base + expected);
        }
        assert!(Plan::of(&spec, 1.0).to_string().contains("tiny 3 encoder, 2 decoder"));
    }
}
