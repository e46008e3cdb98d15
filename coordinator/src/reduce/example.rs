//! Made-up rows of a small study, for tests of the reduction and of the report. Tests only; the numbers mean nothing.

use std::collections::BTreeSet;

use babelquant_proto::rows::{ActivationRow, DocumentRow, QuantizationRow, WeightRow, unsupported};
use babelquant_proto::{Layer, LayerSet, Layers, Moments, Scope};

use super::{Reducer, Summary};
use crate::study::hypothesis::{Correction, Tested};
use crate::study::{Analysis, Families, Hypothesis};

/// The engine class of the rows.
pub(crate) const ENGINE: &str = "cpu-a";
/// The languages of the demo.
pub(crate) const LANGUAGES: [&str; 14] = [
    "ara", "deu", "eng", "fin", "fra", "heb", "hin", "jpn", "kor", "rus", "tha", "tur", "vie",
    "zho",
];
/// Scope and config of each cell.
pub(crate) const CELLS: [(&str, &str); 10] = [
    ("all", "none"),
    ("all", "int4-channel"),
    ("all", "int3-tensor"),
    ("only(0)", "int4-channel"),
    ("only(2)", "int4-channel"),
    ("only(10)", "int4-channel"),
    ("all-but(0)", "int4-channel"),
    ("all-but(2)", "int4-channel"),
    ("all-but(10)", "int4-channel"),
    ("only(0,2)", "int4-channel"),
];
/// The layers of the model; with gaps, so that letters would sort them wrong.
const LAYERS: [u32; 3] = [0, 2, 10];
/// Documents of each language, two to a group.
pub(crate) const DOCUMENTS: u32 = 12;

/// All rows of a study.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// `weights`.
    pub(crate) weights: Vec<WeightRow>,
    /// `quantization`.
    pub(crate) quantization: Vec<QuantizationRow>,
    /// `activations`.
    pub(crate) activations: Vec<ActivationRow>,
    /// `documents`.
    pub(crate) documents: Vec<DocumentRow>,
}

impl Rows {
    /// The rows for these languages.
    pub(crate) fn new(languages: &[&str]) -> Self {
        let moments = |layer: u32| Moments::of(&[-1.0, 1.0, 0.5, f64::from(3 + layer)]);
        let mut rows = Self {
            weights: LAYERS.map(|layer| weight_row("toy", layer, moments(layer))).to_vec(),
            quantization: LAYERS.iter().flat_map(|&layer| quantization_rows(layer)).collect(),
            activations: Vec::new(),
            documents: Vec::new(),
        };
        rows.weights.push(tensor_row());
        for language in languages {
            for layer in LAYERS {
                rows.push_activations(language, layer);
            }
            for (scope, config) in CELLS {
                let row = |document| document_row(language, document, (scope, config));
                rows.documents.extend((0..DOCUMENTS).map(row));
            }
        }
        rows
    }

    /// The rows and, for the same languages, those of a config that does not fit.
    pub(crate) fn with_unsupported(mut self) -> Self {
        let none = self.documents.iter().filter(|row| row.config == "none");
        let unfit: Vec<DocumentRow> = none
            .map(|row| DocumentRow {
                config: "candle-q4k".to_owned(),
                nll_sum: None,
                kl_sum: None,
                top1_count: None,
                next_error_sum: None,
                last_error_sum: None,
                reason: Some(unsupported(
                    "mlp.up",
                    "blocks of 256 do not divide a row of 96 weights",
                )),
                ..row.clone()
            })
            .collect();
        self.documents.extend(unfit);
        self
    }

    /// Their Summary.
    pub(crate) fn reduce(&self, analysis: Analysis) -> Summary {
        self.judge(analysis, Families::default())
    }

    /// Their Summary with hypotheses.
    pub(crate) fn judge(&self, analysis: Analysis, claimed: Families) -> Summary {
        let mut reducer = Reducer::new(analysis).judging(claimed);
        reducer.push_weights(&self.weights);
        reducer.push_quantization(&self.quantization);
        reducer.push_activations(&self.activations);
        reducer.push_documents(&self.documents);
        reducer.finish()
    }

