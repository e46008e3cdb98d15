//! GGUF files as llama.cpp's converter writes them: their tensors as the model's own checkpoint would store them. Nothing but weights
//! is read: neither tokens nor what a file says of positions.

mod cursor;
mod fit;
mod header;
mod names;
mod storage;

use std::ops::Range;
use std::path::{Path, PathBuf};

use babelquant_proto::{Family, Layer, Role};
use memmap2::Mmap;
use thiserror::Error;

use super::architecture::{Architecture, NormKind};
use super::checkpoint::map;
use super::error::{ModelError, listed};
use super::matrix::Matrix;
use super::other_checkpoint::Lent;
use header::Header;
use names::{Counterpart, Part};

/// Why a file is no GGUF file that can be read.
#[derive(Debug, Error)]
pub(super) enum GgufError {
    /// Another kind of file.
    #[error("it does not begin with GGUF")]
    Magic,
    /// Another version, or another order of bytes.
    #[error(
        "it has version {version}, read are 2 and 3 in little-endian order: convert the model again"
    )]
    Version {
        /// The version.
        version: u32,
    },
    /// The header is malformed.
    #[error("its header is malformed before byte {position}: {problem}")]
    Malformed {
        /// Where in the file.
        position: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// Tensors cannot be aligned as the file says.
    #[error("its general.alignment is no multiple of 8")]
    Alignment,
    /// A tensor does not lie in the file.
    #[error("its tensor {tensor} {problem}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A file that holds every tensor of a model. It is mapped only while it is read: its pages would count as ours.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    header: Header,
    /// Bytes of the file.
    length: usize,
    family: Family,
}

