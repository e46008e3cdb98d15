//! Models as both sides must agree on them: name, shape, files and their digests. Not the weights (the worker's `model`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digest::Digest;

/// A model: what it is called, what it looks like, which bytes it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name in tables.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its files by name relative to its directory.
    pub files: BTreeMap<String, ModelFile>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its length.
    pub bytes: u64,
    /// Its BLAKE3.
    pub blake3: Digest,
}

/// The numbers of `config.json` that planning needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Transformer blocks.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Rows of the output head.
    pub vocabulary: u32,
}

/// Why a directory is no model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// `config.json` or the index is not JSON.
    #[error("{path} is no JSON")]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A key is missing.
    #[error("{path} has no {key}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The key, with its other spellings.
        key: &'static str,
    },
    /// No weights.
    #[error("{path} holds neither model.safetensors nor model.safetensors.index.json")]
    NoWeights {
        /// The directory.
        path: PathBuf,
    },
}

impl Model {
    /// Describes and hashes the model in `directory` (Hugging Face layout).
    ///
    /// # Errors
    /// A file is missing or unreadable, or `config.json` lacks a key.
    pub fn describe(name: &str, directory: &Path) -> Result<Self, ModelError> {
        let shape = Shape::read(directory)?;
        let mut files = BTreeMap::new();
        for file in Self::file_names(directory)? {
            let path = directory.join(&file);
            files.insert(
                file,
                ModelFile::hash(&path).map_err(|source| ModelError::Read { path, source })?,
            );
        }
        Ok(Self { name: name.to_owned(), shape, files })
    }

    /// One digest over all files: the identity of the model, whatever it is called.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for (name, file) in &self.files {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(file.blake3.as_bytes());
        }
        hasher.finalize().into()
    }

    /// The files that make the model, relative to its directory: config, tokenizer and weights.
    ///
    /// # Errors
    /// There are no weights, or the index of a sharded model cannot be read.
    pub fn file_names(directory: &Path) -> Result<Vec<String>, ModelError> {
        let mut names = vec!["config.json".to_owned(), "tokenizer.json".to_owned()];
        names.extend(Self::weight_files(directory)?);
        Ok(names)
    }

    /// The safetensors files of the model, relative to its directory; the index of a sharded model comes first.
    ///
    /// # Errors
    /// As `file_names`.
    pub fn weight_files(directory: &Path) -> Result<Vec<String>, ModelError> {
        const SINGLE: &str = "model.safetensors";
        const INDEX: &str = "model.safetensors.index.json";
        if directory.join(SINGLE).is_file() {
            return Ok(vec![SINGLE.to_owned()]);
        }
        let path = directory.join(INDEX);
        if !path.is_file() {
            return Err(ModelError::NoWeights { path: directory.to_owned() });
        }
        let index = read_json(&path)?;
        let map = index.get("weight_map").and_then(|map| map.as_object());
        let map = map.ok_or(ModelError::Missing { path: path.clone(), key: "weight_map" })?;
        let mut names: Vec<String> =
            map.values().filter_map(|name| name.as_str()).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names.insert(0, INDEX.to_owned());
        Ok(names)
    }
}

impl ModelFile {
    fn hash(path: &Path) -> std::io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_mmap_rayon(path)?;
        Ok(Self { bytes: fs::metadata(path)?.len(), blake3: hasher.finalize().into() })
    }
}

impl Shape {
    /// Reads the shape from `directory/config.json`.
    ///
    /// # Errors
    /// The file is unreadable, no JSON, or lacks a key.
    pub fn read(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("config.json");
        let config = read_json(&path)?;
        let get = |keys: &[&str], key: &'static str| {
            let number =
                keys.iter().find_map(|key| config.get(key)).and_then(|value| value.as_u64());
            let number =
                number.and_then(|number| u32::try_from(number).ok()).filter(|&number| number > 0);
            number.ok_or(ModelError::Missing { path: path.clone(), key })
        };
        Ok(Self {
            layers: get(&["n_layer", "num_hidden_layers"], "n_layer (or num_hidden_layers)")?,
            hidden: get(&["hidden_size", "n_embed"], "hidden_size (or n_embed)")?,
            vocabulary: get(&["vocab_size"], "vocab_size")?,
        })
    }
}

fn read_json(path: &Path) -> Result<serde_json::Value, ModelError> {
    let text =
        fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|source| ModelError::Json { path: path.to_owned(), source })
}
