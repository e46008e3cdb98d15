//! The other checkpoints of a study's models: the section `[checkpoints]`, and the configs that name them. Not what they hold (the
//! worker's `model`).

use std::path::{Path, PathBuf};

use babelquant_proto::quant::{CheckpointName, QuantConfig};
use babelquant_proto::{CheckpointPart, ModelFile};
use toml::{Table, Value};

use super::configs::ConfigPattern;
use super::error::StudyError;
use super::models::ModelSource;
use super::section::{Known, Section};

const CHECKPOINT: Known = Known { name: "checkpoints", keys: &["path", "model"] };
const PREFIX: &str = "checkpoint:";

/// A checkpoint of a model of the study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointSource {
    /// Its name in configs.
    pub name: CheckpointName,
    /// Its directory, in the layout of models, or its GGUF file.
    pub path: PathBuf,
    /// The model whose weights it has; `None` in a study of one model.
    pub model: Option<String>,
}

/// Configs, and the checkpoints that they name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) configs: Option<Vec<ConfigPattern>>,
    pub(super) checkpoints: Vec<CheckpointSource>,
}

/// Reads the section and the configs of the study `file`, of which `checkpoint:PATH` names a file or a directory without a section;
/// paths are relative to `folder`.
pub(super) fn read(
    top: &mut Section<'_>,
    (file, folder): (&str, &Path),
    configs: Option<Vec<String>>,
    models: &[ModelSource],
) -> Result<Named, StudyError> {
    let mut checkpoints = Vec::new();
    for (name, value) in top.take::<Table>("checkpoints")?.unwrap_or_default() {
        checkpoints.push(entry(top, (file, folder), (name, value), models)?);
    }
    let mut named = Named { configs: None, checkpoints };
    for text in configs.into_iter().flatten() {
        let config = match text.strip_prefix(PREFIX) {
            Some(target) => named
                .take(target, folder, models)
                .map(|name| ConfigPattern::Config(QuantConfig::Checkpoint(name))),
            None => text.parse::<ConfigPattern>().map_err(|error| error.to_string()),
        };
        let config = config.map_err(|reason| top.wrong("configs", &text, reason))?;
        named.configs.get_or_insert_default().push(config);
    }
    named.checkpoints.sort_by(|a, b| a.name.cmp(&b.name));
    match named.checkpoints.iter().find(|source| !named.names(&source.name)) {
        None => Ok(named),
        Some(CheckpointSource { name, path, .. }) => {
            let reason = format!("no config names it: add \"{PREFIX}{name}\" to `configs`");
            Err(top.wrong(&format!("checkpoints.{name}"), &path.display(), reason))
        }
    }
}

fn entry(
    top: &Section<'_>,
    (file, folder): (&str, &Path),
    (name, value): (String, Value),
    models: &[ModelSource],
) -> Result<CheckpointSource, StudyError> {
    let key = format!("checkpoints.{name}");
    let named = name.parse::<CheckpointName>();
    let name = named.map_err(|error| top.wrong("checkpoints", &name, error))?;
    let (path, model) = match value {
        Value::String(path) => (path, None),
        Value::Table(table) => {
            let mut entry = Section::new(file, CHECKPOINT, table, &[])?;
            let path = entry.take::<String>("path")?;
            let path = path.ok_or_else(|| entry.missing("path", "a directory or a GGUF file"))?;
            (path, entry.take::<String>("model")?)
        }
        value => {
            let reason = "expected a path, or { path = …, model = … }";
            return Err(top.wrong(&key, &value, reason));
        }
    };
    let names = models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>();
    match &model {
        None if names.len() > 1 => Err(top.wrong(&key, &path, which_model(&names))),
        Some(model) if !names.contains(&model.as_str()) => {
            let reason = format!("no model of that name, known are {}", names.join(", "));
            Err(top.wrong(&format!("{key}.model"), model, reason))
        }
        Some(_) | None => Ok(CheckpointSource { name, path: folder.join(path), model }),
    }
}

fn which_model(names: &[&str]) -> String {
    let names = names.join(", ");
    format!("of which model? write {{ path = …, model = … }} with one of {names}")
}