impl Gguf {
    /// Reads the header of the file at `path` and finds every tensor of a model of `family` in it, and none beside.
    ///
    /// # Errors
    /// It is no such file, is a part of one, holds a type that cannot be read, or is one of another model: all that does not fit
    /// is listed.
    pub(super) fn open(
        path: &Path,
        family: Family,
        architecture: &Architecture,
    ) -> Result<Self, ModelError> {
        let map = map(path)?;
        let header = Header::read(&map).map_err(|source| ModelError::Gguf {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let file = Self { path: path.to_owned(), header, length: map.len(), family };
        file.check_head(architecture)?;
        let problems = file.problems(architecture);
        if problems.is_empty() { Ok(file) } else { Err(file.other(listed(&problems))) }
    }

    fn other(&self, reason: String) -> ModelError {
        ModelError::OtherModel { path: self.path.clone(), reason }
    }

    /// Where the rows of a role are: in a tensor of their own, or in one of queries, keys and values.
    fn piece(
        &self,
        architecture: &Architecture,
        layer: Layer,
        (role, part): (Role, Part),
    ) -> Piece {
        let rows = |role: Role| {
            let roles = architecture.matrices(layer).iter().flat_map(|matrix| &matrix.roles);
            roles.filter(|(known, _)| *known == role).map(|(_, rows)| rows).sum::<usize>()
        };
        let name = |stem: &str| architecture.gguf_name(layer, &format!("{stem}.{}", part.name()));
        let (own, (fused, roles)) =
            (name(role.gguf_name(architecture.encoder.is_some())), names::FUSED);
        let fused = name(fused);
        match roles.iter().position(|&known| known == role) {
            Some(place) if self.header.tensors.contains_key(&fused) => {
                let first = roles[..place].iter().map(|&role| rows(role)).sum();
                let all = roles.iter().map(|&role| rows(role)).sum();
                Piece { name: fused, rows: first..first + rows(role), all }
            }
            Some(_) | None => Piece { name: own, rows: 0..rows(role), all: rows(role) },
        }
    }

    /// A matrix of a layer, [out, in] as it is used.
    ///
    /// # Errors
    /// Candle refuses.
    pub(super) fn matrix(
        &self,
        architecture: &Architecture,
        (layer, matrix): (Layer, &Matrix),
    ) -> Result<Lent, ModelError> {
        self.assembled(&self.mapped()?, architecture, (layer, matrix, Part::Weight))
    }

    /// Of a tensor that is no matrix of a layer, called as in the model's checkpoint: its first `rows` rows, or all where it has
    /// fewer.
    ///
    /// # Errors
    /// It is none of the model's, or candle refuses.
    pub(super) fn rows(
        &self,
        architecture: &Architecture,
        name: &str,
        rows: usize,
    ) -> Result<Lent, ModelError> {
        let missing = || self.other(format!("{name} has no counterpart"));
        let map = self.mapped()?;
        match architecture.counterpart(name).ok_or_else(missing)? {
            Counterpart::Tensor(theirs) => self.values(&map, &theirs, 0..rows),
            Counterpart::Gain(theirs) => {
                let mut lent = self.values(&map, &theirs, 0..rows)?;
                if architecture.norm.kind == NormKind::RmsPlusOne {
                    lent.values.iter_mut().for_each(|gain| *gain -= 1.0);
                }
                Ok(lent)
            }
            Counterpart::Matrix(layer, matrix, part) => {
                let mut lent = self.assembled(&map, architecture, (layer, matrix, part))?;
                lent.values.truncate(rows.saturating_mul(columns(matrix, part)));
                Ok(lent)
            }
        }
    }

    /// The rows of all roles of a matrix or of its biases, as the model's checkpoint orders them.
    fn assembled(
        &self,
        map: &[u8],
        architecture: &Architecture,
        (layer, matrix, part): (Layer, &Matrix, Part),
    ) -> Result<Lent, ModelError> {
        let columns = columns(matrix, part);
        let mut values = vec![0.0; matrix.rows() * columns];
        let mut bits = 0.0;
        for &(role, rows) in &matrix.roles {
            let piece = self.piece(architecture, layer, (role, part));
            let lent = self.values(map, &piece.name, piece.rows)?;
            bits += lent.bits_per_weight * rows as f64;
            let lent = match names::neighbouring(self.family, role, &architecture.attention) {
                Some(heads) => halves(&lent.values, columns, rows / heads),
                None => lent.values,
            };
            let mut rest = lent.as_slice();
            for place in matrix.role_rows(role) {
                let (taken, others) = rest.split_at(place.len() * columns);
                values[place.start * columns..place.end * columns].copy_from_slice(taken);
                rest = others;
            }
        }
        Ok(Lent { values, bits_per_weight: bits / matrix.rows() as f64 })
    }

    /// The file, which must be as long as when its header was read.
    fn mapped(&self) -> Result<Mmap, ModelError> {
        let map = map(&self.path)?;
        match map.len() == self.length {
            true => Ok(map),
            false => Err(self.other("it has changed since it was opened".to_owned())),
        }
    }

    /// Rows of a tensor, or entries where it has one axis.
    fn values(&self, map: &[u8], name: &str, rows: Range<usize>) -> Result<Lent, ModelError> {
        let missing = || self.other(format!("{name} is missing"));
        let declared = self.header.tensors.get(name).ok_or_else(missing)?;
        let (storage, bytes) =
            declared.content.as_ref().map_err(|reason| self.other(format!("{name} {reason}")))?;
        let bits_per_weight = storage.bits_per_weight();
        let rows = rows.start..rows.end.min(declared.shape[0]);
        let bytes = &map[bytes.clone()];
        let values = match &declared.shape[1..] {
            [] => storage.to_f32(bytes)?[rows].to_vec(),
            _ => {
                let row = bytes.len() / declared.shape[0].max(1);
                storage.to_f32(&bytes[rows.start * row..rows.end * row])?
            }
        };
        Ok(Lent { values, bits_per_weight })
    }
}

/// Values of a row of a part of a matrix.
fn columns(matrix: &Matrix, part: Part) -> usize {
    match part {
        Part::Weight => matrix.columns,
        Part::Bias => 1,
    }
}

/// The rows of one role in a file.
#[derive(Debug)]
struct Piece {
    /// The tensor.
    name: String,
    /// Its rows of that role.
    rows: Range<usize>,
    /// All of its rows.
    all: usize,
}

/// Rows whose pairs of channels are neighbours, as halves of a head instead: row 2i + s of a head becomes row i + s·width/2.
fn halves(values: &[f32], columns: usize, width: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for head in values.chunks(width * columns) {
        for side in 0..2 {
            let rows = head.chunks(columns).skip(side).step_by(2);
            rows.for_each(|row| turned.extend_from_slice(row));
        }
    }
    turned
}
