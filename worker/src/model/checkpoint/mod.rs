//! Checkpoints: safetensors and torch files, memory-mapped, by tensor name. Hands out tensors as they are stored; turns
//! nothing, splits nothing, quantizes nothing.

mod index;
mod safetensors;
mod stored;
mod torch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use babelquant_proto::Model;
use memmap2::Mmap;

use super::error::ModelError;
use index::Index;

pub use stored::{StoredDtype, StoredTensor};

/// An open checkpoint: one or more mapped files. Nothing is copied until a tensor is loaded.
#[derive(Debug)]
pub struct Checkpoint {
    directory: PathBuf,
    files: Vec<MappedFile>,
    tensors: BTreeMap<String, Location>,
    /// Integer and Boolean tensors, which only an error message speaks of: name and dtype.
    integers: BTreeMap<String, &'static str>,
}

#[derive(Debug)]
struct MappedFile {
    name: String,
    map: Mmap,
}

#[derive(Debug)]
struct Location {
    file: usize,
    bytes: Range<usize>,
    dtype: StoredDtype,
    shape: Vec<usize>,
    /// Its name in the file.
    written: String,
}

/// A tensor that a file declares.
#[derive(Debug)]
struct Found {
    name: String,
    shape: Vec<usize>,
    content: Content,
}

