//! A small spec, and rows of its units that nobody computed: what tests and benchmarks send for results.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{
    ActivationRow, DocumentRow, QuantizationRow, TokenRow, WeightRow, encode, encode_both, made_by,
};
use babelquant_proto::{
    Batch, Components, Digest, Document, Dtype, EngineClass, LanguageCorpus, Layer, Layers,
    Metrics, Model, ModelPart, Protocol, Scope, Shape, Shard, ShardId, ShardText, Spec, Unit,
    UnitIndex, Windows,
};
use bytes::Bytes;

/// The engine class that the rows name.
pub(crate) const ENGINE: &str = "cpu-test";

/// A spec with so many models of two layers and two cells, and two languages of two shards of two documents.
pub(crate) fn spec(models: usize) -> Spec {
    let scope = Scope { layers: Layers::All, components: Components::mlp() };
    let model = |index: usize| {
        let model = Model {
            name: format!("model{index}"),
            shape: Shape {
                encoder_layers: 0,
                layers: 2,
                hidden: 8,
                vocabulary: 16,
                positions: None,
            },
            protocol: Protocol::Causal { prefix: None, newline: None },
            published: None,
            files: BTreeMap::new(),
        };
        let cells = [QuantConfig::None, "int4-channel".parse().unwrap()];
        let cells = cells.into_iter().map(|config| (scope.clone(), config)).collect();
        ModelPart { model, cells, checkpoints: Vec::new() }
    };
    let shard = |index: u32| Shard {
        first_document: index * 2,
        documents: 2,
        bytes: 10,
        digest: Digest::of(&[index as u8]),
    };
    let language = |code: &str| LanguageCorpus {
        language: code.parse().unwrap(),
        shards: vec![shard(0), shard(1)],
    };
    Spec {
        version: Spec::VERSION,
        models: (0..models).map(model).collect(),
        corpus: vec![language("eng"), language("deu")],
        windows: Windows { tokens: 16, stride: 8 },
        batch: Batch { tokens: 16, head_rows: 8, head_columns: 8 },
        dtype: Dtype::F32,
        metrics: Metrics { kl: true },
        seed: 1,
        calibration: Vec::new(),
    }
}

/// Made-up rows of a unit's table: a function of the unit, like those of a worker.
pub(crate) fn payload(spec: &Spec, unit: UnitIndex) -> Bytes {
    payload_by(&ENGINE.parse().unwrap(), spec, unit)
}

/// The same rows, of another engine class.
pub(crate) fn payload_by(engine: &EngineClass, spec: &Spec, unit: UnitIndex) -> Bytes {
    let ipc = match spec.unit(unit).unwrap() {
        Unit::Weights { model, layer } => {
            encode(&made_by(engine, vec![weight_row(spec, model, layer)]))
        }
        Unit::Quantization { model, layer } => {
            encode(&made_by(engine, quantization_rows(spec, model, layer)))
        }
        Unit::Baseline { model, shard } => {
            encode(&made_by(engine, vec![activation_row(spec, model, shard)]))
        }
        Unit::Cell { .. } => encode_both(
            &made_by(engine, document_rows(spec, unit)),
            &made_by(engine, vec![token_row(spec, unit)]),
        ),
    };
    ipc.unwrap()
}

/// Made-up document rows of a `Cell` unit.
pub(crate) fn document_rows(spec: &Spec, unit: UnitIndex) -> Vec<DocumentRow> {
    let Some(Unit::Cell { model, shard, scope, config }) = spec.unit(unit) else {
        panic!("unit {unit} is no cell")
    };
    let corpus = &spec.corpus[shard.language as usize];
    let documents = corpus.shards[shard.shard as usize].clone();
    let documents = documents.first_document..documents.first_document + documents.documents;
    documents
        .map(|document| DocumentRow {
            model: spec.models[model].model.name.clone(),
            engine: ENGINE.to_owned(),
            language: corpus.language.to_string(),
            shard: shard.shard,
            document,
            document_id: format!("{}", document + 1),
            group: format!("g{}", document / 2),
            scope: scope.layers.to_string(),
            layers: "0,1".to_owned(),
            components: scope.components.to_string(),
            config: config.to_string(),
            protocol: spec.models[model].model.protocol.to_string(),
            tokens: 5,
            bytes: 20,
            chars: 20,
            words: 4,
            nll_sum: Some(unit.0 as f64 + f64::from(document) / 8.0),
            base_nll_sum: 1.5,
            kl_sum: None,
            top1_count: Some(4),
            next_error_sum: None,
            next_base_sum: None,
            next_product_sum: None,
            last_error_sum: None,
            last_base_sum: None,
            last_product_sum: None,
            reason: None,
        })
        .collect()
}

