//! Study → spec: describes the models, reads the corpus, expands the scopes. The last place that sees paths.

use std::path::PathBuf;

use babelquant_proto::quant::{CheckpointName, QuantConfig};
use babelquant_proto::{CheckpointPart, Dtype, Model, ModelPart, Published, Spec};

use super::calibration::Sets;
use super::cells::{Wanted, cells};
use super::documents::Reading;
use super::error::{CalibrationError, CorpusError, StudyError};
use super::groups::Groups;
use super::models::check_names;
use super::pattern::Pattern;
use super::shards::{Texts, cut, describe};
use super::{
    CheckpointSource, ConfigPattern, CorpusSource, Families, Fetch, ModelSource, Place,
    Registration, Study,
};

/// A study whose models and corpus are there: what workers get.
#[derive(Debug)]
pub struct Resolved {
    /// The spec.
    pub spec: Spec,
    /// The text of every shard.
    pub texts: Texts,
    /// The directory of every model.
    pub directories: Vec<PathBuf>,
    /// Where the checkpoints are that configs name.
    pub others: Vec<OtherPlace>,
    /// What the run is held to.
    pub registration: Registration,
}

/// Where a checkpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherPlace {
    /// Its name.
    pub name: CheckpointName,
    /// The directory of its model.
    pub directory: PathBuf,
    /// Its own directory or GGUF file.
    pub path: PathBuf,
}

impl Resolved {
    /// Where a worker on this machine finds every model and checkpoint.
    pub fn places(&self) -> Vec<PathBuf> {
        let others = self.others.iter().map(|other| &other.path);
        self.directories.iter().chain(others).cloned().collect()
    }
}

impl Study {
    /// Reads the corpus and the models; `fetch` brings those of a hub.
    ///
    /// # Errors
    /// A model or corpus file is missing or wrong, a scope changes no weight, a model cannot read the windows, or a hypothesis is about
    /// something that is not measured.
    pub fn resolve(&self, fetch: Fetch<'_>) -> Result<Resolved, StudyError> {
        check_names(&self.models)?;
        let (corpus, texts) = self.corpus.resolve()?;
        let found = self.models.iter().map(|source| source.resolve(self.dtype, fetch));
        let (models, directories): (Vec<_>, Vec<_>) =
            found.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let windows = self.windows.over(&models)?;
        let calibration =
            self.calibration.as_ref().map(|source| source.sets(&corpus)).transpose()?;
        let configs = self.configs_over(calibration.as_ref())?;
        let named = configs.iter().flat_map(QuantConfig::calibration_sets).cloned().collect();
        let calibration = calibration.map(|sets| sets.read(named, &texts)).transpose()?;
        let others = models.iter().zip(&directories).flat_map(|(model, directory)| {
            self.checkpoints_of(&model.name).map(|source| OtherPlace {
                name: source.name.clone(),
                directory: directory.clone(),
                path: source.path.clone(),
            })
        });
        let others = others.collect();
        let models = models.into_iter().map(|model| self.part(model, &configs));
        let spec = Spec {
            version: Spec::VERSION,
            models: models.collect::<Result<_, _>>()?,
            corpus,
            windows,
            batch: self.batch,
            dtype: self.dtype,
            metrics: self.metrics,
            seed: self.seed,
            calibration: calibration.unwrap_or_default(),
        };
        let registration = self.registration();
        Families::of(&registration.hypotheses, &spec)?;
        Ok(Resolved { spec, texts, directories, others, registration })
    }

    /// The configs, with a calibration set wherever one is needed.
    fn configs_over(&self, sets: Option<&Sets>) -> Result<Vec<QuantConfig>, CalibrationError> {
        let missing = |pattern: &ConfigPattern| match pattern {
            ConfigPattern::Config(config) => !config.calibration_sets().is_empty(),
            ConfigPattern::EachSet(_) => true,
        };
        match (sets, self.configs.iter().find(|pattern| missing(pattern))) {
            (None, Some(config)) => Err(CalibrationError::NoSection { config: config.to_string() }),
            (None, None) | (Some(_), _) => {
                let open = sets.map_or(&[][..], |sets| &sets.open);
                Ok(self.configs.iter().flat_map(|pattern| pattern.over(open)).collect())
            }
        }
    }

