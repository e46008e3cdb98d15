//! Column types: how one Rust type becomes an Arrow array and back. Not the tables themselves.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListBuilder, StringArray, UInt32Array,
    UInt32Builder, UInt64Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt32Type, UInt64Type};
use thiserror::Error;

/// Why rows and arrays do not convert.
#[derive(Debug, Error)]
pub enum RowError {
    /// A number that is neither finite nor null.
    #[error("column {column}, row {row}: {value} is not finite")]
    NotFinite {
        /// The column.
        column: &'static str,
        /// The row in its batch.
        row: usize,
        /// The number.
        value: f64,
    },
    /// A column is not in its place, of another type, or has a null or a number that is not finite where none may be.
    #[error(
        "table {table}: column {column} is not in its place, of another type, null or not finite"
    )]
    Column {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
    },
    /// Rows of one unit differ where they have all in common.
    #[error("table {table}: the rows are of more than one {column}")]
    Uncommon {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
    },
    /// The batch has other columns than the table.
    #[error("table {table}: the batch has {found} columns instead of {expected}")]
    Width {
        /// The table.
        table: &'static str,
        /// Columns of the batch.
        found: usize,
        /// Columns of the table.
        expected: usize,
    },
    /// Arrow refused.
    #[error("arrow refused the batch")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Bytes of another table, or of another version of it.
    #[error("these are no rows of table {table}, or of another version of it")]
    Layout {
        /// The table.
        table: &'static str,
    },
    /// Bytes after the last table.
    #[error("{bytes} bytes stand after the rows")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// Texts that would take too much memory if each row had them.
    #[error("table {table}: {length} bytes that {rows} rows have in common are too many")]
    Repeated {
        /// The table.
        table: &'static str,
        /// Its rows.
        rows: usize,
        /// Bytes of the texts in common.
        length: usize,
    },
    /// Bytes that are no record batch, or no text.
    #[error("the bytes are no record batch and its texts, or not the whole of them")]
    Malformed,
}

/// A type that can be a column.
pub trait Column: Sized {
    /// Arrow type and nullability.
    fn data_type() -> (DataType, bool);

    /// The array of these values.
    ///
    /// # Errors
    /// A float is not finite.
    fn array<'a>(
        name: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError>
    where
        Self: 'a;

    /// Value `row` of `array`; `None` where the array has another type or an unexpected null.
    fn value(array: &dyn Array, row: usize) -> Option<Self>;

    /// The value of every row that has this text in common with the others; `None` where the column is of no text.
    fn common(_text: &str) -> Option<Self> {
        None
    }
}

/// The values of one column.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// One for each row.
    Each(&'a ArrayRef),
    /// A text that all rows have in common.
    Common(&'a str),
}

impl Values<'_> {
    /// The value of a row; `None` where the values are of another type, or null where none may be.
    #[must_use]
    pub fn value<C: Column>(&self, row: usize) -> Option<C> {
        match self {
            Self::Each(array) => C::value(array, row),
            Self::Common(text) => C::common(text),
        }
    }
}

impl Column for String {
    fn data_type() -> (DataType, bool) {
        (DataType::Utf8, false)
    }

    fn array<'a>(
        _: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        Ok(Arc::new(StringArray::from_iter_values(values)))
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        Option::<Self>::value(array, row)?
    }

    fn common(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Column for Option<String> {
    fn data_type() -> (DataType, bool) {
        (DataType::Utf8, true)
    }

    fn array<'a>(
        _: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        Ok(Arc::new(values.map(Option::as_deref).collect::<StringArray>()))
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        let array = array.as_string_opt::<i32>()?;
        Some(array.is_valid(row).then(|| array.value(row).to_owned()))
    }
}

impl Column for bool {
    fn data_type() -> (DataType, bool) {
        (DataType::Boolean, false)
    }

