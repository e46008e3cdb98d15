//! Study → spec: describes the models, reads the corpus, expands the scopes. The last place that sees paths.

use babelquant_proto::{Model, ModelPart, Spec};

use super::documents::Reading;
use super::error::{CorpusError, StudyError};
use super::groups::Groups;
use super::pattern::Pattern;
use super::scopes::{Wanted, cells};
use super::shards::{Texts, cut, describe};
use super::{CorpusSource, ModelSource, Study};

/// A study whose models and corpus are there: what workers get.
#[derive(Debug)]
pub struct Resolved {
    /// The spec.
    pub spec: Spec,
    /// The text of every shard.
    pub texts: Texts,
}

impl Study {
    /// Reads the models and the corpus.
    ///
    /// # Errors
    /// A model or corpus file is missing or wrong, or a scope changes no weight.
    pub fn resolve(&self) -> Result<Resolved, StudyError> {
        let (corpus, texts) = self.corpus.resolve()?;
        let models = self.models.iter().map(|model| self.part(model));
        let spec = Spec {
            version: Spec::VERSION,
            models: models.collect::<Result<_, _>>()?,
            corpus,
            windows: self.windows,
            batch: self.batch,
            dtype: self.dtype,
            metrics: self.metrics,
            seed: self.seed,
        };
        Ok(Resolved { spec, texts })
    }

    fn part(&self, source: &ModelSource) -> Result<ModelPart, StudyError> {
        let model = Model::describe(&source.name, &source.path);
        let model = model
            .map_err(|error| StudyError::Model { name: source.name.clone(), source: error })?;
        let wanted =
            Wanted { scopes: &self.scopes, components: &self.components, configs: &self.configs };
        let cells = cells(&model, wanted)?;
        Ok(ModelPart { model, cells })
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

    use babelquant_proto::{ShardId, Unit, UnitIndex};

    use super::*;

    /// A study with one model of two layers and two languages, in `folder`; its weights are no weights.
    pub(crate) fn write_study(folder: &Path, configs: &str) -> Study {
        let model = folder.join("tiny");
        fs::create_dir_all(&model).unwrap();
        fs::write(
            model.join("config.json"),
            r#"{"n_layer": 2, "hidden_size": 8, "vocab_size": 16}"#,
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
        let Resolved { spec, texts } = study.resolve().unwrap();
        let languages: Vec<_> = spec.corpus.iter().map(|c| c.language.to_string()).collect();
        assert_eq!(languages, ["deu", "eng"]);
        assert_eq!((spec.corpus[0].shards.len(), spec.corpus[1].shards.len()), (2, 2));
        let shard = &texts[&ShardId { language: 1, shard: 1 }];
        let four = &shard.documents[0];
        assert_eq!((four.index, four.id.as_str(), four.group.as_str()), (2, "4", "b"));
        assert_eq!(spec.models[0].cells.len(), 2 + 3);
        assert_eq!(spec.units(), 3 + 4 * 6);
        assert_eq!(spec.unit(UnitIndex(2)), Some(Unit::Weights { model: 0, layer: None }));
        assert_eq!(spec.digest().unwrap(), study.resolve().unwrap().spec.digest().unwrap());
    }

    #[test]
    fn a_missing_model_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let study = write_study(folder.path(), "['int4-channel']");
        fs::remove_file(folder.path().join("tiny/tokenizer.json")).unwrap();
        let error = anyhow::Error::from(study.resolve().unwrap_err());
        let text = format!("{error:#}");
        assert!(text.contains("model tiny") && text.contains("tokenizer.json"), "{text}");
    }
}
