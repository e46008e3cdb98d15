//! The study that is simulated: made-up units with made-up results that pass every check of the coordinator. Nothing is computed.

use std::collections::BTreeMap;

use babelquant_coordinator::study::{Registration, Resolved, Texts};
use babelquant_proto::message::UnitResult;
use babelquant_proto::{Digest, LanguageCorpus, Shard, ShardText, Spec, UnitIndex};
use babelquant_worker::{Device, engine_class};
use bytes::Bytes;

use super::made_up;

const LANGUAGES: [&str; 4] = ["deu", "eng", "fin", "hin"];
const SHARDS: u32 = 3;
/// Cells of each model and shard.
const CELLS: u32 = 15;

/// A study, its texts, and the result of every unit.
#[derive(Debug)]
pub(crate) struct Study {
    pub(crate) spec: Spec,
    texts: Texts,
    results: BTreeMap<UnitIndex, (Digest, Bytes)>,
}

impl Study {
    /// Two models on four languages of three shards: 16 units on each shard, and those on the weights.
    pub(crate) fn new() -> Self {
        let mut spec = made_up::spec(2);
        let shard = spec.corpus[0].shards[0].clone();
        let shard = |index: u32| Shard { first_document: 2 * index, ..shard.clone() };
        let language = |code: &str| LanguageCorpus {
            language: code.parse().unwrap(),
            shards: (0..SHARDS).map(shard).collect(),
        };
        spec.corpus = LANGUAGES.map(language).into();
        for part in &mut spec.models {
            let scope = part.cells[0].0.clone();
            let config = |index: u32| format!("int4-group{}", 16 + index).parse().unwrap();
            part.cells = (0..CELLS).map(|index| (scope.clone(), config(index))).collect();
        }
        let texts = made_up::texts(&spec);
        for (id, ShardText { documents, .. }) in &texts {
            let shard = &mut spec.corpus[id.language as usize].shards[id.shard as usize];
            shard.digest = ShardText::digest_of(documents);
        }
        // As the real agents call themselves.
        let engine = engine_class(&Device::Cpu);
        let result = |unit| {
            let ipc = made_up::payload_by(&engine, &spec, unit);
            (unit, (Digest::of(&ipc), ipc))
        };
        let results = (0..spec.units()).map(UnitIndex).map(result).collect();
        Self { spec, texts, results }
    }

    /// What a coordinator serves.
    pub(crate) fn resolved(&self) -> Resolved {
        Resolved {
            texts: self.texts.clone(),
            spec: self.spec.clone(),
            directories: Vec::new(),
            others: Vec::new(),
            registration: Registration::default(),
        }
    }

    /// What a worker returns for a unit.
    pub(crate) fn result(&self, unit: UnitIndex) -> UnitResult {
        let (blake3, ipc) = self.results[&unit].clone();
        UnitResult { unit, blake3, ipc }
    }

    /// The text that goes with a unit.
    pub(crate) fn text(&self, unit: UnitIndex) -> Option<&ShardText> {
        let shard = self.spec.unit(unit).and_then(|unit| unit.shard())?;
        self.texts.get(&shard)
    }
}
