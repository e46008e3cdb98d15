//! Where a worker finds the model of a spec: the given directories, the hub's cache, the hub. The files must be the spec's to the
//! byte, wherever they lie.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use babelquant_proto::hub::{Hub, Step};
use babelquant_proto::{CheckpointPart, Model, ModelError, ModelFile, Published};
use tracing::{debug, info, warn};

use super::error::EvalError;

/// Where models are looked for.
#[derive(Debug, Clone)]
pub struct Places {
    /// Model directories, or folders of them.
    pub directories: Vec<PathBuf>,
    /// The hub and its cache; neither where absent.
    pub hub: Option<Hub>,
}

impl Places {
    /// The directory that holds the model to the byte; downloads it where no directory does and it was published.
    pub(super) fn find(&self, model: &Model) -> Result<PathBuf, EvalError> {
        let mut nearest = None;
        let found = |directory: &Path| Ok(Model::describe(&model.name, directory)?.files);
        let mut try_directory = |directory: &Path| match differs(&model.files, directory, found) {
            None => true,
            Some(difference) => {
                debug!(directory = %directory.display(), %difference, "not the model");
                nearest = Some(format!("{}: {difference}", directory.display()));
                false
            }
        };
        if let Some(found) = self.model_directories().into_iter().find(|d| try_directory(d)) {
            return Ok(found);
        }
        match self.published(model) {
            Some(Ok(directory)) if try_directory(&directory) => return Ok(directory),
            Some(Err(error)) => nearest = Some(error),
            Some(Ok(_)) | None => {}
        }
        let (model, searched) = (model.name.clone(), self.directories.clone());
        Err(EvalError::ModelUnavailable { model, searched, nearest })
    }

    /// The directory or the GGUF file that holds the checkpoint to the byte.
    pub(super) fn find_checkpoint(&self, part: &CheckpointPart) -> Result<PathBuf, EvalError> {
        let candidates = match part.files.keys().next() {
            Some(name) if part.files.len() == 1 => self.files_named(name),
            Some(_) | None => self.model_directories(),
        };
        let mut nearest = None;
        for candidate in candidates {
            let directory = if candidate.is_dir() { Some(&*candidate) } else { candidate.parent() };
            let found = |_: &Path| ModelFile::of_checkpoint(&candidate);
            match differs(&part.files, directory.unwrap_or(Path::new("")), found) {
                None => return Ok(candidate),
                Some(difference) => {
                    nearest = Some(format!("{}: {difference}", candidate.display()));
                }
            }
        }
        let (checkpoint, searched) = (part.name.clone(), self.directories.clone());
        Err(EvalError::CheckpointUnavailable { checkpoint, searched, nearest })
    }

    /// The given paths and what lies in them that are directories of models.
    fn model_directories(&self) -> Vec<PathBuf> {
        let all = self.directories.iter().flat_map(|directory| with_entries(directory));
        all.filter(|directory| directory.join("config.json").is_file()).collect()
    }

    /// The files of this name among the given paths, in them and in the directories in them.
    fn files_named(&self, name: &str) -> Vec<PathBuf> {
        let all = self.directories.iter().flat_map(|directory| with_entries(directory));
        let files = all.map(|path| match path.is_dir() {
            true => path.join(name),
            false => path,
        });
        let is_it = |path: &PathBuf| path.file_name().is_some_and(|file| file == name);
        let mut files: Vec<PathBuf> = files.filter(|path| is_it(path) && path.is_file()).collect();
        files.dedup();
        files
    }

    /// The directory of the commit that the spec names, with the spec's files from the cache or from the hub.
    fn published(&self, model: &Model) -> Option<Result<PathBuf, String>> {
        let (hub, published) = (self.hub.as_ref()?, model.published.as_ref()?);
        let Published { repository, commit } = published;
        info!(repository, commit, "asking the hub's cache and the hub for the model");
        let mut show = |step: Step<'_>| match step {
            Step::File { name, done, total } if done == total => info!(name, total, "downloaded"),
            Step::File { .. } => {}
            Step::Waiting { lock } => info!(lock = %lock.display(), "somebody else downloads it"),
        };
        let names = model.files.keys().map(String::as_str);
        let directory = hub.fetch_files((repository, commit), names, &mut show);
        Some(directory.map_err(|error| {
            warn!(repository, %error, "the hub does not give the model");
            error.to_string()
        }))
    }
}

/// A path and the entries of the directory that it is, in alphabetical order.
fn with_entries(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    std::iter::once(path.to_owned()).chain(entries)
}

/// In what the files of a directory differ from those wanted; `None` where they do not. Sizes are compared before anything is
/// hashed, as `found` does for all files that a directory stands for.
fn differs(
    wanted: &BTreeMap<String, ModelFile>,
    directory: &Path,
    found: impl FnOnce(&Path) -> Result<BTreeMap<String, ModelFile>, ModelError>,
) -> Option<String> {
    for (name, file) in wanted {
        match fs::metadata(directory.join(name)) {
            Err(_) => return Some(format!("{name} is missing")),
            Ok(found) if found.len() != file.bytes => {
                return Some(format!("{name} has {} bytes instead of {}", found.len(), file.bytes));
            }
            Ok(_) => {}
        }
    }
    let found = match found(directory) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let different = wanted.iter().find(|(name, file)| found.get(*name) != Some(file));
    different.map(|(name, file)| match found.contains_key(name) {
        true => format!("{name} does not have BLAKE3 {}", file.blake3),
        false => {
            let mut first = found.keys().filter(|name| !wanted.contains_key(*name));
            let first = first.next().map_or("another file", String::as_str);
            format!("it also holds {first}, which comes before {name}: move it away")
        }
    })
}
