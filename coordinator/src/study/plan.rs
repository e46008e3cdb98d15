//! The dry run of a study: how much work it is, before anything is computed. Estimates, each with its rule; not a promise.

use std::fmt;

use babelquant_proto::{Layer, ModelPart, Spec};

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
    /// Units of activation statistics.
    pub baselines: u64,
    /// (language, scope, config) units.
    pub cells: u64,
    /// Languages.
    pub languages: u64,
    /// Shards, all languages.
    pub shards: u64,
    /// Documents, all languages.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Tokens per pass over the corpus: bytes / 4.
    pub tokens: u64,
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
        let weights = models.iter().map(|part| u64::from(part.model.shape.layers) + 1).sum();
        let baselines = models.len() as u64 * spec.shards();
        let activation_rows: u64 = models
            .iter()
            .map(|part| u64::from(part.model.shape.layers) * (7 * spec.shards() + 2 * documents))
            .sum();
        let held = |part: &ModelPart| {
            let shape = part.model.shape;
            let (hidden, layers) = (u64::from(shape.hidden), u64::from(shape.layers));
            let weights = layers * 12 * hidden * hidden + u64::from(shape.vocabulary) * hidden;
            (weights + largest_tokens * hidden * (layers + 1)) * spec.dtype.bytes()
        };
        Self {
            units: spec.units(),
            weights,
            baselines,
            cells: cells_per_shard * spec.shards(),
            languages: spec.corpus.len() as u64,
            shards: spec.shards(),
            documents,
            bytes,
            tokens,
            flops: models.iter().map(flops_per_token).sum::<f64>() * tokens as f64,
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

/// Operations per token of one model: two per weight and token; a block has 12·hidden² weights. The baseline runs every block
/// and the head once, a cell the blocks from its first quantized layer on and the head.
fn flops_per_token(part: &ModelPart) -> f64 {
    let shape = part.model.shape;
    let hidden = f64::from(shape.hidden);
    let block = 2.0 * 12.0 * hidden * hidden;
    let head = 2.0 * hidden * f64::from(shape.vocabulary);
    let layers = f64::from(shape.layers);
    let suffixes = part.cells.iter().map(|(scope, _)| {
        let first = (0..shape.layers).find(|&layer| scope.layers.contains(Layer::dec(layer)));
        (layers - f64::from(first.unwrap_or(shape.layers))) * block + head
    });
    layers * block + head + suffixes.sum::<f64>()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = format!(
            "{} ({} weights, {} baseline, {} cells)",
            self.units, self.weights, self.baselines, self.cells
        );
        let corpus = format!(
            "{} languages, {} shards, {} documents, {}",
            self.languages,
            self.shards,
            self.documents,
            size(self.bytes)
        );
        let time = format!("{} at {} GFLOP/s", duration(self.seconds()), self.gflop_per_second);
        let rows = [
            ("units", units),
            ("corpus", corpus),
            ("tokens", format!("{} a pass (estimate: 4 bytes a token)", self.tokens)),
            ("operations", format!("{:.3} TFLOP", self.flops / 1e12)),
            (
                "memory",
                format!("{} a worker: model and kept hidden states", size(self.memory_bytes)),
            ),
            ("disk", format!("{} (estimate: 40 bytes a row)", size(self.disk_bytes))),
            ("time", time),
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
    use super::*;
    use crate::study::resolve::tests::write_study;

    #[test]
    fn the_plan_counts_every_unit() {
        let folder = tempfile::tempdir().unwrap();
        let spec = write_study(folder.path(), "['int4-channel']").resolve().unwrap().spec;
        let plan = Plan::of(&spec, 10.0);
        assert_eq!(plan.units, plan.weights + plan.baselines + plan.cells);
        assert_eq!((plan.weights, plan.baselines, plan.cells), (3, 4, 20));
        assert_eq!((plan.languages, plan.documents, plan.bytes), (2, 7, 26));
        assert!(plan.flops > 0.0 && plan.to_string().contains("10 GFLOP/s"));
    }
}
