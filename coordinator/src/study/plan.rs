//! The dry run of a study: how much work it is, before anything is computed. Estimates, each with its rule; not a promise.

use std::fmt;

use babelquant_proto::{Layer, ModelPart, Shape, Spec};

use super::cost::{
    BYTES_PER_TOKEN, calibration_flops, flops_per_token, matrices, moments_bytes, share, text_bytes,
};
use super::reach::in_words;

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
    use babelquant_proto::Calibration;

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
        let mut cells = spec.models[0].cells.to_vec();
        for (_, config) in &mut cells[3..] {
            *config = "gptq-int4-channel@eng".parse().unwrap();
        }
        spec.models[0].cells = cells.into();
        let plan = Plan::of(&spec, 1.0);
        // 400 tokens through 2 layers of width 8.
        let expected = 400.0 * 2.0 * (2.0 * 12.0 + 19.0) * 64.0;
        assert!((plan.flops - before.flops - expected).abs() < 1e-6 * expected);
        assert_eq!(plan.memory_bytes - before.memory_bytes, 32 * 32 * 32);
        assert!(plan.to_string().contains("calibration 2 sets, 3.2 kB"), "{plan}");
    }
}
