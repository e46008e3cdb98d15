//! Tables: the macro that makes a row struct, its schema and its conversions from one list of columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};

use super::column::{RowError, Values};
use crate::Digest;

/// A table by name and schema version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name: the file or folder under `data/` or `analysis/`.
    pub name: &'static str,
    /// Changes when a column changes its meaning, name or type.
    pub version: u32,
}

/// One column of a table as documentation and metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Column name.
    pub name: &'static str,
    /// Unit of its numbers, or what kind of thing it holds.
    pub unit: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Arrow type.
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether all rows of a unit have it in common: it is sent once.
    pub common: bool,
}

/// The start of a digest of a table's name, version and columns.
pub type Fingerprint = [u8; 8];

/// A table's columns as Arrow has them. Made once for each table.
#[derive(Debug)]
pub struct Layout {
    /// Units and docs in the fields' metadata, the version in the schema's.
    pub schema: SchemaRef,
    /// Of each column, whether all rows of a unit have it in common.
    pub common: Vec<bool>,
    /// The other columns.
    pub own: SchemaRef,
    /// What stands for the schema where both sides know it.
    pub fingerprint: Fingerprint,
}

impl Layout {
    /// The layout of a table.
    #[must_use]
    pub fn new<R: Row>() -> Self {
        let Table { name, version } = R::TABLE;
        let fields = R::fields();
        let column = |field: &Field| {
            let common = if field.common { " common" } else { "" };
            format!("{} {} {}{common}", field.name, field.data_type, field.nullable)
        };
        let columns: Vec<String> = fields.iter().map(column).collect();
        let digest = Digest::of(format!("{name} {version}: {}", columns.join(", ")).as_bytes());
        let common = fields.iter().map(|field| field.common).collect();
        let own: Vec<_> =
            fields.iter().filter(|field| !field.common).map(Field::to_arrow).collect();
        let fields: Vec<_> = fields.iter().map(Field::to_arrow).collect();
        let metadata = [
            ("babelquant.table", name.to_owned()),
            ("babelquant.schema_version", version.to_string()),
        ];
        let metadata: HashMap<_, _> = metadata.map(|(key, value)| (key.to_owned(), value)).into();
        let fingerprint = *digest.as_bytes().first_chunk().expect("a digest is longer");
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        Self { schema, common, own: Arc::new(Schema::new(own)), fingerprint }
    }
}

/// A struct whose fields are the columns of one table.
pub trait Row: Sized + Send + Sync {
    /// The table.
    const TABLE: Table;

    /// The columns in order.
    fn fields() -> Vec<Field>;

    /// The columns as Arrow has them.
    fn layout() -> &'static Layout;

    /// The batch of these rows.
    ///
    /// # Errors
    /// A number is not finite.
    fn to_batch(rows: &[Self]) -> Result<RecordBatch, RowError>;

    /// The rows of so many values of each column.
    ///
    /// # Errors
    /// They are not of exactly this table's columns.
    fn from_values(values: &[Values<'_>], rows: usize) -> Result<Vec<Self>, RowError>;

    /// The rows of a batch.
    ///
    /// # Errors
    /// The batch does not have exactly this table's columns.
    fn from_batch(batch: &RecordBatch) -> Result<Vec<Self>, RowError> {
        let table = Self::TABLE.name;
        let (found, expected) = (batch.schema_ref().fields(), Self::layout().schema.fields());
        if found.len() != expected.len() {
            return Err(RowError::Width { table, found: found.len(), expected: expected.len() });
        }
        let differs = |(found, expected): &(&FieldRef, &FieldRef)| found.name() != expected.name();
        if let Some((_, column)) = found.iter().zip(expected).find(differs) {
            return Err(RowError::Column { table, column: column.name().clone() });
        }
        let values: Vec<_> = batch.columns().iter().map(Values::Each).collect();
        Self::from_values(&values, batch.num_rows())
    }

    /// The Arrow schema.
    fn schema() -> SchemaRef {
        Arc::clone(&Self::layout().schema)
    }
}

impl Field {
    fn to_arrow(&self) -> arrow::datatypes::Field {
        let metadata = [("unit", self.unit), ("doc", self.doc.trim())];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        arrow::datatypes::Field::new(self.name, self.data_type.clone(), self.nullable)
            .with_metadata(HashMap::from(metadata))
    }
}

/// Declares a row struct and implements [`Row`] for it. Each column: a doc sentence, `name: type`, `[unit]`, and `[unit common]` where it is
/// a text that all rows of a unit have in common. The caller's crate depends on serde: a row is also an object of JSON reports. A row's
/// default has no number and no text: it is filled, never stored.
#[macro_export]
macro_rules! table {
    (
        $(#[doc = $doc:literal])+
        $row:ident in $name:literal version $version:literal {
            $($(#[doc = $column_doc:literal])+ $column:ident: $type:ty [$unit:literal $($common:ident)?],)+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
        pub struct $row {
            $($(#[doc = $column_doc])+ pub $column: $type,)+
        }

        impl $crate::rows::Row for $row {
            const TABLE: $crate::rows::Table = $crate::rows::Table { name: $name, version: $version };

            fn fields() -> Vec<$crate::rows::Field> {
                vec![$({
                    let (data_type, nullable) = <$type as $crate::rows::Column>::data_type();
                    $crate::rows::Field {
                        name: stringify!($column),
                        unit: $unit,
                        doc: concat!($($column_doc),+),
                        data_type,
                        nullable,
                        common: $crate::table!(@common $type $(, $common)?),
                    }
                }),+]
            }

            fn layout() -> &'static $crate::rows::Layout {
                static LAYOUT: std::sync::LazyLock<$crate::rows::Layout> =
                    std::sync::LazyLock::new($crate::rows::Layout::new::<$row>);
                &LAYOUT
            }

            fn to_batch(
                rows: &[Self],
            ) -> Result<$crate::rows::RecordBatch, $crate::rows::RowError> {
                let arrays = vec![$(<$type as $crate::rows::Column>::array(
                    stringify!($column),
                    rows.iter().map(|row| &row.$column),
                )?),+];
                Ok($crate::rows::RecordBatch::try_new(<Self as $crate::rows::Row>::schema(), arrays)?)
            }

            fn from_values(
                values: &[$crate::rows::Values<'_>],
                rows: usize,
            ) -> Result<Vec<Self>, $crate::rows::RowError> {
                let table = <Self as $crate::rows::Row>::TABLE.name;
                let [$($column),+] = values else {
                    let (found, expected) = (values.len(), [$($unit),+].len());
                    return Err($crate::rows::RowError::Width { table, found, expected });
                };
                (0..rows)
                    .map(|row| {
                        Ok(Self {
                            $($column: $column.value(row).ok_or_else(|| {
                                let column = stringify!($column).to_owned();
                                $crate::rows::RowError::Column { table, column }
                            })?,)+
                        })
                    })
                    .collect()
            }
        }
    };
    (@common $type:ty) => {
        false
    };
    (@common $type:ty, common) => {{
        // Columns of another type do not compile.
        const _: fn(String) -> $type = std::convert::identity;
        true
    }};
}
