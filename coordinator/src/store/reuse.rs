//! What a finished run already says of units of another study: the same model, text, scope, config and shapes give the same rows, so that a
//! study with one more language or config computes only what is new. Reads, and checks against the digests of the run; writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{Digest, EngineClass, LanguageCorpus, ModelPart, ShardId, Spec, UnitIndex};
use bytes::Bytes;

use super::error::StoreError;
use super::objects::Objects;
use super::output::Output;
use super::part::{Part, Place};
use super::rows::{File, Key, Payloads, key, key_of_cell};
use super::run_file::RunFile;
use crate::verify::{self, Engines};

/// A finished run whose results are taken over.
#[derive(Debug, Clone)]
pub struct Earlier {
    objects: Objects,
    run: RunFile,
    /// The digests of its files, by path.
    files: BTreeMap<String, Digest>,
}

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
        Ok(Self { objects: output.objects.clone(), run, files })
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &str {
        self.objects.location()
    }

    /// Why nothing of it fits a run of `spec`, which takes the numbers of several engine classes if `mixed`; where that is due to the whole and
    /// not to single units.
    pub(crate) fn obstacle(&self, spec: &Spec, mixed: bool) -> Option<String> {
        if self.run.mixed_engines && !mixed {
            let reason = "engines of several classes made its numbers; serve --mixed-engines takes them over";
            return Some(reason.to_owned());
        }
        if !spec.models.iter().any(|part| self.has(part).is_some()) {
            return Some("it has none of the models, or not with the same files".to_owned());
        }
        (!self.reads_alike(spec))
            .then(|| "its windows, batch, dtype, seed or version of the spec are others".to_owned())
    }

    /// The digest of its spec.
    pub(crate) fn spec_digest(&self) -> Digest {
        self.run.spec_digest
    }

    /// What made its numbers.
    pub(crate) fn engine_class(&self) -> &EngineClass {
        &self.run.engine_class
    }

    /// What its rows say of units of a part of `spec`.
    pub(super) async fn results(
        &self,
        spec: &Arc<Spec>,
        of: (Part, UnitIndex),
    ) -> Result<Vec<(UnitIndex, Bytes)>, StoreError> {
        let Some((there, known)) = self.known(spec, of).filter(|(_, known)| !known.is_empty())
        else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for path in there.paths(&self.run.spec) {
            let Some(content) = self.file(&path).await? else { return Ok(Vec::new()) };
            files.push((path, content));
        }
        let (spec, engines) = (Arc::clone(spec), self.run.engines());
        let payloads = move || payloads((&spec, &engines), (there, &known), &files);
        tokio::task::spawn_blocking(payloads).await?
    }

    /// The units of a part that this run has, with everything that their rows depend on, and the part of this run that has them.
    fn known(
        &self,
        spec: &Spec,
        (part, first): (Part, UnitIndex),
    ) -> Option<(Part, Vec<UnitIndex>)> {
        let units = part.units(spec, first).map(UnitIndex);
        let model = |unit: &UnitIndex| spec.unit(*unit).map(|unit| &spec.models[unit.model()]);
        match part {
            Part::Weights => {
                let has =
                    |unit: &UnitIndex| model(unit).is_some_and(|part| self.has(part).is_some());
                Some((part, units.filter(has).collect()))
            }
            Part::Quantization => {
                let alike = self.reads_alike(spec) && self.run.spec.calibration == spec.calibration;
                let has = |unit: &UnitIndex| {
                    alike && model(unit).is_some_and(|part| self.run.spec.models.contains(part))
                };
                Some((part, units.filter(has).collect()))
            }
            Part::Activations(place) => {
                let there = self.place(spec, place)?;
                Some((Part::Activations(there), units.collect()))
            }
            Part::Cells(place) => {
                let there =
                    self.place(spec, place).filter(|_| self.run.spec.metrics == spec.metrics)?;
                let cells = self.cells(spec, (place.model, there.model));
                let has = |unit: &UnitIndex| {
                    spec.unit(*unit).is_some_and(|unit| cells.contains(&key(spec, unit)))
                };
                Some((Part::Cells(there), units.filter(has).collect()))
            }
        }
    }

    /// Where this run has the same model.
    fn has(&self, part: &ModelPart) -> Option<usize> {
        self.run.spec.models.iter().position(|there| there.model == part.model)
    }

    /// Where this run has the same text, read by the same model in the same shapes.
    fn place(&self, spec: &Spec, Place { model, shard }: Place) -> Option<Place> {
        let language = &spec.corpus[shard.language as usize];
        let is_it = |there: &LanguageCorpus| there.language == language.language;
        let (place, number) = (self.run.spec.corpus.iter().position(is_it)?, shard.shard as usize);
        let same = self.run.spec.corpus[place].shards.get(number) == language.shards.get(number);
        let model = self.has(&spec.models[model]).filter(|_| same && self.reads_alike(spec))?;
        Some(Place { model, shard: ShardId { language: place as u32, shard: shard.shard } })
    }

    /// The cells of its model `there` in which a config of model `here` of `spec` refers to the same.
    fn cells(&self, spec: &Spec, (here, there): (usize, usize)) -> BTreeSet<Key> {
        let (here, there) = (&spec.models[here], &self.run.spec.models[there]);
        if here.checkpoints != there.checkpoints {
            return BTreeSet::new();
        }
        let same_sets = self.run.spec.calibration == spec.calibration;
        let alike = |config: &QuantConfig| same_sets || config.calibration_sets().is_empty();
        let cells = there.cells.iter().filter(|(_, config)| alike(config));
        cells.map(|(scope, config)| key_of_cell(scope, config)).collect()
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

    /// True where text is cut and computed in the same shapes.
    fn reads_alike(&self, spec: &Spec) -> bool {
        let setting = |of: &Spec| (of.version, of.windows, of.batch, of.dtype, of.seed);
        setting(&self.run.spec) == setting(spec)
    }
}

/// The payloads of those of the units of a part that the rows of an earlier run's files complete.
fn payloads(
    (spec, engines): (&Spec, &Engines),
    (part, units): (Part, &[UnitIndex]),
    files: &[File],
) -> Result<Vec<(UnitIndex, Bytes)>, StoreError> {
    let payloads = Payloads::read(part, files)?;
    let mut found = Vec::new();
    for &index in units {
        let Some(unit) = spec.unit(index) else { continue };
        let Some(ipc) = payloads.of(spec, unit)? else { continue };
        match verify::result((spec, engines), unit, Digest::of(&ipc), &ipc) {
            Ok(_) => found.push((index, ipc)),
            Err(error) => {
                tracing::warn!(unit = index.0, %error, "the earlier run's rows are not the unit's");
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
