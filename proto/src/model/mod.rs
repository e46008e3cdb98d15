//! Models as both sides must agree on them: name, shape, protocol, files and their digests. Not the weights (the worker's
//! `model`).

mod checkpoint;
mod family;
mod files;
mod shape;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digest::Digest;
use crate::protocol::Protocol;

pub use family::Family;
pub use shape::Shape;

/// A model: what it is called, what it looks like, which bytes it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name in tables.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// How it reads a text.
    pub protocol: Protocol,
    /// Where it was published; `None` for a directory of the user's.
    pub published: Option<Published>,
    /// Its files by name relative to its directory.
    pub files: BTreeMap<String, ModelFile>,
}

/// What is read at a time to be hashed by all cores. A mapped file would count as ours, and models are larger than memory.
const CHUNK_BYTES: usize = 16 << 20;

/// A model's place on a hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// `owner/name`.
    pub repository: String,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its length.
    pub bytes: u64,
    /// Its BLAKE3.
    pub blake3: Digest,
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
    /// A file says something that is not supported, or names files that are not there.
    #[error("{path}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be accepted.
        reason: String,
    },
    /// No weights.
    #[error(
        "{path} holds none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json"
    )]
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
        let (family, config) = Family::read(directory)?;
        let shape = Shape::of(directory, family, &config)?;
        let protocol = family.protocol(&config);
        let files = ModelFile::in_directory(directory, Self::file_names(directory)?)?;
        Ok(Self { name: name.to_owned(), shape, protocol, published: None, files })
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
}

impl ModelFile {
    fn hash(path: &Path) -> std::io::Result<Self> {
        let (mut file, mut hasher) = (fs::File::open(path)?, blake3::Hasher::new());
        let (mut bytes, mut chunk) = (0, vec![0; CHUNK_BYTES]);
        loop {
            let length = file.read(&mut chunk)?;
            if length == 0 {
                return Ok(Self { bytes, blake3: hasher.finalize().into() });
            }
            hasher.update_rayon(&chunk[..length]);
            bytes += length as u64;
        }
    }
}

fn read_json(path: &Path) -> Result<serde_json::Value, ModelError> {
    let text =
        fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|source| ModelError::Json { path: path.to_owned(), source })
}
