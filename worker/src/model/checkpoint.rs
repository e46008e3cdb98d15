//! Checkpoints: safetensors files, memory-mapped, by tensor name. Hands out tensors as they are stored; turns nothing, splits
//! nothing, quantizes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use babelquant_proto::Model;
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};

use super::error::ModelError;

/// An open checkpoint: one or more mapped files.
#[derive(Debug)]
pub struct Checkpoint {
    directory: PathBuf,
    files: Vec<Mmap>,
    tensors: BTreeMap<String, Location>,
}

#[derive(Debug)]
struct Location {
    file: usize,
    start: usize,
    end: usize,
    dtype: StoredDtype,
    shape: Vec<usize>,
}

/// How a tensor's values are stored, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredDtype {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit brain floats.
    Bf16,
}

/// A tensor as the checkpoint stores it: row-major little-endian bytes.
#[derive(Debug, Clone, Copy)]
pub struct StoredTensor<'a> {
    /// How values are stored.
    pub dtype: StoredDtype,
    /// Its shape.
    pub shape: &'a [usize],
    /// Its values.
    pub bytes: &'a [u8],
}

impl Checkpoint {
    /// Maps the checkpoint in `directory` and reads the headers.
    ///
    /// # Errors
    /// A file is missing or no safetensors file, or a tensor has an unsupported dtype.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        let mut checkpoint =
            Self { directory: directory.to_owned(), files: Vec::new(), tensors: BTreeMap::new() };
        for name in Model::weight_files(directory)? {
            if name.ends_with(".safetensors") {
                checkpoint.map(&directory.join(name))?;
            }
        }
        Ok(checkpoint)
    }

    fn map(&mut self, path: &Path) -> Result<(), ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let format = |source| ModelError::Format { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        #[expect(
            unsafe_code,
            reason = "a mapped file: nobody may truncate a checkpoint while it is in use"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        let mut problems = Vec::new();
        let base = map.as_ptr() as usize;
        for (name, view) in SafeTensors::deserialize(&map).map_err(format)?.tensors() {
            let Some(dtype) = StoredDtype::of(view.dtype()) else {
                problems.push(format!("{name} has dtype {:?}", view.dtype()));
                continue;
            };
            let start = view.data().as_ptr() as usize - base;
            let end = start + view.data().len();
            let location = Location {
                file: self.files.len(),
                start,
                end,
                dtype,
                shape: view.shape().to_vec(),
            };
            self.tensors.insert(canonical(&name).to_owned(), location);
        }
        self.files.push(map);
        self.check(problems)
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every tensor by its name without the family's prefix, in alphabetical order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, StoredTensor<'_>)> {
        self.tensors.iter().map(|(name, location)| (name.as_str(), self.at(location)))
    }

    /// The tensor of this name, without the family's prefix.
    pub fn get(&self, name: &str) -> Option<StoredTensor<'_>> {
        self.tensors.get(name).map(|location| self.at(location))
    }

    /// The tensor of this name; its absence is an error.
    ///
    /// # Errors
    /// There is none.
    pub fn require(&self, name: &str) -> Result<StoredTensor<'_>, ModelError> {
        self.get(name).ok_or_else(|| ModelError::Tensors {
            path: self.directory.clone(),
            problems: vec![format!("{name} is missing")],
        })
    }

    fn at<'a>(&'a self, location: &'a Location) -> StoredTensor<'a> {
        let bytes = &self.files[location.file][location.start..location.end];
        StoredTensor { dtype: location.dtype, shape: &location.shape, bytes }
    }

    /// An error that lists the problems, if there are any.
    ///
    /// # Errors
    /// There are problems.
    pub fn check(&self, problems: Vec<String>) -> Result<(), ModelError> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(ModelError::Tensors { path: self.directory.clone(), problems })
    }
}

/// A tensor's name without the prefix that some writers put before it.
fn canonical(name: &str) -> &str {
    name.strip_prefix("transformer.").unwrap_or(name)
}

impl StoredDtype {
    fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    fn candle(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

impl StoredTensor<'_> {
    /// The tensor on `device` as `dtype` (widening is exact), in its stored shape.
    ///
    /// # Errors
    /// The device refuses, such as for want of memory.
    pub fn load(&self, device: &Device, dtype: DType) -> Result<Tensor, ModelError> {
        let tensor = Tensor::from_raw_buffer(self.bytes, self.dtype.candle(), self.shape, device)?;
        Ok(tensor.to_dtype(dtype)?)
    }

    /// Its values, widened to f32.
    ///
    /// # Errors
    /// None that a stored tensor can cause: its bytes are whole values.
    pub fn to_f32(&self) -> Result<Vec<f32>, ModelError> {
        Ok(self.load(&Device::Cpu, DType::F32)?.flatten_all()?.to_vec1()?)
    }
}