/// What a tensor holds.
#[derive(Debug)]
enum Content {
    /// Floats, in these bytes of the file.
    Floats(StoredDtype, Range<usize>),
    /// Integers or Booleans of this dtype: a buffer, never a weight.
    Integers(&'static str),
    /// What cannot be read, and why.
    Unsupported(String),
}

impl Content {
    fn unsupported_dtype(dtype: &str) -> Self {
        Self::Unsupported(format!("has dtype {dtype} instead of F32, F16 or BF16"))
    }
}

impl Checkpoint {
    /// Maps the checkpoint in `directory` and reads the headers. A tensor is known by its name without the first of
    /// `prefixes` that it starts with.
    ///
    /// # Errors
    /// A file is missing or malformed, the index names what is not there, a tensor has an unsupported dtype or layout
    /// (all such in a file are listed), or two tensors have one name.
    pub fn open(directory: &Path, prefixes: &[&str]) -> Result<Self, ModelError> {
        let mut names = Model::weight_files(directory)?;
        let index = match names.iter().position(|name| name.ends_with(".json")) {
            Some(position) => Some(Index::read(&directory.join(names.remove(position)))?),
            None => None,
        };
        let mut checkpoint = Self {
            directory: directory.to_owned(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
            integers: BTreeMap::new(),
        };
        for name in names {
            let map = map(&directory.join(&name))?;
            let found = found(&directory.join(&name), &map)?;
            if let Some(index) = &index {
                index.check(&name, &found)?;
            }
            checkpoint.files.push(MappedFile { name, map });
            checkpoint.add(found, prefixes)?;
        }
        Ok(checkpoint)
    }

    /// Takes up the tensors of the last file.
    fn add(&mut self, found: Vec<Found>, prefixes: &[&str]) -> Result<(), ModelError> {
        let mut problems = Vec::new();
        for Found { name: written, shape, content } in found {
            let name = canonical(&written, prefixes).to_owned();
            match content {
                Content::Floats(dtype, bytes) => {
                    let file = self.files.len() - 1;
                    let location = Location { file, bytes, dtype, shape, written };
                    self.insert(name, location)?;
                }
                Content::Integers(dtype) => {
                    self.integers.insert(name, dtype);
                }
                Content::Unsupported(reason) => problems.push(format!("{written} {reason}")),
            }
        }
        match self.files.last() {
            Some(file) if !problems.is_empty() => {
                Err(ModelError::Unsupported { path: self.directory.join(&file.name), problems })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn insert(&mut self, name: String, location: Location) -> Result<(), ModelError> {
        let place = |location: &Location| {
            format!("{} in {}", location.written, self.files[location.file].name)
        };
        let Some(earlier) = self.tensors.get(&name) else {
            self.tensors.insert(name, location);
            return Ok(());
        };
        Err(ModelError::SameName {
            path: self.directory.clone(),
            first: place(earlier),
            second: place(&location),
            name,
        })
    }

    /// Every tensor of floats by its name without the family's prefix, in alphabetical order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, StoredTensor<'_>)> {
        self.tensors.iter().map(|(name, location)| (name.as_str(), self.at(location)))
    }

    /// The tensor of floats of this name, without the family's prefix.
    pub fn get(&self, name: &str) -> Option<StoredTensor<'_>> {
        self.tensors.get(name).map(|location| self.at(location))
    }

    /// The tensor of floats of this name; its absence is an error.
    ///
    /// # Errors
    /// There is none.
    pub fn require(&self, name: &str) -> Result<StoredTensor<'_>, ModelError> {
        self.get(name).ok_or_else(|| self.misfit(vec![self.absence(name)]))
    }

    /// A tensor of integers that stands for weights: GPTQ, AWQ, bitsandbytes and others pack several codes into one.
    pub fn packed(&self) -> Option<&str> {
        let packed = [".weight", ".qweight", ".weight_packed"];
        let mut names = self.integers.keys().map(String::as_str);
        names.find(|name| packed.iter().any(|end| name.ends_with(end)))
    }

    /// Checks that the checkpoint is what a model needs and nothing else: every `expected` tensor of floats is there in
    /// its shape, and every other tensor of floats is one that `ignored` says yes to.
    ///
    /// # Errors
    /// It is not: one error lists what is missing, misshapen or superfluous.
    pub fn check_complete(
        &self,
        expected: &[(String, Vec<usize>)],
        ignored: &dyn Fn(&str) -> bool,
    ) -> Result<(), ModelError> {
        let names: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        let unfit = expected.iter().filter_map(|(name, shape)| match self.tensors.get(name) {
            None => Some(self.absence(name)),
            Some(location) if location.shape != *shape => {
                Some(format!("{name} has shape {:?} instead of {shape:?}", location.shape))
            }
            Some(_) => None,
        });
        let others = self.tensors.keys().map(String::as_str);
        let extra = others.filter(|name| !names.contains(name) && !ignored(name));
        let problems: Vec<String> =
            unfit.chain(extra.map(|name| format!("{name} is not part of the model"))).collect();
        if problems.is_empty() { Ok(()) } else { Err(self.misfit(problems)) }
    }

    fn absence(&self, name: &str) -> String {
        match self.integers.get(name) {
            Some(dtype) => format!("{name} has dtype {dtype} instead of F32, F16 or BF16"),
            None => format!("{name} is missing"),
        }
    }

    fn misfit(&self, problems: Vec<String>) -> ModelError {
        ModelError::Tensors { path: self.directory.clone(), problems }
    }

    fn at<'a>(&'a self, location: &'a Location) -> StoredTensor<'a> {
        let bytes = &self.files[location.file].map[location.bytes.clone()];
        StoredTensor { dtype: location.dtype, shape: location.shape.clone(), bytes }
    }
}

/// A tensor's name without the first of the prefixes that it starts with.
fn canonical<'a>(name: &'a str, prefixes: &[&str]) -> &'a str {
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// The file at `path`, mapped.
pub(super) fn map(path: &Path) -> Result<Mmap, ModelError> {
    let read = |source| ModelError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    #[expect(
        unsafe_code,
        reason = "a mapped file: nobody may truncate a checkpoint while it is in use"
    )]
    unsafe { Mmap::map(&file) }.map_err(read)
}

/// The tensors that the file at `path`, mapped as `bytes`, declares.
fn found(path: &Path, bytes: &[u8]) -> Result<Vec<Found>, ModelError> {
    let path = path.to_owned();
    if path.extension().is_some_and(|extension| extension == "bin") {
        return torch::read(bytes)
            .map_err(|source| ModelError::Torch { path, source: Box::new(source) });
    }
    safetensors::read(bytes).map_err(|source| ModelError::Format { path, source })
}