    fn array<'a>(
        _: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        Ok(Arc::new(values.map(|&value| Some(value)).collect::<BooleanArray>()))
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        let array = array.as_boolean_opt()?;
        array.is_valid(row).then(|| array.value(row))
    }
}

impl Column for Option<bool> {
    fn data_type() -> (DataType, bool) {
        (DataType::Boolean, true)
    }

    fn array<'a>(
        _: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        Ok(Arc::new(BooleanArray::from_iter(values.copied())))
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        let array = array.as_boolean_opt()?;
        Some(array.is_valid(row).then(|| array.value(row)))
    }
}

/// The two columns of an integer type: without and with nulls.
macro_rules! integer_column {
    ($type:ty, $data_type:expr, $array:ty, $arrow:ty) => {
        impl Column for $type {
            fn data_type() -> (DataType, bool) {
                ($data_type, false)
            }

            fn array<'a>(
                _: &'static str,
                values: impl Iterator<Item = &'a Self>,
            ) -> Result<ArrayRef, RowError> {
                Ok(Arc::new(<$array>::from_iter_values(values.copied())))
            }

            fn value(array: &dyn Array, row: usize) -> Option<Self> {
                Option::<Self>::value(array, row)?
            }
        }

        impl Column for Option<$type> {
            fn data_type() -> (DataType, bool) {
                ($data_type, true)
            }

            fn array<'a>(
                _: &'static str,
                values: impl Iterator<Item = &'a Self>,
            ) -> Result<ArrayRef, RowError> {
                Ok(Arc::new(values.copied().collect::<$array>()))
            }

            fn value(array: &dyn Array, row: usize) -> Option<Self> {
                let array = array.as_primitive_opt::<$arrow>()?;
                Some(array.is_valid(row).then(|| array.value(row)))
            }
        }
    };
}

integer_column!(u32, DataType::UInt32, UInt32Array, UInt32Type);
integer_column!(u64, DataType::UInt64, UInt64Array, UInt64Type);

impl Column for f64 {
    fn data_type() -> (DataType, bool) {
        (DataType::Float64, false)
    }

    fn array<'a>(
        name: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        let values: Vec<Option<Self>> = values.copied().map(Some).collect();
        Option::<Self>::array(name, values.iter())
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        Option::<Self>::value(array, row)?
    }
}

impl Column for Option<f64> {
    fn data_type() -> (DataType, bool) {
        (DataType::Float64, true)
    }

    fn array<'a>(
        name: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        let array: Float64Array = values.copied().collect();
        let wrong = array.iter().position(|value| value.is_some_and(|value| !value.is_finite()));
        match wrong {
            None => Ok(Arc::new(array)),
            Some(row) => Err(RowError::NotFinite { column: name, row, value: array.value(row) }),
        }
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        let array = array.as_primitive_opt::<Float64Type>()?;
        let value = array.is_valid(row).then(|| array.value(row));
        value.is_none_or(f64::is_finite).then_some(value)
    }
}

/// A list, whose items are never null.
impl Column for Option<Vec<u32>> {
    fn data_type() -> (DataType, bool) {
        (DataType::List(item()), true)
    }

    fn array<'a>(
        _: &'static str,
        values: impl Iterator<Item = &'a Self>,
    ) -> Result<ArrayRef, RowError> {
        let mut builder = ListBuilder::new(UInt32Builder::new()).with_field(item());
        for value in values {
            builder.values().append_slice(value.as_deref().unwrap_or_default());
            builder.append(value.is_some());
        }
        Ok(Arc::new(builder.finish()))
    }

    fn value(array: &dyn Array, row: usize) -> Option<Self> {
        let array = array.as_list_opt::<i32>()?;
        if !array.is_valid(row) {
            return Some(None);
        }
        let items = array.value(row);
        let items = items.as_primitive_opt::<UInt32Type>()?;
        (items.null_count() == 0).then(|| Some(items.values().to_vec()))
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::UInt32, false))
}
