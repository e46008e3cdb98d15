//! Why a table cannot be correlated: the file, the column, the row and the value at fault, and what to do. Not an undefined statistic, which
//! is a finding.

use std::io;

use thiserror::Error;

/// A mistake in the table or in the question.
#[derive(Debug, Error)]
pub enum CorrelateError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The file's name does not say what it is.
    #[error("{path}: the name of a table ends in .csv, .tsv or .parquet: export it as one of them")]
    Format {
        /// The file.
        path: String,
    },
    /// The file is not what its name says.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What its reader says, with the line where there is one.
        reason: String,
    },
    /// A column that the table does not have.
    #[error("{path} has no column `{column}`: {hint}")]
    Column {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The nearest column, or all.
        hint: String,
    },
    /// A column of Parquet that holds neither numbers nor texts.
    #[error(
        "{path}: column `{column}` holds {found}: a number or a text is needed: convert it, or name another column"
    )]
    Type {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// More rows than there are languages, models and configs.
    #[error(
        "{what} has more than {rows_max} rows: correlate means over languages, not every token or document: aggregate it first"
    )]
    TooLong {
        /// The file, with the group where it is that which is too long.
        what: String,
        /// How many it may have.
        rows_max: usize,
    },
    /// A value that its column cannot have.
    #[error("{place}, column `{column}`: {value:?} is {reason}")]
    Value {
        /// The file, and the line or row.
        place: String,
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two rows of one group are about the same thing.
    #[error(
        "{places}, column `{column}`: {value:?} stands twice{group}: correlate independent rows; split them by another column \
         with --by, or aggregate them"
    )]
    Twice {
        /// The file, and both lines or rows.
        places: String,
        /// The column of labels.
        column: String,
        /// The label.
        value: String,
        /// The group, in words; empty where there is one only.
        group: String,
    },
    /// A question that has no answer on any table.
    #[error("{0}")]
    Question(String),
}
