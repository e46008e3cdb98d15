//! The index of a sharded checkpoint: which tensor is in which file. Not where in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Found;
use crate::model::ModelError;

/// A read index; every file that it names exists.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    /// Names of tensors by the file that holds them.
    files: BTreeMap<String, BTreeSet<String>>,
}

impl Index {
    /// Reads the index at `path`, beside which its files lie.
    ///
    /// # Errors
    /// It cannot be read or is no index, or a file that it names is not there.
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let text =
            fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let mut index = Self { path: path.to_owned(), files: BTreeMap::new() };
        let json: Value =
            serde_json::from_slice(&text).map_err(|error| index.error(error.to_string()))?;
        let Some(map) = json.get("weight_map").and_then(Value::as_object) else {
            return Err(index.error("it has no weight_map".to_owned()));
        };
        for (tensor, file) in map {
            let Some(file) = file.as_str().filter(|file| index.is_beside(file)) else {
                return Err(index.error(format!(
                    "it says that {tensor} is in {file}, which is no file beside it"
                )));
            };
            index.files.entry(file.to_owned()).or_default().insert(tensor.clone());
        }
        Ok(index)
    }

    /// Checks that the file of this name holds every tensor that it is said to hold.
    ///
    /// # Errors
    /// It lacks one.
    pub(super) fn check(&self, file: &str, found: &[Found]) -> Result<(), ModelError> {
        let held: BTreeSet<&str> = found.iter().map(|found| found.name.as_str()).collect();
        let mut said = self.files.get(file).into_iter().flatten();
        match said.find(|tensor| !held.contains(tensor.as_str())) {
            Some(lacking) => Err(self.error(format!(
                "it says that {lacking} is in {file}, which holds no tensor of that name"
            ))),
            None => Ok(()),
        }
    }

    fn is_beside(&self, file: &str) -> bool {
        let name = Path::new(file).file_name().is_some_and(|name| name == file);
        name && self.path.with_file_name(file).is_file()
    }

    fn error(&self, reason: String) -> ModelError {
        ModelError::Index { path: self.path.clone(), reason }
    }
}
