//! Which files a checkpoint of a model consists of that only lends its weights. Not what they hold.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Model, ModelError, ModelFile};

impl ModelFile {
    /// The files of the checkpoint at `path`, by name: those of a GGUF file's own, or configuration and weights of a directory.
    ///
    /// # Errors
    /// It is neither, one of them is missing, or one cannot be read.
    pub fn of_checkpoint(path: &Path) -> Result<BTreeMap<String, Self>, ModelError> {
        if path.is_dir() {
            let mut names = Model::weight_files(path)?;
            names.push("config.json".to_owned());
            return Self::in_directory(path, names);
        }
        let name = path.file_name().and_then(|name| name.to_str());
        match (name, path.parent()) {
            (Some(name), Some(folder)) if is_gguf(path) && path.is_file() => {
                Self::in_directory(folder, vec![name.to_owned()])
            }
            _ => Err(ModelError::Config {
                path: path.to_owned(),
                reason: "is neither a model's directory nor a file that ends in .gguf".to_owned(),
            }),
        }
    }

    /// The named files of a directory.
    pub(super) fn in_directory(
        directory: &Path,
        names: Vec<String>,
    ) -> Result<BTreeMap<String, Self>, ModelError> {
        let hash = |name: String| {
            let path = directory.join(&name);
            let file = Self::hash(&path).map_err(|source| ModelError::Read { path, source })?;
            Ok((name, file))
        };
        names.into_iter().map(hash).collect()
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}