/// The made-up row of a `Cell` unit on its tokens.
pub(crate) fn token_row(spec: &Spec, unit: UnitIndex) -> TokenRow {
    let documents = document_rows(spec, unit);
    let DocumentRow { model, engine, language, shard, scope, components, config, .. } =
        documents[0].clone();
    let tokens = documents.iter().map(|row| row.tokens).sum();
    TokenRow {
        model,
        engine,
        language,
        shard,
        scope,
        components,
        config,
        tokens,
        base_nll_square_sum: 1.0,
        nll_square_sum: Some(unit.0 as f64),
        dp_fall_counts: Some(vec![0, 1]),
        dp_rise_counts: Some(vec![tokens as u32 - 1]),
        reason: Some("made up".to_owned()),
        ..TokenRow::default()
    }
}

fn weight_row(spec: &Spec, model: usize, layer: Option<Layer>) -> WeightRow {
    WeightRow {
        model: spec.models[model].model.name.clone(),
        engine: ENGINE.to_owned(),
        stack: layer.map(|layer| layer.stack.name().to_owned()),
        layer: layer.map(|layer| layer.index),
        kind: "tensor".to_owned(),
        name: "w".to_owned(),
        count: 1,
        mean: Some(0.5),
        ..WeightRow::default()
    }
}

/// Two matrices under every config of the study.
fn quantization_rows(spec: &Spec, model: usize, layer: Option<Layer>) -> Vec<QuantizationRow> {
    let matrices = if layer.is_some() { ["mlp.up", "mlp.down"] } else { ["embedding", "head"] };
    let matrices = matrices.into_iter();
    let rows = matrices.flat_map(|role| {
        let configs = spec.models[model].configs_of(layer, &role.parse().unwrap()).into_iter();
        configs.map(move |config| QuantizationRow {
            model: spec.models[model].model.name.clone(),
            engine: ENGINE.to_owned(),
            stack: layer.map(|layer| layer.stack.name().to_owned()),
            layer: layer.map(|layer| layer.index),
            tensor: role.to_owned(),
            components: role.to_owned(),
            config: config.to_string(),
            weights: 64,
            bits_per_weight: Some(4.0),
            mse: Some(0.5),
            sqnr_db: None,
            max_error: Some(1.0),
            codes_used: None,
            clipped: None,
            alpha_over_sigma: None,
            fallback: None,
            reason: None,
        })
    });
    rows.collect()
}

fn activation_row(spec: &Spec, model: usize, shard: ShardId) -> ActivationRow {
    ActivationRow {
        model: spec.models[model].model.name.clone(),
        engine: ENGINE.to_owned(),
        language: spec.corpus[shard.language as usize].language.to_string(),
        shard: shard.shard,
        document: None,
        group: None,
        stack: "dec".to_owned(),
        layer: Some(0),
        point: "block_out".to_owned(),
        tokens: 5,
        values: 40,
        sum_abs: 1.0,
        mean: 0.0,
        m2: 1.0,
        m3: 0.0,
        m4: 1.0,
        max_abs: 1.0,
        outliers_6: 0,
        first_values: 8,
        first_sum_abs: 0.5,
    }
}

/// A text for every shard; its documents have one letter each.
pub(crate) fn texts(spec: &Spec) -> BTreeMap<ShardId, ShardText> {
    let mut texts = BTreeMap::new();
    for (language, corpus) in (0..).zip(&spec.corpus) {
        for (shard, described) in (0..).zip(&corpus.shards) {
            let id = ShardId { language, shard };
            let first = described.first_document;
            let documents = (first..first + described.documents).map(|index| Document {
                index,
                id: (index + 1).to_string(),
                group: String::new(),
                text: "x".to_owned(),
            });
            texts.insert(id, ShardText { id, documents: documents.collect() });
        }
    }
    texts
}