impl Named {
    /// The checkpoint that a config means: one of the section, or the path itself, which is then called by its last component.
    fn take(
        &mut self,
        target: &str,
        folder: &Path,
        models: &[ModelSource],
    ) -> Result<CheckpointName, String> {
        let of_section = target.parse::<CheckpointName>().ok();
        if let Some(name) = of_section.filter(|name| self.find(name).is_some()) {
            return Ok(name);
        }
        let path: PathBuf = folder.join(target).components().collect();
        if !path.exists() {
            let known: Vec<String> = self.checkpoints.iter().map(|c| c.name.to_string()).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            return Err(format!(
                "there is no {}, and [checkpoints] has {known}: expected a name from that section, or the path of a directory or of \
                 a GGUF file",
                path.display()
            ));
        }
        let last = path.canonicalize().unwrap_or_else(|_| path.clone());
        let last = last.file_name().unwrap_or_default().to_string_lossy();
        let name = last
            .parse::<CheckpointName>()
            .map_err(|error| format!("{error}: give it a name, [checkpoints] NAME = {target:?}"))?;
        match (self.find(&name), models) {
            (Some(other), _) if other.path != path => {
                let other = other.path.display();
                Err(format!("{other} is called {name} too: give each a name under [checkpoints]"))
            }
            (Some(_), _) => Ok(name),
            (None, [_]) => {
                self.checkpoints.push(CheckpointSource { name: name.clone(), path, model: None });
                Ok(name)
            }
            (None, models) => {
                let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
                Err(format!("{}, under [checkpoints]", which_model(&names)))
            }
        }
    }

    fn find(&self, name: &CheckpointName) -> Option<&CheckpointSource> {
        self.checkpoints.iter().find(|source| source.name == *name)
    }

    fn names(&self, name: &CheckpointName) -> bool {
        let wanted = ConfigPattern::Config(QuantConfig::Checkpoint(name.clone()));
        self.configs.iter().flatten().any(|config| *config == wanted)
    }
}

