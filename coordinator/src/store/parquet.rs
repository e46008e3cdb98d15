//! Rows ↔ Parquet bytes. The same rows always give the same bytes: one batch a row group, pinned writer properties.

use arrow::compute::BatchCoalescer;
use arrow::error::ArrowError;
use babelquant_proto::rows::{RecordBatch, Row, RowError};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::error::StoreError;

/// Rows of a row group: a constant, so that the bytes do not depend on how rows arrived.
const GROUP_ROWS: usize = 1 << 16;
/// Rows that are read at a time.
const SOME_ROWS: usize = 1 << 13;
/// The writer's name in every file; not the version of a crate, which would change bytes without changing content.
const CREATED_BY: &str = "babelquant";
/// zstd level: beyond 3 the files shrink by a few per cent at several times the time.
const ZSTD_LEVEL: i32 = 3;

/// The note of where the numbers of a file come from.
pub(super) const SOURCES: &str = "babelquant.sources";

/// The Parquet file of these rows with notes, each under its key; `path` is named in errors.
pub(super) fn write<R: Row>(
    path: &str,
    rows: &[R],
    notes: &[(&str, &str)],
) -> Result<Bytes, StoreError> {
    write_batches::<R>(path, rows.chunks(GROUP_ROWS).map(R::to_batch), notes)
}

/// As `write`, of rows in batches of any length: the bytes do not depend on where one ends.
pub(super) fn write_batches<R: Row>(
    path: &str,
    batches: impl IntoIterator<Item = Result<RecordBatch, RowError>>,
    notes: &[(&str, &str)],
) -> Result<Bytes, StoreError> {
    let refused = |source| StoreError::Rows { path: path.to_owned(), source };
    let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
    let error = |error: parquet::errors::ParquetError| damaged(error.to_string());
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(error)?;
    let metadata = [
        ("babelquant.table", R::TABLE.name.to_owned()),
        ("babelquant.schema_version", R::TABLE.version.to_string()),
    ];
    let notes = notes.iter().map(|&(key, note)| (key, note.to_owned()));
    let metadata = metadata.into_iter().chain(notes);
    let metadata = metadata.map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
    let properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(Some(metadata))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), R::schema(), Some(properties)).map_err(error)?;
    let mut write = |group: RecordBatch| {
        writer.write(&group).map_err(error)?;
        writer.flush().map_err(error)
    };
    let mut groups = BatchCoalescer::new(R::schema(), GROUP_ROWS);
    for batch in batches {
        groups.push_batch(batch.map_err(refused)?).map_err(|error| refused(error.into()))?;
        while let Some(group) = groups.next_completed_batch() {
            write(group)?;
        }
    }
    groups.finish_buffered_batch().map_err(|error| refused(error.into()))?;
    while let Some(group) = groups.next_completed_batch() {
        write(group)?;
    }
    writer.into_inner().map(Bytes::from).map_err(error)
}

/// The rows of a Parquet file of one table, some thousands at a time: a row is many times larger than its share of the file.
pub(super) fn some_rows<R: Row>(
    path: &str,
    content: Bytes,
) -> Result<impl Iterator<Item = Result<Vec<R>, StoreError>>, StoreError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(content);
    let reader = builder.and_then(|builder| builder.with_batch_size(SOME_ROWS).build());
    let reader = reader.map_err(|error| StoreError::damaged(path, &error))?;
    let path = path.to_owned();
    let rows = move |batch: Result<RecordBatch, ArrowError>| {
        let batch = batch.map_err(|error| StoreError::damaged(&path, &error))?;
        R::from_batch(&batch).map_err(|source| StoreError::Rows { path: path.clone(), source })
    };
    Ok(reader.map(rows))
}

/// The rows of a Parquet file of one table.
pub(super) fn read<R: Row>(path: &str, content: Bytes) -> Result<Vec<R>, StoreError> {
    let mut rows = Vec::new();
    for some in some_rows(path, content)? {
        rows.append(&mut some?);
    }
    Ok(rows)
}

/// How many rows a Parquet file has, from its footer.
pub(super) fn count(path: &str, content: Bytes) -> Result<u64, StoreError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(content).map_err(|error| {
        StoreError::Damaged { path: path.to_owned(), reason: error.to_string() }
    })?;
    Ok(builder.metadata().file_metadata().num_rows().max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::document_rows;
    use babelquant_proto::rows::DocumentRow;

    #[test]
    fn bytes_are_a_function_of_rows_and_rows_come_back() {
        let spec = crate::testing::spec(1);
        let unit = babelquant_proto::UnitIndex(6);
        let mut rows = document_rows(&spec, unit);
        while rows.len() < GROUP_ROWS + 10 {
            rows.extend_from_within(..);
        }
        let content = write("x", &rows, &[]).unwrap();
        assert_eq!(write("x", &rows, &[]).unwrap(), content);
        let batches = rows.chunks(999).map(DocumentRow::to_batch);
        assert_eq!(write_batches::<DocumentRow>("x", batches, &[]).unwrap(), content);
        assert_eq!(count("x", content.clone()).unwrap(), rows.len() as u64);
        let found: Vec<DocumentRow> = read("x", content.clone()).unwrap();
        assert_eq!(found, rows);
        assert!(read::<DocumentRow>("x", content.slice(..100)).is_err());
    }
}
