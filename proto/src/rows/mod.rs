//! Rows: one struct per table, its fields are the columns. Rows become Arrow batches and IPC bytes here and nowhere else.
//!
//! Undefined numbers are null; a NaN or infinity in a row is a bug of whoever made it and is refused by name.

mod activations;
mod clipping;
mod column;
mod documents;
mod ipc;
mod measured;
mod quantization;
mod reason;
mod table;
mod tokens;
mod weights;

pub use activations::{ActivationRow, Point};
pub use arrow::array::RecordBatch;
pub use clipping::ClippingRow;
pub use column::{Column, RowError};
pub use documents::DocumentRow;
pub use ipc::{decode, decode_both, encode, encode_both};
pub use measured::Measured;
pub use quantization::QuantizationRow;
pub use reason::{unsupported, unsupported_cause};
pub use table::{Field, Fingerprint, Layout, Row, Table};
pub use tokens::TokenRow;
pub use weights::WeightRow;
