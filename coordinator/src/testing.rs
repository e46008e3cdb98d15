//! What the unit tests of several rooms share: a small spec. Not compiled into the programs.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{
    Batch, Components, Digest, Dtype, LanguageCorpus, Layers, Metrics, Model, ModelPart, Scope,
    Shape, Shard, Spec, Windows,
};

/// A spec with so many models of two layers and two cells, and two languages of two shards of two documents.
pub(crate) fn spec(models: usize) -> Spec {
    let scope = Scope { layers: Layers::All, components: Components::mlp() };
    let model = |index: usize| ModelPart {
        model: Model {
            name: format!("model{index}"),
            shape: Shape { layers: 2, hidden: 8, vocabulary: 16 },
            files: BTreeMap::new(),
        },
        cells: vec![
            (scope.clone(), QuantConfig::None),
            (scope.clone(), "int4-channel".parse().unwrap()),
        ],
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
    }
}
