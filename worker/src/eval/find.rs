//! Where a worker finds the model of a spec: the given directories, the hub's cache, the hub. The files must be the spec's to the
//! byte, wherever they lie.

use std::fs;
use std::path::{Path, PathBuf};

use babelquant_proto::hub::{Hub, Step};
use babelquant_proto::{Model, Published};
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
        let mut try_directory = |directory: &Path| match differs(model, directory) {
            None => true,
            Some(difference) => {
                debug!(directory = %directory.display(), %difference, "not the model");
                nearest = Some(format!("{}: {difference}", directory.display()));
                false
            }
        };
        if let Some(found) = candidates(&self.directories).into_iter().find(|d| try_directory(d)) {
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

/// The given directories and the directories in them that hold a `config.json`.
fn candidates(searched: &[PathBuf]) -> Vec<PathBuf> {
    let children = |directory: &PathBuf| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut children: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        children.sort();
        children
    };
    let all = searched
        .iter()
        .flat_map(|directory| std::iter::once(directory.clone()).chain(children(directory)));
    all.filter(|directory| directory.join("config.json").is_file()).collect()
}

/// In what a directory differs from the model; `None` where it does not. Sizes are compared before anything is hashed.
fn differs(model: &Model, directory: &Path) -> Option<String> {
    for (name, file) in &model.files {
        match fs::metadata(directory.join(name)) {
            Err(_) => return Some(format!("{name} is missing")),
            Ok(found) if found.len() != file.bytes => {
                return Some(format!("{name} has {} bytes instead of {}", found.len(), file.bytes));
            }
            Ok(_) => {}
        }
    }
    let found = match Model::describe(&model.name, directory) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let different = model.files.iter().find(|(name, file)| found.files.get(*name) != Some(file));
    different.map(|(name, file)| match found.files.contains_key(name) {
        true => format!("{name} does not have BLAKE3 {}", file.blake3),
        false => {
            let mut first = found.files.keys().filter(|name| !model.files.contains_key(*name));
            let first = first.next().map_or("another file", String::as_str);
            format!("it also holds {first}, which comes before {name}: move it away")
        }
    })
}
