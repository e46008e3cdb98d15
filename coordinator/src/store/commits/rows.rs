//! The rows of a part: from the payloads of its units to Parquet, and back to the payload of one unit. Pure.

use babelquant_proto::rows::{
    ActivationRow, DocumentRow, QuantizationRow, Row, WeightRow, decode, encode,
};
use babelquant_proto::{Digest, Spec, Unit, UnitIndex};
use bytes::Bytes;

use crate::store::error::StoreError;
use crate::store::parquet;
use crate::store::part::Part;
use crate::verify;

/// The Parquet file of a part, from the payloads of its units in order.
pub(super) fn write_part(part: Part, path: &str, payloads: &[Bytes]) -> Result<Bytes, StoreError> {
    match part {
        Part::Weights => write_rows::<WeightRow>(path, payloads),
        Part::Quantization => write_rows::<QuantizationRow>(path, payloads),
        Part::Activations(_) => write_rows::<ActivationRow>(path, payloads),
        Part::Documents(_) => write_rows::<DocumentRow>(path, payloads),
    }
}

fn write_rows<R: Row>(path: &str, payloads: &[Bytes]) -> Result<Bytes, StoreError> {
    let mut rows = Vec::new();
    for payload in payloads {
        let decoded = decode::<R>(payload);
        rows.extend(decoded.map_err(|source| StoreError::Rows { path: path.to_owned(), source })?);
    }
    parquet::write(path, &rows, &[])
}

/// The digest of the IPC bytes that the rows of `unit` in a written part were made of.
pub(super) fn digest_in_part(
    spec: &Spec,
    unit: UnitIndex,
    path: &str,
    content: Bytes,
) -> Result<Option<Digest>, StoreError> {
    let Some(unit) = spec.unit(unit) else { return Ok(None) };
    let digest = match unit {
        Unit::Weights { .. } => {
            digest_of(path, content, |row: &WeightRow| verify::weights(spec, unit, row))
        }
        Unit::Quantization { .. } => {
            digest_of(path, content, |row: &QuantizationRow| verify::quantization(spec, unit, row))
        }
        Unit::Baseline { .. } => digest_of(path, content, |_: &ActivationRow| true),
        Unit::Cell { .. } => {
            digest_of(path, content, |row: &DocumentRow| verify::documents(spec, unit, row))
        }
    };
    digest.map(Some)
}

fn digest_of<R: Row>(
    path: &str,
    content: Bytes,
    is_of_unit: impl Fn(&R) -> bool,
) -> Result<Digest, StoreError> {
    let mut rows = parquet::read::<R>(path, content)?;
    rows.retain(is_of_unit);
    let encoded =
        encode(&rows).map_err(|source| StoreError::Rows { path: path.to_owned(), source })?;
    Ok(Digest::of(&encoded))
}