    /// One layer: each document at both points, and the two shards' pooled sums.
    fn push_activations(&mut self, language: &str, layer: u32) {
        for point in ["block_out", "mlp_out"] {
            for shard in 0..2 {
                let documents = (0..DOCUMENTS).filter(|document| shard_of(*document) == shard);
                let values = |document: u32| {
                    let scale = 1.0 + f64::from(layer) + f64::from(point == "mlp_out");
                    [1, 2, 3, 4]
                        .map(|i| scale * (noise(&format!("{language}{document}{layer}{i}")) - 0.4))
                };
                let all: Vec<f64> = documents.clone().flat_map(values).collect();
                let row = |document: Option<u32>, values: &[f64]| ActivationRow {
                    language: language.to_owned(),
                    shard,
                    document,
                    group: document.map(group),
                    layer: Some(layer),
                    point: point.to_owned(),
                    ..activation_row(values)
                };
                self.activations.push(row(None, &all));
                self.activations
                    .extend(documents.map(|document| row(Some(document), &values(document))));
            }
        }
    }
}

/// The Summary of the demo's languages with few draws.
pub(crate) fn summary() -> Summary {
    Rows::new(&LANGUAGES).reduce(Analysis { bootstrap_draws: 200, ..Analysis::default() })
}

/// A hypothesis at the whole of a model under `int4-channel`.
pub(crate) fn tested(id: &str, model: &str, claim: &str, correction: Correction) -> Tested {
    let hypothesis = Hypothesis {
        id: id.to_owned(),
        claim: claim.parse().unwrap(),
        alpha: 0.05,
        correction,
        effect: 0.5,
        model: None,
        scope: None,
        components: None,
        config: None,
    };
    let scope = Scope { layers: Layers::All, components: "mlp".parse().unwrap() };
    let config = "int4-channel".parse().unwrap();
    Tested { hypothesis, model: model.to_owned(), scope, config }
}

/// The `mlp` group of a layer with these moments.
pub(crate) fn weight_row(model: &str, layer: u32, moments: Moments) -> WeightRow {
    WeightRow {
        model: model.to_owned(),
        engine: ENGINE.to_owned(),
        stack: Some("dec".to_owned()),
        layer: Some(layer),
        kind: "group".to_owned(),
        name: "mlp".to_owned(),
        count: moments.count,
        mean: (moments.count > 0).then_some(moments.mean),
        std: moments.std(),
        skewness: moments.skewness(),
        kurtosis: moments.kurtosis(),
        kurtosis_about_zero: moments.kurtosis_about_zero(),
        l_kurtosis: Some(0.2),
        outliers_3std: 1,
        outliers_3std_percent: Some(0.5),
        max_abs: Some(2.5),
        ..WeightRow::default()
    }
}

/// A tensor with all weights of the model: 60 beside those of the matrices.
fn tensor_row() -> WeightRow {
    let (kind, name) = ("tensor".to_owned(), "everything".to_owned());
    let row = weight_row("toy", 0, Moments::of(&[0.0]));
    WeightRow { stack: None, layer: None, kind, name, count: 360, ..row }
}

/// A matrix under a config.
pub(crate) fn quantization_row() -> QuantizationRow {
    QuantizationRow {
        model: "toy".to_owned(),
        engine: ENGINE.to_owned(),
        stack: Some("dec".to_owned()),
        layer: Some(0),
        tensor: "mlp.up".to_owned(),
        components: "mlp.up".to_owned(),
        config: "int4-channel".to_owned(),
        weights: 80,
        bits_per_weight: Some(4.5),
        mse: Some(1e-4),
        sqnr_db: Some(20.0),
        max_error: Some(0.1),
        codes_used: Some(1.0),
        clipped: Some(0.0),
        alpha_over_sigma: Some(3.0),
        fallback: None,
        reason: None,
    }
}

