//! What a finished run already says of units of another study: the same model, text, scope, config and shapes give the same rows, so that a
//! study with one more language or config computes only what is new. Reads, and checks against the digests of the run; writes nothing.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{
    ActivationRow, DocumentRow, QuantizationRow, Row, RowError, TokenRow, WeightRow, encode,
    encode_both,
};
use babelquant_proto::{
    Digest, EngineClass, LanguageCorpus, ModelPart, ShardId, Spec, Unit, UnitIndex,
};
use bytes::Bytes;

use super::error::StoreError;
use super::objects::Objects;
use super::output::Output;
use super::parquet;
use super::part::{Part, Place};
use crate::verify;

/// A finished run whose results are taken over.
#[derive(Debug, Clone)]
pub struct Earlier {
    objects: Objects,
    spec: Spec,
    spec_digest: Digest,
    engine_class: EngineClass,
    /// The digests of its files, by path.
    files: BTreeMap<String, Digest>,
}

/// What tells a unit of a part from the others.
type Key = [String; 3];

impl Earlier {
    /// The run in `output`.
    ///
    /// # Errors
    /// There is none, or it is not finished: then its files have no digests.
    pub async fn open(output: &Output) -> Result<Self, StoreError> {
        let location = || output.location().to_owned();
        let run = output.run().await?.ok_or_else(|| StoreError::NoRun { location: location() })?;
        let manifest = output.manifest().await?;
        let manifest = manifest.ok_or_else(|| StoreError::Unusable {
            location: location(),
            reason: "it is not finished; run its own study to the end first".to_owned(),
        })?;
        let files = manifest.files.into_iter().map(|file| (file.path, file.blake3)).collect();
        let (spec, spec_digest) = (run.spec, run.spec_digest);
        let objects = output.objects.clone();
        Ok(Self { objects, spec, spec_digest, engine_class: run.engine_class, files })
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &str {
        self.objects.location()
    }

    /// Why nothing of it fits `spec`, where that is due to the whole and not to single units.
    pub(crate) fn obstacle(&self, spec: &Spec) -> Option<String> {
        let own = |part: &ModelPart| self.spec.models.iter().any(|own| own.model == part.model);
        if !spec.models.iter().any(own) {
            return Some("it has none of the models, or not with the same files".to_owned());
        }
        (!self.reads_alike(spec))
            .then(|| "its windows, batch, dtype, seed or version of the spec are others".to_owned())
    }

    /// The digest of its spec.
    pub(crate) fn spec_digest(&self) -> Digest {
        self.spec_digest
    }

    /// What made its numbers.
    pub(crate) fn engine_class(&self) -> &EngineClass {
        &self.engine_class
    }

    /// What its rows say of units of a part of `spec`.
    pub(super) async fn results(
        &self,
        spec: &Spec,
        (part, first): (Part, UnitIndex),
    ) -> Result<Vec<(UnitIndex, Bytes)>, StoreError> {
        let units = part.units(spec, first).map(UnitIndex);
        let is_known = |unit: &UnitIndex| spec.unit(*unit).is_some_and(|of| self.knows(spec, of));
        let known: Vec<UnitIndex> = units.filter(is_known).collect();
        let Some(there) = self.place(spec, part).filter(|_| !known.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for path in there.paths(&self.spec) {
            let Some(content) = self.file(&path).await? else { return Ok(Vec::new()) };
            files.push((path, content));
        }
        let spec = spec.clone();
        let take = move || payloads(&spec, part, &known, &files);
        tokio::task::spawn_blocking(take).await?
    }

    /// The same part in this run's spec.
    fn place(&self, spec: &Spec, part: Part) -> Option<Part> {
        let there = |Place { model, shard }: Place| {
            let model = &spec.models[model].model;
            let language = &spec.corpus[shard.language as usize].language;
            let model = self.spec.models.iter().position(|part| part.model == *model)?;
            let language = self.spec.corpus.iter().position(|of| of.language == *language)? as u32;
            Some(Place { model, shard: ShardId { language, shard: shard.shard } })
        };
        match part {
            Part::Weights | Part::Quantization => Some(part),
            Part::Activations(place) => there(place).map(Part::Activations),
            Part::Cells(place) => there(place).map(Part::Cells),
        }
    }

    /// The content of a file that the manifest lists.
    async fn file(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(expected) = self.files.get(path) else { return Ok(None) };
        let content = self.objects.get(path).await?;
        let damaged = |reason: &str| StoreError::Damaged {
            path: format!("{} of {}", path, self.objects.location()),
            reason: reason.to_owned(),
        };
        let content = content.ok_or_else(|| damaged("_SUCCESS.json lists it, and it is gone"))?;
        match Digest::of(&content) == *expected {
            true => Ok(Some(content)),
            false => Err(damaged("its digest is not the one in _SUCCESS.json")),
        }
    }

    /// True where this run has the unit, with everything that its rows depend on.
    fn knows(&self, spec: &Spec, unit: Unit<'_>) -> bool {
        let part = &spec.models[unit.model()];
        let Some(there) = self.spec.models.iter().find(|there| there.model == part.model) else {
            return false;
        };
        match unit {
            Unit::Weights { .. } => true,
            Unit::Quantization { .. } => {
                there == part && self.spec.calibration == spec.calibration && self.reads_alike(spec)
            }
            Unit::Baseline { shard, .. } => self.reads_alike(spec) && self.has(spec, shard),
            Unit::Cell { shard, scope, config, .. } => {
                self.reads_alike(spec)
                    && self.spec.metrics == spec.metrics
                    && self.has(spec, shard)
                    && there.cells.iter().any(|(s, c)| (s, c) == (scope, config))
                    && self.quantizes_alike((spec, part), there, config)
            }
        }
    }

    /// True where text is cut and computed in the same shapes.
    fn reads_alike(&self, spec: &Spec) -> bool {
        let setting = |of: &Spec| (of.version, of.windows, of.batch, of.dtype, of.seed);
        setting(&self.spec) == setting(spec)
    }

    /// True where the shard is the same text at the same place.
    fn has(&self, spec: &Spec, id: ShardId) -> bool {
        let language = &spec.corpus[id.language as usize];
        let is_it = |there: &&LanguageCorpus| there.language == language.language;
        let there = self.spec.corpus.iter().find(is_it);
        let shard = |of: &LanguageCorpus| of.shards.get(id.shard as usize).cloned();
        there.is_some_and(|there| shard(there) == shard(language))
    }

    /// True where what a config refers to is the same.
    fn quantizes_alike(
        &self,
        (spec, part): (&Spec, &ModelPart),
        there: &ModelPart,
        config: &QuantConfig,
    ) -> bool {
        let is_calibrated = !config.calibration_sets().is_empty();
        (!is_calibrated || self.spec.calibration == spec.calibration)
            && there.checkpoints == part.checkpoints
    }
}

/// The payloads of those of the units of a part that the rows of an earlier run's files complete.
fn payloads(
    spec: &Spec,
    part: Part,
    units: &[UnitIndex],
    files: &[(String, Bytes)],
) -> Result<Vec<(UnitIndex, Bytes)>, StoreError> {
    let payload = payload_of(part, files)?;
    let mut found = Vec::new();
    for &index in units {
        let Some(unit) = spec.unit(index) else { continue };
        let Some(ipc) = payload(&key(spec, unit)) else { continue };
        let ipc = ipc.map_err(|source| StoreError::Rows { path: files[0].0.clone(), source })?;
        match verify::result(spec, unit, Digest::of(&ipc), &ipc) {
            Ok(_) => found.push((index, ipc)),
            Err(error) => {
                tracing::warn!(unit = index.0, %error, "the earlier run's rows are not the unit's")
            }
        }
    }
    Ok(found)
}

/// From the key of a unit to its payload, where the files hold its rows.
type Payload = Box<dyn Fn(&Key) -> Option<Result<Bytes, RowError>>>;

fn payload_of(part: Part, files: &[(String, Bytes)]) -> Result<Payload, StoreError> {
    Ok(match (part, files) {
        (Part::Weights, [file]) => {
            let key = |row: &WeightRow| of_layer(&row.model, row.stack.as_deref(), row.layer);
            let rows = grouped(file, key)?;
            Box::new(move |key| rows.get(key).map(|rows| encode(rows)))
        }
        (Part::Quantization, [file]) => {
            let key = |row: &QuantizationRow| of_layer(&row.model, row.stack.as_deref(), row.layer);
            let rows = grouped(file, key)?;
            Box::new(move |key| rows.get(key).map(|rows| encode(rows)))
        }
        (Part::Activations(_), [file]) => {
            let rows = grouped(file, |_: &ActivationRow| Key::default())?;
            Box::new(move |key| rows.get(key).map(|rows| encode(rows)))
        }
        (Part::Cells(_), [tokens, documents]) => {
            let of_tokens =
                |row: &TokenRow| [&row.scope, &row.components, &row.config].map(String::clone);
            let of_documents =
                |row: &DocumentRow| [&row.scope, &row.components, &row.config].map(String::clone);
            let (tokens, documents) =
                (grouped(tokens, of_tokens)?, grouped(documents, of_documents)?);
            Box::new(move |key| Some(encode_both(documents.get(key)?, tokens.get(key)?)))
        }
        _ => Box::new(|_| None),
    })
}

/// The rows of a file by unit, in their order.
fn grouped<R: Row>(
    (path, content): &(String, Bytes),
    key: impl Fn(&R) -> Key,
) -> Result<BTreeMap<Key, Vec<R>>, StoreError> {
    let mut rows = BTreeMap::new();
    for row in parquet::read::<R>(path, content.clone())? {
        rows.entry(key(&row)).or_insert_with(Vec::new).push(row);
    }
    Ok(rows)
}

fn key(spec: &Spec, unit: Unit<'_>) -> Key {
    match unit {
        Unit::Weights { model, layer } | Unit::Quantization { model, layer } => {
            let stack = layer.map(|layer| layer.stack.name());
            of_layer(&spec.models[model].model.name, stack, layer.map(|layer| layer.index))
        }
        Unit::Baseline { .. } => Key::default(),
        Unit::Cell { scope, config, .. } => {
            [scope.layers.to_string(), scope.components.to_string(), config.to_string()]
        }
    }
}

fn of_layer(model: &str, stack: Option<&str>, layer: Option<u32>) -> Key {
    let layer = layer.map(|layer| layer.to_string()).unwrap_or_default();
    [model.to_owned(), stack.unwrap_or_default().to_owned(), layer]
}
