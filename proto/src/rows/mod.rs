//! Rows: one struct per table, its fields are the columns. Rows become Arrow batches and IPC bytes here and nowhere else.
//!
//! Undefined numbers are null; a NaN or infinity in a row is a bug of whoever made it and is refused by name.

mod activations;
mod clipping;
mod column;
mod common;
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
pub use column::{Column, RowError, Values};
pub use documents::DocumentRow;
pub use ipc::{decode, decode_batch, decode_both, decode_both_batches, encode, encode_both};
pub use measured::{Measured, made_by};
pub use quantization::QuantizationRow;
pub use reason::{unsupported, unsupported_cause};
pub use table::{Field, Fingerprint, Layout, Row, Table};
pub use tokens::TokenRow;
pub use weights::WeightRow;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WIRE_MAJOR;

    /// Who changes a table's columns changes what is sent: raise `WIRE_MAJOR`, so that workers of another build are refused before they compute,
    /// and `Spec::VERSION`, so that outputs of another build are refused by name.
    #[test]
    fn what_is_sent_belongs_to_this_version_of_the_wire() {
        let hex = |row: &Layout| row.fingerprint.map(|byte| format!("{byte:02x}")).concat();
        let sent = [
            ActivationRow::layout(),
            DocumentRow::layout(),
            QuantizationRow::layout(),
            TokenRow::layout(),
            WeightRow::layout(),
        ];
        let expected = [
            "395f04040f8047a7",
            "5621397076ba76db",
            "f6b75fb16f62a003",
            "f9ac08581c4f242c",
            "23d6f182f84e76e8",
        ];
        assert_eq!((WIRE_MAJOR, sent.map(hex).each_ref().map(String::as_str)), (4, expected));
    }
}
