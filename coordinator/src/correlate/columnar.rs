//! Parquet files → a table: columns of any number type and truth values become f64, texts stay. What they mean is the table's to say.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::error::CorrelateError;
use super::table::{Cells, FILE_ROWS_MAX, Table, positions};

/// Reads some columns of a file of any number of row groups.
pub(super) fn read(
    path: &str,
    content: impl ChunkReader + 'static,
    wanted: &[&str],
) -> Result<Table, CorrelateError> {
    let malformed = |error: &dyn std::error::Error| CorrelateError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(content);
    let builder = builder.map_err(|error| malformed(&error))?;
    let fields = builder.schema().fields().clone();
    let header: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let read = positions(path, &header, wanted)?;
    let rows = builder.metadata().file_metadata().num_rows() as usize;
    if rows > FILE_ROWS_MAX {
        return Err(CorrelateError::TooLong { what: path.to_owned(), rows_max: FILE_ROWS_MAX });
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), read.iter().copied());
    let reader = builder.with_projection(mask).build().map_err(|error| malformed(&error))?;
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>();
    let batches = batches.map_err(|error| malformed(&error))?;
    let column = |(at, &position): (usize, &usize)| {
        let arrays: Vec<&ArrayRef> = batches.iter().map(|batch| batch.column(at)).collect();
        (header[position].clone(), cells(fields[position].data_type(), &arrays))
    };
    let columns = read.iter().enumerate().map(column).collect();
    let places = (1..=rows as u64).collect();
    Ok(Table { path: path.to_owned(), unit: "row", places, header, columns })
}

fn cells(found: &DataType, arrays: &[&ArrayRef]) -> Cells {
    let inner = match found {
        DataType::Dictionary(_, value) => value,
        other => other,
    };
    let numeric = inner.is_numeric() || *inner == DataType::Boolean;
    let textual = matches!(inner, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let cells = match (numeric, textual) {
        (true, _) => joined(arrays, numbers).map(Cells::Numbers),
        (_, true) => joined(arrays, texts).map(Cells::Texts),
        (false, false) => None,
    };
    cells.unwrap_or_else(|| Cells::Other(found.to_string()))
}

/// The cells of all batches; `None` where one does not convert.
fn joined<T: Clone>(
    arrays: &[&ArrayRef],
    of: impl Fn(&ArrayRef) -> Option<Vec<T>>,
) -> Option<Vec<T>> {
    Some(arrays.iter().map(|array| of(array)).collect::<Option<Vec<_>>>()?.concat())
}

/// Numbers, NaN as absent.
fn numbers(array: &ArrayRef) -> Option<Vec<Option<f64>>> {
    let array = cast(array, &DataType::Float64).ok()?;
    let values = array.as_primitive_opt::<Float64Type>()?.iter();
    Some(values.map(|value| value.filter(|value| !value.is_nan())).collect())
}

fn texts(array: &ArrayRef) -> Option<Vec<Option<String>>> {
    let array = cast(array, &DataType::Utf8).ok()?;
    Some(array.as_string_opt::<i32>()?.iter().map(|text| text.map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, DictionaryArray, Float32Array, ListArray, UInt32Array};
    use arrow::datatypes::Int32Type;
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn number_types_texts_and_others() {
        let keys: DictionaryArray<Int32Type> = ["eng", "deu", "eng"].into_iter().collect();
        let lists = vec![Some(vec![Some(1.0)]); 3];
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(lists);
        let columns: [(&str, ArrayRef); 5] = [
            ("language", Arc::new(keys)),
            ("count", Arc::new(UInt32Array::from(vec![Some(7), None, Some(9)]))),
            ("share", Arc::new(Float32Array::from(vec![0.5, f32::NAN, 0.25]))),
            ("latin", Arc::new(BooleanArray::from(vec![true, false, true]))),
            ("lists", Arc::new(lists)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let content = Bytes::from(writer.into_inner().unwrap());
        let wanted = ["share", "language", "latin", "lists", "absent"];
        let table = read("t.parquet", content, &wanted).unwrap();
        assert_eq!((table.columns.len(), table.count()), (4, 3));
        assert_eq!(table.texts("language").unwrap()[1].as_deref(), Some("deu"));
        assert_eq!(table.numbers("share").unwrap(), [Some(0.5), None, Some(0.25)]);
        assert_eq!(table.numbers("latin").unwrap(), [Some(1.0), Some(0.0), Some(1.0)]);
        assert_eq!(table.place(2), "row 3");
        let error = table.numbers("lists").unwrap_err().to_string();
        assert!(error.starts_with("t.parquet: column `lists` holds List("), "{error}");
        assert!(read("t.parquet", Bytes::from("no"), &[]).is_err());
    }
}
