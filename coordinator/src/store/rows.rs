//! The rows of a part: from the payloads of its units to Parquet, and back to the payload of each unit. Pure.

use std::collections::BTreeMap;

use babelquant_proto::quant::QuantConfig;
use babelquant_proto::rows::{
    ActivationRow, DocumentRow, QuantizationRow, Row, RowError, TokenRow, WeightRow, decode_batch,
    decode_both_batches, encode, encode_both,
};
use babelquant_proto::{Digest, Scope, Spec, Unit, UnitIndex};
use bytes::Bytes;

use super::error::StoreError;
use super::parquet;
use super::part::Part;

/// A Parquet file with its path.
pub(super) type File = (String, Bytes);

/// What tells a unit of a part from the others.
pub(super) type Key = [String; 3];

/// The Parquet files of a part at its paths, from the payloads of its units in order.
pub(super) fn write_part(
    part: Part,
    paths: Vec<String>,
    payloads: &[Bytes],
) -> Result<Vec<File>, StoreError> {
    let contents = match part {
        Part::Weights => vec![write_rows::<WeightRow>(&paths[0], payloads)?],
        Part::Quantization => vec![write_rows::<QuantizationRow>(&paths[0], payloads)?],
        Part::Activations(_) => vec![write_rows::<ActivationRow>(&paths[0], payloads)?],
        Part::Cells(_) => write_cells(&paths[0], &paths[1], payloads)?.into(),
    };
    Ok(paths.into_iter().zip(contents).collect())
}

fn write_rows<R: Row>(path: &str, payloads: &[Bytes]) -> Result<Bytes, StoreError> {
    parquet::write_batches::<R>(
        path,
        payloads.iter().map(|payload| decode_batch::<R>(payload)),
        &[],
    )
}

/// The tokens of cells and their documents.
fn write_cells(
    tokens: &str,
    documents: &str,
    payloads: &[Bytes],
) -> Result<[Bytes; 2], StoreError> {
    let (mut of_documents, mut of_tokens) = (Vec::new(), Vec::new());
    for payload in payloads {
        let both = decode_both_batches::<DocumentRow, TokenRow>(payload);
        let both = both.map_err(|source| refused(documents, source))?;
        of_documents.push(Ok(both.0));
        of_tokens.push(Ok(both.1));
    }
    let tokens = parquet::write_batches::<TokenRow>(tokens, of_tokens, &[])?;
    Ok([tokens, parquet::write_batches::<DocumentRow>(documents, of_documents, &[])?])
}

/// The digest of the IPC bytes that the rows of `unit` in the files of a written part were made of.
pub(super) fn digest_in_part(
    spec: &Spec,
    (part, unit): (Part, UnitIndex),
    files: &[File],
) -> Result<Option<Digest>, StoreError> {
    let Some(unit) = spec.unit(unit) else { return Ok(None) };
    let ipc = match Payloads::read(part, files)?.of(spec, unit)? {
        Some(ipc) => ipc,
        // A layer that no config changes.
        None => encode::<QuantizationRow>(&[]).map_err(|source| refused(&files[0].0, source))?,
    };
    Ok(Some(Digest::of(&ipc)))
}

/// The payloads of the units of a part, made of the rows in its files.
pub(super) struct Payloads {
    /// For errors.
    path: String,
    of_key: OfKey,
}

type OfKey = Box<dyn Fn(&Key) -> Option<Result<Bytes, RowError>>>;

impl Payloads {
    /// Reads the files of a part, in the order of its paths.
    pub(super) fn read(part: Part, files: &[File]) -> Result<Self, StoreError> {
        Ok(Self { path: files[0].0.clone(), of_key: of_key(part, files)? })
    }

    /// The payload of a unit; `None` where the files have no row of it.
    pub(super) fn of(&self, spec: &Spec, unit: Unit<'_>) -> Result<Option<Bytes>, StoreError> {
        let payload = (self.of_key)(&key(spec, unit)).transpose();
        payload.map_err(|source| refused(&self.path, source))
    }
}

fn of_key(part: Part, files: &[File]) -> Result<OfKey, StoreError> {
    fn encoded<R: Row + 'static>(
        file: &File,
        key: impl Fn(&R) -> Key,
    ) -> Result<OfKey, StoreError> {
        let rows = grouped(file, key)?;
        Ok(Box::new(move |key| rows.get(key).map(|rows| encode(rows))))
    }
    match part {
        Part::Weights => encoded(&files[0], |row: &WeightRow| {
            of_layer(&row.model, row.stack.as_deref(), row.layer)
        }),
        Part::Quantization => encoded(&files[0], |row: &QuantizationRow| {
            of_layer(&row.model, row.stack.as_deref(), row.layer)
        }),
        Part::Activations(_) => encoded(&files[0], |_: &ActivationRow| Key::default()),
        Part::Cells(_) => {
            let tokens = grouped(&files[0], |row: &TokenRow| {
                [&row.scope, &row.components, &row.config].map(String::clone)
            })?;
            let documents = grouped(&files[1], |row: &DocumentRow| {
                [&row.scope, &row.components, &row.config].map(String::clone)
            })?;
            Ok(Box::new(move |key| Some(encode_both(documents.get(key)?, tokens.get(key)?))))
        }
    }
}

/// The rows of a file by unit, in their order.
fn grouped<R: Row>(
    (path, content): &File,
    key: impl Fn(&R) -> Key,
) -> Result<BTreeMap<Key, Vec<R>>, StoreError> {
    let mut rows = BTreeMap::new();
    for row in parquet::read::<R>(path, content.clone())? {
        rows.entry(key(&row)).or_insert_with(Vec::new).push(row);
    }
    Ok(rows)
}

/// The key of a unit.
pub(super) fn key(spec: &Spec, unit: Unit<'_>) -> Key {
    match unit {
        Unit::Weights { model, layer } | Unit::Quantization { model, layer } => {
            let stack = layer.map(|layer| layer.stack.name());
            of_layer(&spec.models[model].model.name, stack, layer.map(|layer| layer.index))
        }
        Unit::Baseline { .. } => Key::default(),
        Unit::Cell { scope, config, .. } => key_of_cell(scope, config),
    }
}

/// The key of a cell.
pub(super) fn key_of_cell(scope: &Scope, config: &QuantConfig) -> Key {
    [scope.layers.to_string(), scope.components.to_string(), config.to_string()]
}

fn of_layer(model: &str, stack: Option<&str>, layer: Option<u32>) -> Key {
    let layer = layer.map(|layer| layer.to_string()).unwrap_or_default();
    [model.to_owned(), stack.unwrap_or_default().to_owned(), layer]
}

fn refused(path: &str, source: RowError) -> StoreError {
    StoreError::Rows { path: path.to_owned(), source }
}
