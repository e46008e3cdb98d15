//! What all rows of a unit have in common: texts that are taken out of its batch, sent once, and put back. Each table marks its own.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::Buffer;

use super::column::{RowError, Values};
use super::ipc::take_counted;
use super::table::Row;

/// Bytes that the texts of all rows may take together, or else four times those that were sent: a short message must not ask for much memory.
const REPEATED_BYTES_MAX: usize = 1 << 20;

/// The batch without the columns in common, and these as bytes: each text behind its length; nothing where there are no rows.
///
/// # Errors
/// The rows do not have it in common.
pub(super) fn take_out<R: Row>(batch: &RecordBatch) -> Result<(RecordBatch, Vec<u8>), RowError> {
    let (mut own, mut bytes) = (Vec::new(), Vec::new());
    for (index, &common) in R::layout().common.iter().enumerate() {
        if !common {
            own.push(index);
        } else if let Some(text) = only::<R>(batch, index)? {
            let length = u32::try_from(text.len()).expect("Arrow's texts are shorter than 2 GiB");
            bytes.extend(length.to_le_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    Ok((batch.project(&own)?, bytes))
}

/// The one text of a column, if there are rows.
fn only<R: Row>(batch: &RecordBatch, index: usize) -> Result<Option<&str>, RowError> {
    let mut texts = batch.column(index).as_string::<i32>().iter().flatten();
    let first = texts.next();
    match texts.all(|text| Some(text) == first) {
        true => Ok(first),
        false => Err(RowError::Uncommon {
            table: R::TABLE.name,
            column: batch.schema_ref().field(index).name().clone(),
        }),
    }
}

/// The columns of rows as they were sent.
pub(super) struct Sent<R> {
    /// Those in which rows may differ.
    own: RecordBatch,
    /// The others, in their order; none where there are no rows.
    texts: Vec<Buffer>,
    of: PhantomData<R>,
}

impl<R: Row> Sent<R> {
    /// The columns of `own`, and those in common from the start of `bytes`, which then begin after them; `sent` bytes in all.
    ///
    /// # Errors
    /// The bytes are no such texts, or these would take too much memory if each row had them.
    pub(super) fn read(
        own: RecordBatch,
        bytes: &mut Buffer,
        sent: usize,
    ) -> Result<Self, RowError> {
        let count = match own.num_rows() {
            0 => 0,
            _ => R::layout().common.iter().filter(|&&common| common).count(),
        };
        let texts = (0..count).map(|_| take_counted(bytes)).collect::<Result<Vec<_>, _>>()?;
        let length: usize = texts.iter().map(Buffer::len).sum();
        let (repeated, most) = (length.checked_mul(own.num_rows()), sent.saturating_mul(4));
        match repeated.is_some_and(|bytes| bytes <= most.max(REPEATED_BYTES_MAX)) {
            true => Ok(Self { own, texts, of: PhantomData }),
            false => Err(RowError::Repeated { table: R::TABLE.name, rows: own.num_rows(), length }),
        }
    }

    /// The rows.
    ///
    /// # Errors
    /// They are not of exactly the table's columns.
    pub(super) fn rows(&self) -> Result<Vec<R>, RowError> {
        match self.own.num_rows() {
            0 => Ok(Vec::new()),
            rows => R::from_values(&self.values()?, rows),
        }
    }

    /// The batch of all columns.
    ///
    /// # Errors
    /// They are not of exactly the table's columns.
    pub(super) fn batch(&self) -> Result<RecordBatch, RowError> {
        let (schema, rows) = (R::schema(), self.own.num_rows());
        if rows == 0 {
            return Ok(RecordBatch::new_empty(schema));
        }
        let array = |values: Values<'_>| -> ArrayRef {
            match values {
                Values::Each(array) => Arc::clone(array),
                Values::Common(text) => Arc::new(StringArray::new_repeated(text, rows)),
            }
        };
        let columns = self.values()?.into_iter().map(array).collect();
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// All columns in their order.
    fn values(&self) -> Result<Vec<Values<'_>>, RowError> {
        let (mut own, mut texts) = (self.own.columns().iter(), self.texts.iter());
        let values = R::layout().common.iter().map(|common| match common {
            false => own.next().map(Values::Each),
            true => str::from_utf8(texts.next()?).ok().map(Values::Common),
        });
        values.collect::<Option<_>>().ok_or(RowError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{TokenRow, WeightRow, decode, decode_batch, encode};

    fn rows(model: &str, count: usize) -> Vec<WeightRow> {
        vec![WeightRow { model: model.to_owned(), ..WeightRow::default() }; count]
    }

    #[test]
    fn a_text_in_common_is_sent_once() {
        let occurrences = |bytes: &[u8]| bytes.windows(5).filter(|part| part == b"bloom").count();
        let bytes = encode(&rows("bloom", 100)).unwrap();
        assert_eq!(occurrences(&bytes), 1);
        assert_eq!(decode::<WeightRow>(&bytes).unwrap(), rows("bloom", 100));
    }

    #[test]
    fn rows_that_do_not_have_it_in_common_are_not_sent() {
        let error = encode(&[rows("a", 1), rows("b", 1)].concat()).unwrap_err();
        assert_eq!(error.to_string(), "table weights: the rows are of more than one model");
    }

    #[test]
    fn texts_are_not_repeated_beyond_their_bounds() {
        let long = "m".repeat(REPEATED_BYTES_MAX / 64);
        assert_eq!(decode::<WeightRow>(&encode(&rows(&long, 64)).unwrap()).unwrap().len(), 64);
        let wrong = decode::<WeightRow>(&encode(&rows(&long, 65)).unwrap());
        assert!(matches!(wrong, Err(RowError::Repeated { rows: 65, .. })), "{wrong:?}");
        // More than that in all, but in proportion to what is sent.
        let many = rows(&"m".repeat(100), 20_000);
        assert_eq!(decode::<WeightRow>(&encode(&many).unwrap()).unwrap(), many);
    }

    /// What is accepted as rows is later written as a batch.
    #[test]
    fn the_batch_is_that_of_the_rows() {
        for count in [0, 1, 3] {
            let rows = rows("bloom", count);
            let batch = decode_batch::<WeightRow>(&encode(&rows).unwrap()).unwrap();
            assert_eq!(batch, WeightRow::to_batch(&rows).unwrap());
        }
    }

    #[test]
    fn bytes_that_are_no_texts_are_refused() {
        let row = TokenRow { config: "int4".to_owned(), ..TokenRow::default() };
        let bytes = encode(std::slice::from_ref(&row)).unwrap().to_vec();
        let text = bytes.windows(4).position(|part| part == b"int4").unwrap();
        let with = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            decode::<TokenRow>(&bytes)
        };
        assert!(with(text, b'I').unwrap()[0].config == "Int4");
        assert!(matches!(with(text, 0xff), Err(RowError::Malformed)), "no UTF-8");
        assert!(matches!(with(text - 4, 5), Err(RowError::Malformed)), "longer than the rest");
        assert!(matches!(with(text - 4, 3), Err(RowError::Trailing { bytes: 1 })), "shorter");
    }
}