impl CheckpointSource {
    /// Its files.
    pub(super) fn describe(&self) -> Result<CheckpointPart, StudyError> {
        let name = self.name.clone();
        match ModelFile::of_checkpoint(&self.path) {
            Ok(files) => Ok(CheckpointPart { name, files }),
            Err(source) => Err(StudyError::Checkpoint { name, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::study::Study;
    use crate::study::resolve::tests::{no_hub, write_study};

    const ONE: &str = "model = 'tiny'\ncorpus.path = 'corpus/{language}.txt'\n";
    const TWO: &str =
        "models = ['tiny', { name = 'other', path = 'tiny' }]\ncorpus.path = 'c/{language}.txt'\n";

    /// A folder with the study's model, a copy of it without a tokenizer and GGUF files.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        write_study(folder.path(), "['none']");
        for (directory, name) in [("int4", "config.json"), ("int4", "model.safetensors")] {
            fs::create_dir_all(folder.path().join(directory)).unwrap();
            fs::copy(folder.path().join("tiny").join(name), folder.path().join("int4").join(name))
                .unwrap();
        }
        for name in ["tiny.Q4_0.gguf", "a b.gguf", "notes.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    fn parse(text: &str, folder: &Path) -> Result<Study, String> {
        Study::parse(text, "s.toml", folder).map_err(|error| error.to_string())
    }

    #[test]
    fn a_config_names_the_section_or_a_path() {
        let folder = folder();
        for text in [
            "configs = ['checkpoint:q4', 'checkpoint:int4']\n[checkpoints]\nq4 = 'tiny.Q4_0.gguf'\nint4 = { path = 'int4' }",
            "configs = ['checkpoint:q4', 'checkpoint:./int4', 'checkpoint:int4']\ncheckpoints.q4 = 'tiny.Q4_0.gguf'",
        ] {
            let study = parse(&format!("{ONE}{text}"), folder.path()).unwrap();
            let mut paths: Vec<_> =
                study.checkpoints.iter().map(|c| c.path.canonicalize().unwrap()).collect();
            paths.sort();
            let here = folder.path().canonicalize().unwrap();
            assert_eq!(paths, [here.join("int4"), here.join("tiny.Q4_0.gguf")], "{text}");
            let spec = study.resolve(&mut no_hub).unwrap().spec;
            let mut parts = spec.models[0].checkpoints.clone();
            parts.sort_by_key(|part| part.name.to_string());
            let files: Vec<Vec<&str>> =
                parts.iter().map(|part| part.files.keys().map(String::as_str).collect()).collect();
            assert_eq!(files, [vec!["config.json", "model.safetensors"], vec!["tiny.Q4_0.gguf"]]);
            assert_eq!(parts[0].files, ModelFile::of_checkpoint(&here.join("int4")).unwrap());
            assert_eq!(parse(&study.to_toml(), folder.path()).unwrap(), study);
        }
    }

    #[test]
    fn a_checkpoint_is_evaluated_on_its_own_model_only() {
        let folder = folder();
        let text = TWO.replace("c/", "corpus/")
            + "configs = ['checkpoint:q4', 'int4-channel']\nscopes = 'all'\n\
               checkpoints.q4 = { path = 'tiny.Q4_0.gguf', model = 'other' }";
        let study = parse(&text, folder.path()).unwrap();
        let resolved = study.resolve(&mut no_hub).unwrap();
        let named = |model: usize| {
            let cells = resolved.spec.models[model].cells.iter();
            cells.filter(|(_, config)| config.to_string() == "checkpoint:q4").count()
        };
        assert_eq!((named(0), named(1)), (0, 1));
        assert_eq!(resolved.spec.models[0].checkpoints, []);
        assert_eq!(resolved.others.len(), 1);
        assert_eq!(resolved.others[0].path, folder.path().join("tiny.Q4_0.gguf"));
    }

    #[test]
    fn mistakes_name_key_and_value() {
        let folder = folder();
        let check = |text: &str, parts: &[&str]| {
            let error = parse(text, folder.path()).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        };
        let one = |text: &str, parts: &[&str]| check(&format!("{ONE}{text}"), parts);
        one("configs = 'checkpoint:gone'", &["configs = checkpoint:gone", "has nothing"]);
        one(
            "configs = 'checkpoint:q5'\ncheckpoints.q4 = 'x'",
            &["configs = checkpoint:q5", "[checkpoints] has q4"],
        );
        one("checkpoints.q4 = 'x'", &["checkpoints.q4 = ", "no config names it"]);
        one("checkpoints.'a b' = 'x'", &["checkpoints = a b", "letters, digits"]);
        one("checkpoints.q4 = 3", &["checkpoints.q4 = 3", "expected a path"]);
        one("checkpoints = 'x'", &["checkpoints = \"x\"", "map"]);
        one("checkpoints.q4 = { pth = 'x' }", &["`pth` in [checkpoints]", "did you mean `path`?"]);
        one("checkpoints.q4 = { model = 'x' }", &["`checkpoints.path` is missing"]);
        one("checkpoints.q4 = { path = 'x', model = 'm' }", &["checkpoints.q4.model = m", "tiny"]);
        one("configs = 'checkpoint:a b.gguf'", &["[checkpoints] NAME = \"a b.gguf\""]);
        check(
            &format!("{TWO}checkpoints.q4 = 'x'"),
            &["of which model?", "with one of tiny, other"],
        );
        check(&format!("{TWO}configs = 'checkpoint:int4'"), &["of which model?", "tiny, other"]);
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_by_name() {
        let folder = folder();
        let study = parse(&format!("{ONE}configs = 'checkpoint:notes.txt'"), folder.path());
        let error = anyhow::Error::from(study.unwrap().resolve(&mut no_hub).unwrap_err());
        let text = format!("{error:#}");
        assert!(text.contains("checkpoint notes.txt") && text.contains("ends in .gguf"), "{text}");
        fs::remove_file(folder.path().join("int4/config.json")).unwrap();
        let study = parse(&format!("{ONE}configs = 'checkpoint:int4'"), folder.path()).unwrap();
        let text = format!("{:#}", anyhow::Error::from(study.resolve(&mut no_hub).unwrap_err()));
        assert!(text.contains("checkpoint int4") && text.contains("config.json"), "{text}");
    }
}
