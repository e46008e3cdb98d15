//! The rows of a part: from the payloads of its units to Parquet, and back to the payload of one unit. Pure.

use babelquant_proto::rows::{
    ActivationRow, DocumentRow, QuantizationRow, Row, RowError, TokenRow, WeightRow, decode,
    decode_both, encode, encode_both,
};
use babelquant_proto::{Digest, Spec, Unit, UnitIndex};
use bytes::Bytes;

use crate::store::error::StoreError;
use crate::store::parquet;
use crate::store::part::Part;
use crate::verify;

/// A Parquet file with its path.
type File = (String, Bytes);

/// The Parquet files of a part at its paths, from the payloads of its units in order.
pub(super) fn write_part(
    part: Part,
    paths: Vec<String>,
    payloads: &[Bytes],
) -> Result<Vec<File>, StoreError> {
    let mut paths = paths.into_iter();
    let mut path = || paths.next().unwrap_or_default();
    Ok(match part {
        Part::Weights => vec![write_rows::<WeightRow>(path(), payloads)?],
        Part::Quantization => vec![write_rows::<QuantizationRow>(path(), payloads)?],
        Part::Activations(_) => vec![write_rows::<ActivationRow>(path(), payloads)?],
        Part::Cells(_) => write_cells([path(), path()], payloads)?.into(),
    })
}

fn write_rows<R: Row>(path: String, payloads: &[Bytes]) -> Result<File, StoreError> {
    let rows: Result<Vec<Vec<R>>, RowError> = payloads.iter().map(|ipc| decode(ipc)).collect();
    file(path, rows.map(|rows| rows.into_iter().flatten().collect()))
}

/// The tokens of cells and their documents.
fn write_cells(
    [tokens, documents]: [String; 2],
    payloads: &[Bytes],
) -> Result<[File; 2], StoreError> {
    let rows = payloads.iter().map(|ipc| decode_both::<DocumentRow, TokenRow>(ipc));
    let rows = rows.collect::<Result<Vec<_>, RowError>>();
    let (of_documents, of_tokens): (Vec<_>, Vec<_>) = rows
        .map_err(|source| StoreError::Rows { path: documents.clone(), source })?
        .into_iter()
        .unzip();
    Ok([
        file::<TokenRow>(tokens, Ok(of_tokens.concat()))?,
        file::<DocumentRow>(documents, Ok(of_documents.concat()))?,
    ])
}

fn file<R: Row>(path: String, rows: Result<Vec<R>, RowError>) -> Result<File, StoreError> {
    match rows {
        Ok(rows) => parquet::write(&path, &rows, &[]).map(|content| (path, content)),
        Err(source) => Err(StoreError::Rows { path, source }),
    }
}

/// The digest of the IPC bytes that the rows of `unit` in the files of a written part were made of.
pub(super) fn digest_in_part(
    spec: &Spec,
    unit: UnitIndex,
    files: &[File],
) -> Result<Option<Digest>, StoreError> {
    let Some(unit) = spec.unit(unit) else { return Ok(None) };
    let [.., last] = files else { return Ok(None) };
    let encoded = match (unit, files) {
        (Unit::Weights { .. }, _) => {
            encode(&rows_of(last, |row: &WeightRow| verify::weights(spec, unit, row))?)
        }
        (Unit::Quantization { .. }, _) => {
            encode(&rows_of(last, |row: &QuantizationRow| verify::quantization(spec, unit, row))?)
        }
        (Unit::Baseline { .. }, _) => encode(&rows_of(last, |_: &ActivationRow| true)?),
        (Unit::Cell { .. }, [tokens, documents]) => encode_both(
            &rows_of(documents, |row: &DocumentRow| verify::documents(spec, unit, row))?,
            &rows_of(tokens, |row: &TokenRow| verify::tokens(spec, unit, row))?,
        ),
        (Unit::Cell { .. }, _) => return Ok(None),
    };
    let path = || last.0.clone();
    let encoded = encoded.map_err(|source| StoreError::Rows { path: path(), source })?;
    Ok(Some(Digest::of(&encoded)))
}

fn rows_of<R: Row>(
    (path, content): &File,
    is_of_unit: impl Fn(&R) -> bool,
) -> Result<Vec<R>, StoreError> {
    let mut rows = parquet::read::<R>(path, content.clone())?;
    rows.retain(is_of_unit);
    Ok(rows)
}
