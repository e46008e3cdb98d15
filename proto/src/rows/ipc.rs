//! Rows as Arrow IPC stream bytes, without compression (with it, mutated input can abort the process). Hash before decoding. The schema has
//! names and types alone: what the columns mean stands in the files that are kept (`table`), and here would be most of the bytes.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use bytes::Bytes;

use super::column::RowError;
use super::table::Row;

/// Bytes that a column's buffers begin at a multiple of: a unit has few rows, and with Arrow's usual 64 most of its bytes are padding.
const ALIGNMENT: usize = 8;

/// The IPC stream of one batch that holds these rows.
///
/// # Errors
/// A number is not finite.
pub fn encode<R: Row>(rows: &[R]) -> Result<Bytes, RowError> {
    let batch = bare(&R::to_batch(rows)?)?;
    let mut bytes = Vec::new();
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &batch.schema(), options)?;
    writer.write(&batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes.into())
}

/// The batch without its columns' metadata.
fn bare(batch: &RecordBatch) -> Result<RecordBatch, RowError> {
    let schema = batch.schema();
    let bare = |field: &Arc<Field>| field.as_ref().clone().with_metadata(HashMap::new());
    let fields: Vec<Field> = schema.fields().iter().map(bare).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec())?)
}

/// The streams of two tables, one after the other: what a unit returns that fills both.
///
/// # Errors
/// A number is not finite.
pub fn encode_both<A: Row, B: Row>(first: &[A], second: &[B]) -> Result<Bytes, RowError> {
    Ok([encode(first)?, encode(second)?].concat().into())
}

/// The rows of an IPC stream that `encode` wrote; the schema must be exactly the table's.
///
/// # Errors
/// The bytes are no such stream, or more than it. A panic of the decoder over malformed bytes is caught and reported as an error.
pub fn decode<R: Row>(bytes: &[u8]) -> Result<Vec<R>, RowError> {
    guarded(|| {
        let mut rest = bytes;
        let rows = next(&mut rest)?;
        ended(rest).map(|()| rows)
    })
}

/// The rows of both streams that `encode_both` wrote.
///
/// # Errors
/// As `decode`.
pub fn decode_both<A: Row, B: Row>(bytes: &[u8]) -> Result<(Vec<A>, Vec<B>), RowError> {
    guarded(|| {
        let mut rest = bytes;
        let rows = (next(&mut rest)?, next(&mut rest)?);
        ended(rest).map(|()| rows)
    })
}

/// The rows of the stream at the start of `bytes`, which then begins after it.
fn next<R: Row>(bytes: &mut &[u8]) -> Result<Vec<R>, RowError> {
    let reader = StreamReader::try_new(bytes, None)?;
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
    match batches.as_slice() {
        [batch] => R::from_batch(batch),
        other => Err(RowError::Batches(other.len())),
    }
}

fn ended(rest: &[u8]) -> Result<(), RowError> {
    match rest.len() {
        0 => Ok(()),
        bytes => Err(RowError::Trailing { bytes }),
    }
}

fn guarded<T>(read: impl FnOnce() -> Result<T, RowError>) -> Result<T, RowError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(RowError::Malformed))
}