    fn part(&self, model: Model, configs: &[QuantConfig]) -> Result<ModelPart, StudyError> {
        let checkpoints = self.checkpoints_of(&model.name).map(CheckpointSource::describe);
        let checkpoints: Vec<CheckpointPart> = checkpoints.collect::<Result<_, _>>()?;
        let lent = |name: &CheckpointName| checkpoints.iter().any(|part| part.name == *name);
        let configs = configs.iter().filter(|config| match config {
            QuantConfig::Checkpoint(name) => lent(name),
            QuantConfig::None
            | QuantConfig::F32
            | QuantConfig::Weights(_)
            | QuantConfig::Mixed(_) => true,
        });
        let configs: Vec<QuantConfig> = configs.cloned().collect();
        let wanted = Wanted {
            scopes: &self.scopes,
            components: &self.components,
            configs: &configs,
            dtype: self.dtype,
        };
        let cells = cells(&model, wanted)?;
        Ok(ModelPart { model, cells: cells.into(), checkpoints })
    }

    /// The checkpoints of the model of this name.
    fn checkpoints_of(&self, model: &str) -> impl Iterator<Item = &CheckpointSource> {
        let of_model = move |source: &&CheckpointSource| {
            source.model.as_deref().is_none_or(|name| name == model)
        };
        self.checkpoints.iter().filter(of_model)
    }
}

impl ModelSource {
    /// The model and its directory.
    fn resolve(&self, dtype: Dtype, fetch: Fetch<'_>) -> Result<(Model, PathBuf), StudyError> {
        let (directory, published) = self.locate(fetch)?;
        let model = Model::describe(&self.name, &directory);
        let model =
            model.map_err(|source| StudyError::Model { name: self.name.clone(), source })?;
        let protocol = self.reading.over(&model)?;
        if dtype == Dtype::F16 && model.shape.encoder_layers > 0 {
            return Err(StudyError::Overflow { model: model.name });
        }
        Ok((Model { protocol, published, ..model }, directory))
    }

    /// The model's directory, which a hub may have to give first, and where the model was published.
    ///
    /// # Errors
    /// The hub does not give it.
    pub fn locate(&self, fetch: Fetch<'_>) -> Result<(PathBuf, Option<Published>), StudyError> {
        let repository = match &self.place {
            Place::Directory(path) => return Ok((path.clone(), None)),
            Place::Hub(repository) => repository,
        };
        let snapshot = fetch(repository).map_err(|source| StudyError::Hub {
            name: self.name.clone(),
            repository: repository.name.clone(),
            revision: repository.revision.clone(),
            source: Box::new(source),
        })?;
        let published = Published { repository: repository.name.clone(), commit: snapshot.commit };
        Ok((snapshot.directory, Some(published)))
    }
}

