//! A made-up study of any size, and results for it fast enough that their making does not hide the coordinator's work.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use babelquant_proto::message::UnitResult;
use babelquant_proto::{Digest, Layers, Scope, Shard, ShardId, Spec, Unit, UnitIndex};
use bytes::Bytes;

use super::made_up;

/// The languages.
const LANGUAGES: [&str; 14] = [
    "ara", "deu", "eng", "fin", "fra", "heb", "hin", "jpn", "kor", "rus", "tha", "tur", "vie",
    "zho",
];

/// How many shards each language has, and how many cells each shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) shards: u32,
    pub(super) cells: u32,
}

/// The spec: one model, every cell at scope `all` with a config of one length, so that results differ in their names alone.
pub(super) fn spec(size: Size) -> Result<Spec> {
    let mut spec = made_up::spec(1);
    let shard = spec.corpus[0].shards[0].clone();
    let shard = |index: u32| Shard { first_document: 2 * index, ..shard.clone() };
    let mut corpus = Vec::new();
    for language in LANGUAGES {
        let mut one = spec.corpus[0].clone();
        one.language = language.parse()?;
        one.shards = (0..size.shards).map(shard).collect();
        corpus.push(one);
    }
    spec.corpus = corpus;
    let scope = Scope { layers: Layers::All, ..spec.models[0].cells[0].0.clone() };
    let config = |index: u32| Ok((scope.clone(), format!("int4-group{}", 1000 + index).parse()?));
    spec.models[0].cells = (0..size.cells).map(config).collect::<Result<_>>()?;
    Ok(spec)
}

/// Results of units: those of a shard's first cell, with the names of others in their place.
#[derive(Debug, Default)]
pub(super) struct Results {
    templates: BTreeMap<ShardId, Template>,
}

/// The result of a shard's first cell, and where its config is named in it.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    names: Vec<usize>,
}

impl Template {
    fn of(spec: &Spec, unit: UnitIndex) -> Self {
        let (bytes, name) = (made_up::payload(spec, unit).to_vec(), name(spec, unit));
        let found = bytes.windows(name.len()).enumerate();
        let names = found.filter(|(_, part)| *part == name.as_bytes()).map(|(at, _)| at).collect();
        Self { bytes, names }
    }

    /// The bytes with another name of the same length.
    fn renamed(&self, name: &[u8]) -> Vec<u8> {
        let mut renamed = self.bytes.clone();
        for &at in &self.names {
            renamed[at..at + name.len()].copy_from_slice(name);
        }
        renamed
    }
}

impl Results {
    /// The result of a unit.
    pub(super) fn of(&mut self, spec: &Spec, unit: UnitIndex) -> Result<UnitResult> {
        let ipc = match spec.unit(unit).context("a unit of the study")? {
            Unit::Cell { shard, config, .. } => {
                // A lane begins with the shard's baseline; whoever computes a cell, its rows are those of the first one.
                let first = UnitIndex(spec.lane(unit).start + 1);
                let template = self.templates.entry(shard);
                let template = template.or_insert_with(|| Template::of(spec, first));
                Bytes::from(template.renamed(config.to_string().as_bytes()))
            }
            _ => made_up::payload(spec, unit),
        };
        Ok(UnitResult { unit, blake3: Digest::of(&ipc), ipc })
    }
}

/// The config of a cell.
fn name(spec: &Spec, unit: UnitIndex) -> String {
    match spec.unit(unit) {
        Some(Unit::Cell { config, .. }) => config.to_string(),
        _ => String::new(),
    }
}
