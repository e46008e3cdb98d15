//! Rows as Arrow IPC stream bytes, without compression (with it, mutated input can abort the process). Hash before decoding.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;

use super::column::RowError;
use super::table::Row;

/// The IPC stream of one batch that holds these rows.
///
/// # Errors
/// A number is not finite.
pub fn encode<R: Row>(rows: &[R]) -> Result<Bytes, RowError> {
    let batch = R::to_batch(rows)?;
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(&batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes.into())
}

/// The rows of an IPC stream that `encode` wrote; the schema must be exactly the table's.
///
/// # Errors
/// The bytes are no such stream. A panic of the decoder over malformed bytes is caught and reported as an error.
pub fn decode<R: Row>(bytes: &[u8]) -> Result<Vec<R>, RowError> {
    let read = || -> Result<Vec<R>, RowError> {
        let reader = StreamReader::try_new(bytes, None)?;
        let batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
        match batches.as_slice() {
            [batch] => R::from_batch(batch),
            other => Err(RowError::Batches(other.len())),
        }
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(RowError::Malformed))
}