impl CorpusSource {
    fn resolve(&self) -> Result<(Vec<babelquant_proto::LanguageCorpus>, Texts), CorpusError> {
        let pattern = Pattern::new(&self.path)?;
        let reading = Reading {
            format: pattern.format,
            groups: self.groups.as_deref().map(Groups::read).transpose()?,
            lines_max: self.documents.map(|documents| documents as usize),
        };
        let mut texts = Texts::new();
        let mut corpus = Vec::new();
        for (position, file) in (0..).zip(pattern.choose(&self.languages)?) {
            let shards = cut(reading.documents(&file.path)?, self.shard_bytes);
            corpus.push(describe((position, file.language), shards, &mut texts));
        }
        Ok((corpus, texts))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;

    use babelquant_proto::hub::{HubError, Snapshot};
    use babelquant_proto::{Protocol, ShardId, Unit, UnitIndex};

    use super::*;
    use crate::study::Repository;

    /// A hub that must not be asked.
    pub(crate) fn no_hub(repository: &Repository) -> Result<Snapshot, HubError> {
        panic!("{} is a directory", repository.name)
    }

    /// A study with one model of two layers and two languages, in `folder`; its weights are no weights.
    pub(crate) fn write_study(folder: &Path, configs: &str) -> Study {
        let model = folder.join("tiny");
        fs::create_dir_all(&model).unwrap();
        fs::write(
            model.join("config.json"),
            r#"{"model_type": "bloom", "n_layer": 2, "hidden_size": 8, "vocab_size": 16}"#,
        )
        .unwrap();
        fs::write(model.join("tokenizer.json"), "{}").unwrap();
        fs::write(model.join("model.safetensors"), "weights").unwrap();
        fs::create_dir_all(folder.join("corpus")).unwrap();
        fs::write(folder.join("corpus/eng_Latn.txt"), "one\ntwo\n\nfour\n").unwrap();
        fs::write(folder.join("corpus/de.txt"), "eins\nzwei\ndrei\nvier\n").unwrap();
        fs::write(folder.join("groups.tsv"), "a\na\nb\nb\n").unwrap();
        let text = format!(
            "models = ['tiny']\nconfigs = {configs}\n[corpus]\npath = 'corpus/{{language}}.txt'\n\
             groups = 'groups.tsv'\nshard_bytes = 8\n"
        );
        Study::parse(&text, "study.toml", folder).unwrap()
    }

    #[test]
    fn a_study_becomes_a_spec_and_texts() {
        let folder = tempfile::tempdir().unwrap();
        let study = write_study(folder.path(), "['int4-channel']");
        let Resolved { spec, texts, directories, .. } = study.resolve(&mut no_hub).unwrap();
        assert_eq!(directories, [folder.path().join("tiny")]);
        let languages: Vec<_> = spec.corpus.iter().map(|c| c.language.to_string()).collect();
        assert_eq!(languages, ["deu", "eng"]);
        assert_eq!((spec.corpus[0].shards.len(), spec.corpus[1].shards.len()), (2, 2));
        let shard = &texts[&ShardId { language: 1, shard: 1 }];
        let four = &shard.documents[0];
        assert_eq!((four.index, four.id.as_str(), four.group.as_str()), (2, "4", "b"));
        assert_eq!(spec.models[0].cells.len(), 2 + 3);
        assert_eq!(spec.units(), 3 + 2 + 4 * 6);
        assert_eq!(spec.unit(UnitIndex(2)), Some(Unit::Weights { model: 0, layer: None }));
        assert_eq!(
            spec.digest().unwrap(),
            study.resolve(&mut no_hub).unwrap().spec.digest().unwrap()
        );
    }

    #[test]
    fn a_missing_model_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let study = write_study(folder.path(), "['int4-channel']");
        fs::remove_file(folder.path().join("tiny/tokenizer.json")).unwrap();
        let error = anyhow::Error::from(study.resolve(&mut no_hub).unwrap_err());
        let text = format!("{error:#}");
        assert!(text.contains("model tiny") && text.contains("tokenizer.json"), "{text}");
    }

    #[test]
    fn a_model_of_a_hub_says_where_it_was_published_and_reads_as_the_study_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut study = write_study(folder.path(), "['int4-channel']");
        let directory = folder.path().join("tiny");
        study.models = vec![ModelSource::named("owner/small", folder.path()).unwrap()];
        study.models[0].reading.prefix = Some(crate::study::Prefix::Token(3));
        let mut asked = Vec::new();
        let mut hub = |repository: &Repository| {
            asked.push(repository.clone());
            let (directory, commit) = (directory.clone(), "c0ffee".to_owned());
            Ok(Snapshot { directory, commit, warning: None })
        };
        let resolved = study.resolve(&mut hub).unwrap();
        assert_eq!(resolved.directories, [directory]);
        let model = &resolved.spec.models[0].model;
        let published = model.published.as_ref().unwrap();
        assert_eq!((model.name.as_str(), published.repository.as_str()), ("small", "owner/small"));
        assert_eq!(published.commit, "c0ffee");
        assert_eq!(model.protocol, Protocol::Causal { prefix: Some(3), newline: None });
        assert_eq!((asked.len(), asked[0].revision.as_str()), (1, "main"));
        let mut absent = |repository: &Repository| {
            Err(HubError::NoRevision {
                repository: repository.name.clone(),
                revision: "main".to_owned(),
            })
        };
        let text = format!("{:#}", anyhow::Error::from(study.resolve(&mut absent).unwrap_err()));
        assert!(
            text.contains("no directory of that name") && text.contains("no revision"),
            "{text}"
        );
    }
}