/// The two matrices of a layer, 100 weights, under both configs.
fn quantization_rows(layer: u32) -> Vec<QuantizationRow> {
    let row = |(tensor, config): (&str, &str)| QuantizationRow {
        layer: Some(layer),
        tensor: tensor.to_owned(),
        components: tensor.to_owned(),
        config: config.to_owned(),
        weights: if tensor == "mlp.up" { 80 } else { 20 },
        bits_per_weight: Some(if config == "int4-channel" { 4.5 } else { 3.0 }),
        ..quantization_row()
    };
    let tensors = ["mlp.up", "mlp.down"].into_iter();
    let pairs = tensors.flat_map(|tensor| [(tensor, "int4-channel"), (tensor, "int3-tensor")]);
    pairs.map(row).collect()
}

/// One document in one cell (scope, config).
pub(crate) fn document_row(language: &str, document: u32, cell: (&str, &str)) -> DocumentRow {
    let tokens = 5 + u64::from(document * 7 % 23);
    let base = tokens as f64 * (2.0 + noise(&format!("{language}{document}")));
    let damage = match cell.1 {
        "none" => 0.0,
        _ => 0.02 * tokens as f64 * (noise(&format!("{language}{document}{cell:?}")) - 0.1),
    };
    DocumentRow {
        model: "toy".to_owned(),
        engine: ENGINE.to_owned(),
        language: language.to_owned(),
        shard: shard_of(document),
        document,
        document_id: document.to_string(),
        group: group(document),
        scope: cell.0.to_owned(),
        layers: layers(cell.0),
        components: "mlp".to_owned(),
        config: cell.1.to_owned(),
        protocol: "causal".to_owned(),
        tokens,
        bytes: tokens * 4 + u64::from(document % 3),
        chars: tokens * 3 + noise(language).mul_add(9.0, 0.0) as u64,
        words: tokens.div_ceil(2),
        nll_sum: Some(base + damage),
        base_nll_sum: base,
        kl_sum: Some(damage.abs()),
        top1_count: Some(tokens - u64::from(cell.1 != "none")),
        next_error_sum: Some(damage.abs()),
        next_base_sum: Some(tokens as f64),
        next_product_sum: Some(tokens as f64),
        last_error_sum: Some(4.0 * damage.abs()),
        last_base_sum: Some(2.0 * tokens as f64),
        last_product_sum: Some(2.0 * tokens as f64),
        reason: None,
    }
}

/// The layers that a listed scope holds.
fn layers(scope: &str) -> String {
    let scope: Layers = scope.parse().unwrap();
    let listed = |set: &LayerSet, layer| set.listed().any(|listed| listed == layer);
    let holds = |layer: &Layer| match &scope {
        Layers::All => true,
        Layers::Only(set) => listed(set, *layer),
        Layers::AllBut(set) => !listed(set, *layer),
    };
    let held: BTreeSet<Layer> = LAYERS.map(Layer::dec).into_iter().filter(holds).collect();
    LayerSet::from(held).to_string()
}

fn activation_row(values: &[f64]) -> ActivationRow {
    let moments = Moments::of(values);
    let magnitudes = values.iter().map(|value| value.abs());
    ActivationRow {
        model: "toy".to_owned(),
        engine: ENGINE.to_owned(),
        language: String::new(),
        shard: 0,
        document: None,
        group: None,
        stack: "dec".to_owned(),
        layer: None,
        point: String::new(),
        tokens: moments.count / 2,
        values: moments.count,
        sum_abs: magnitudes.clone().sum(),
        mean: moments.mean,
        m2: moments.m2,
        m3: moments.m3,
        m4: moments.m4,
        max_abs: magnitudes.clone().fold(0.0, f64::max),
        outliers_6: magnitudes.filter(|magnitude| *magnitude >= 6.0).count() as u64,
        first_values: 0,
        first_sum_abs: 0.0,
    }
}

fn shard_of(document: u32) -> u32 {
    u32::from(document >= DOCUMENTS / 2)
}

fn group(document: u32) -> String {
    format!("g{}", document / 2)
}

/// A number in 0…1 that a text always gives (FNV-1a).
fn noise(text: &str) -> f64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
